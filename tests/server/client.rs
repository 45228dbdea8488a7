//! A server as a process of its own, and requests over plain sockets: what is sent is what a test says, byte for byte.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longer than any answer takes; a test that waits so long has failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// `tracehouse serve` on free ports; killed when it is dropped.
pub struct Serving {
    child: Child,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
}

impl Serving {
    /// Serves the database at `path`.
    pub fn start(path: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
            .arg("serve")
            .arg(path)
            .args(["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"])
            .args(["--log-level", "warn"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let &["http", http, "grpc", grpc] = words.as_slice() else {
            panic!("the server said {line:?}");
        };
        Self {
            child,
            http: http.parse().unwrap(),
            grpc: grpc.parse().unwrap(),
        }
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal, as `kill -NAME` does.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status();
        assert!(done.unwrap().success());
    }

    /// Waits for its end: the exit code.
    pub fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        let read = serde_json::from_slice(&self.body);
        read.unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request on a connection of its own.
///
/// # Errors
/// When the connection breaks before an answer is whole.
pub fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    // A server that refuses a body need not read it.
    let _ = stream.write_all(body);
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    read(&all).ok_or_else(|| std::io::Error::other("the answer is cut short"))
}

/// Posts a body, and gets an answer.
pub fn post(server: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    request(server, "POST", path, headers, body).unwrap()
}

/// Gets a page.
pub fn get(server: SocketAddr, path: &str) -> Answer {
    request(server, "GET", path, &[], b"").unwrap()
}

fn read(all: &[u8]) -> Option<Answer> {
    let end = all.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&all[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_string()))
        .collect();
    let mut body = &all[end + 4..];
    if let Some(length) = headers.get("content-length") {
        let length: usize = length.parse().ok()?;
        return (body.len() == length).then(|| Answer {
            status,
            headers,
            body: body.to_vec(),
        });
    }
    let mut whole = Vec::new();
    loop {
        let line = body.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).ok()?, 16).ok()?;
        let piece = body.get(line + 2..line + 2 + size)?;
        whole.extend_from_slice(piece);
        body = body.get(line + 2 + size + 2..)?;
        if size == 0 {
            return Some(Answer {
                status,
                headers,
                body: whole,
            });
        }
    }
}
