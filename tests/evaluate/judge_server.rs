//! A chat completions server for judges that does what a test tells it to: it counts what it is asked, and its answers
//! depend on the question alone, so that the order of calls changes nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Tokens that the server bills for a call.
pub const INPUT_TOKENS: u64 = 1_000;
pub const OUTPUT_TOKENS: u64 = 100;

/// What the server does with a call.
#[derive(Debug, Clone)]
pub enum Does {
    /// A completion with this text.
    Says(String),
    /// The same after a while.
    SaysLate(Duration, String),
    /// Another status than 200, with an error.
    Refuses(u16),
    /// A body that is no JSON.
    Babbles,
    /// A completion that is cut in the middle of the body.
    Breaks,
}

/// The text of a verdict.
pub fn verdict(value: bool) -> String {
    json!({"rationale": "because it is so", "value": value}).to_string()
}

struct State {
    ended: AtomicBool,
    calls: AtomicU64,
}

/// A server that ends with the value.
pub struct JudgeServer {
    address: SocketAddr,
    state: Arc<State>,
}

impl JudgeServer {
    /// Does what `plan` says of the number of a call, from 0, and of its body.
    pub fn start(plan: impl Fn(u64, &Value) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            ended: AtomicBool::new(false),
            calls: AtomicU64::new(0),
        });
        let (shared, plan) = (state.clone(), Arc::new(plan));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (state, plan) = (shared.clone(), plan.clone());
                // A client that was killed is no fault of the server.
                thread::spawn(move || {
                    stream.and_then(|stream| serve(stream, &state, plan.as_ref()))
                });
            }
        });
        Self { address, state }
    }

    /// The address that judges are told.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.state.calls.load(Ordering::SeqCst)
    }
}

impl Drop for JudgeServer {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    stream: TcpStream,
    state: &State,
    plan: &(dyn Fn(u64, &Value) -> Does + Send + Sync),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let number = state.calls.fetch_add(1, Ordering::SeqCst);
    answer(stream, plan(number, &body))
}

fn answer(mut stream: TcpStream, does: Does) -> std::io::Result<()> {
    let (status, body, sent) = match does {
        Does::Says(text) => (200, completion(&text), 1.0),
        Does::SaysLate(pause, text) => {
            thread::sleep(pause);
            (200, completion(&text), 1.0)
        }
        Does::Refuses(status) => {
            let body = json!({"error": {"message": format!("refused with {status}")}}).to_string();
            (status, body, 1.0)
        }
        Does::Babbles => (200, "<html>come back later</html>".to_string(), 1.0),
        Does::Breaks => (200, completion("cut"), 0.5),
    };
    let head = format!(
        "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after-ms: 1\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let length = (body.len() as f64 * sent) as usize;
    stream.write_all(&body.as_bytes()[..length])
}

fn completion(text: &str) -> String {
    json!({
        "model": "fake", "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS},
    })
    .to_string()
}
