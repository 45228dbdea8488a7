//! A chat completions server that does what a test tells it to, one connection for each call. It counts what it is
//! asked, and bills what it works.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// US dollars a million tokens.
pub(super) const PRICE_INPUT: f64 = 10.0;
pub(super) const PRICE_OUTPUT: f64 = 40.0;

/// What the server does with one call.
#[derive(Debug, Clone)]
pub(super) enum Does {
    /// A completion with this content, and its true usage.
    Answer(String),
    /// Status 200 with this body, after work.
    Body(String),
    /// A status, further headers, a body. Costs nothing, except 500 and 502, which come after work.
    Status(u16, &'static str, String),
    /// A completion of which only a part is sent.
    Cut,
    /// Closes before it reads.
    Close,
    /// Nothing until the server ends, after work.
    Silence,
    /// A body without an end, after work.
    Endless,
    /// A completion that says it is compressed.
    GzipLie,
}

/// A call as it came.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct State {
    ended: AtomicBool,
    connections: AtomicU64,
    billed_pico: AtomicU64,
    now: AtomicU64,
    most: AtomicU64,
    calls: Mutex<Vec<Call>>,
}

type Plan = dyn Fn(u64, &Value) -> Does + Send + Sync;

pub(super) struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

pub(super) fn verdict(value: bool) -> String {
    json!({"rationale": "because", "value": value}).to_string()
}

impl Server {
    /// A server that is told what to do by the number of the connection (from 0) and the request's body; `Close` may
    /// depend on the number alone.
    pub fn start(plan: impl Fn(u64, &Value) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let (shared, plan): (_, Arc<Plan>) = (state.clone(), Arc::new(plan));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let (state, plan) = (shared.clone(), plan.clone());
                thread::spawn(move || {
                    let now = state.now.fetch_add(1, Ordering::SeqCst) + 1;
                    state.most.fetch_max(now, Ordering::SeqCst);
                    // A client that went away is no fault of the server.
                    let _ = stream.and_then(|stream| serve(stream, number, &*plan, &state));
                });
            }
        });
        Self { address, state }
    }

    /// Does these one after the other, and the last for ever.
    pub fn script(all: impl IntoIterator<Item = Does>) -> Self {
        let all: Vec<Does> = all.into_iter().collect();
        Self::start(move |number, _| all[(number as usize).min(all.len() - 1)].clone())
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1/", self.address)
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Calls at the same time, at most; counts only when none is `Close`.
    pub fn most_at_once(&self) -> u64 {
        self.state.most.load(Ordering::SeqCst)
    }

    /// What its work costs, in US dollars.
    pub fn billed_usd(&self) -> f64 {
        self.state.billed_pico.load(Ordering::SeqCst) as f64 / 1e12
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, number: u64, plan: &Plan, state: &State) -> std::io::Result<()> {
    if matches!(plan(number, &Value::Null), Does::Close) {
        return Ok(());
    }
    let mut out = stream.try_clone()?;
    let call = receive(stream)?;
    let does = plan(number, &call.body);
    let input_tokens = call.body.to_string().len() as u64 / 4;
    state.calls.lock().unwrap().push(call);
    let work = |text: &str| {
        let output_tokens = text.len() as u64 / 4 + 1;
        // 10 and 40 dollars a million are these pico-dollars a token.
        let pico = input_tokens * 10_000_000 + output_tokens * 40_000_000;
        state.billed_pico.fetch_add(pico, Ordering::SeqCst);
        completion(text, input_tokens, output_tokens)
    };
    // Before the answer: once it is there, the client may begin its next call.
    state.now.fetch_sub(1, Ordering::SeqCst);
    match does {
        Does::Close => Ok(()),
        Does::Answer(text) => respond(&mut out, 200, "", &work(&text)),
        Does::Body(body) => {
            work(&body[..body.len().min(40)]);
            respond(&mut out, 200, "", &body)
        }
        Does::Status(status, headers, body) => {
            if matches!(status, 500 | 502) {
                work("");
            }
            respond(&mut out, status, headers, &body)
        }
        Does::Cut => {
            let body = work(&verdict(true));
            let sent = &body[..body.len() / 2];
            write!(
                out,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{sent}",
                body.len()
            )
        }
        Does::GzipLie => respond(
            &mut out,
            200,
            "content-encoding: gzip\r\n",
            &work(&verdict(true)),
        ),
        Does::Silence => {
            work(&verdict(true));
            while !state.ended.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        }
        Does::Endless => {
            work(&verdict(true));
            write!(out, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            while !state.ended.load(Ordering::SeqCst) {
                out.write_all(&[b' '; 65_536])?;
            }
            Ok(())
        }
    }
}

fn receive(stream: TcpStream) -> std::io::Result<Call> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Call {
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap(),
    })
}

fn completion(text: &str, input_tokens: u64, output_tokens: u64) -> String {
    let body = json!({
        "model": "judge-model-2026",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": input_tokens, "completion_tokens": output_tokens},
    });
    body.to_string()
}

fn respond(out: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        out,
        "HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
