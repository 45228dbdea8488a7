//! A server to attack, and clients that do as they are told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracehouse::Database;
use tracehouse_server::{LogLevel, ReloadHandle, ServeError, ServeOptions, Server, ShutdownHandle};

/// The end of every wait.
pub const LONG: Duration = Duration::from_secs(30);
/// A limit of the server, where a test waits for it.
pub const SHORT: Duration = Duration::from_millis(300);

/// A server in this process.
pub struct Running {
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    pub reload: ReloadHandle,
    /// The token that good requests bring.
    pub token: Option<String>,
    stop: ShutdownHandle,
    served: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Running {
    pub fn start(change: impl FnOnce(&mut ServeOptions)) -> Self {
        let mut options = ServeOptions::default();
        options.http = "127.0.0.1:0".parse().unwrap();
        options.grpc = "127.0.0.1:0".parse().unwrap();
        options.log_level = LogLevel::Off;
        change(&mut options);
        let server = Server::bind(Database::in_memory().unwrap(), options).unwrap();
        Self {
            http: server.http_address(),
            grpc: server.grpc_address(),
            reload: server.reload_handle(),
            token: None,
            stop: server.shutdown_handle(),
            served: Some(std::thread::spawn(move || server.run())),
        }
    }

    /// Lines of the head that bring the token.
    pub fn authorization(&self) -> String {
        let token = self.token.as_ref();
        token.map_or_else(String::new, |token| {
            format!("Authorization: Bearer {token}\r\n")
        })
    }

    /// Sends `bytes` and gives everything that comes back until the server closes or is done.
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = Client::to(self.http);
        client.write(bytes.as_ref());
        client.answer()
    }

    /// The status of what is answered to a head without a body.
    pub fn get(&self, target: &str) -> u16 {
        let authorization = self.authorization();
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n");
        status(&self.send(head))
    }

    /// A figure of `/metrics`, labels included in its name.
    pub fn figure(&self, name: &str) -> f64 {
        let authorization = self.authorization();
        let page = self.send(format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\n{authorization}Connection: close\r\n\r\n"
        ));
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("{name} is not in {page}"))
            .trim()
            .parse()
            .unwrap()
    }

    /// Waits until a figure is as it should be.
    pub fn wait_for(&self, name: &str, is_so: impl Fn(f64) -> bool) {
        let begun = Instant::now();
        while !is_so(self.figure(name)) {
            assert!(begun.elapsed() < LONG, "{name} is {}", self.figure(name));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A good request: its span is stored.
    pub fn still_answers(&self) {
        let answer = self.send(export(&self.authorization()));
        assert_eq!(status(&answer), 200, "{answer}");
        assert_eq!(self.get("/readyz"), 200);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.shutdown();
        let ended = self.served.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// An export request of one new span.
pub fn export(headers: &str) -> String {
    let body = export_json();
    format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub fn export_json() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{id:032x}","spanId":"{id:016x}","name":"good","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000"}}]}}]}}]}}"#
    )
}

/// The status of an answer; 0 when there is none.
pub fn status(answer: &str) -> u16 {
    let code = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    code.map_or(0, |code| code.parse().unwrap())
}

/// How many answers there are.
pub fn answer_count(answers: &str) -> usize {
    answers.matches("HTTP/1.1 ").count()
}

/// A socket whose waits have an end.
pub struct Client(pub TcpStream);

impl Client {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, LONG).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        Self(stream)
    }

    /// Writes; the server may have closed before.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// One answer, or as much as comes before the server closes.
    pub fn answer(&mut self) -> String {
        let mut read = Vec::new();
        let mut piece = [0; 64 << 10];
        while !is_whole(&read) {
            match self.0.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => read.extend_from_slice(&piece[..count]),
                Err(error) => {
                    assert_ne!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock,
                        "nothing comes"
                    );
                    break;
                }
            }
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Everything until the server closes, which it has to.
    pub fn rest(&mut self) -> String {
        let (mut read, mut piece) = (Vec::new(), [0; 64 << 10]);
        loop {
            match self.0.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => read.extend_from_slice(&piece[..count]),
                Err(error) => {
                    let waited = error.kind() == std::io::ErrorKind::WouldBlock;
                    assert!(!waited, "the server does not close");
                    break;
                }
            }
        }
        String::from_utf8_lossy(&read).into_owned()
    }
}

/// Whether there is a head and as much of a body as it says.
fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().unwrap())
    });
    length.is_some_and(|length| read.len() >= head.len() + 4 + length)
}

/// Tests that measure the memory of this process run alone.
static MEMORY: RwLock<()> = RwLock::new(());

pub fn beside_others() -> RwLockReadGuard<'static, ()> {
    MEMORY.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MEMORY.write().unwrap_or_else(PoisonError::into_inner)
}

/// A line of `/proc/self/status` in bytes.
pub fn memory_bytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

/// The most memory that the process takes while `attack` goes on, beyond what it had.
pub fn peak_bytes(attack: impl FnOnce()) -> u64 {
    // Forgets the peak so far.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory_bytes("VmRSS");
    attack();
    memory_bytes("VmHWM").saturating_sub(before)
}
