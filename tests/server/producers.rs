//! What producers really send (`tests/producers/recorded`), sent to a server once more: by OTLP/HTTP as JSON and as
//! protobuf, and by OTLP/gRPC, each message to the path of its signal. The rows of all public tables are those of an
//! import of the file.
//!
//! JSON is sent as it was recorded, and so is protobuf where there is a recording of it. Of the others the protobuf is
//! made here (`encode`); that this gives what OpenTelemetry's own encoder gives, byte for byte, is shown by the
//! recordings that have both.

mod encode;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tracehouse::{Database, ImportOptions};
use tracehouse_server::{LogLevel, ServeError, ServeOptions, Server, ShutdownHandle};

use super::client::post;
use crate::support::{Check, file_name, in_memory, sorted_rows};

/// Everything that SQL can read of what was received.
const TABLES: [&str; 10] = [
    "traces",
    "spans",
    "assessments",
    "sessions",
    "messages",
    "events",
    "tags",
    "metadata",
    "datasets",
    "dataset_records",
];
const UNIMPLEMENTED: u16 = 12;

/// How a message is sent.
#[derive(Debug, Clone, Copy)]
enum Way {
    Json,
    Protobuf,
    Grpc,
}

/// What a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// A recorded request. Of metrics, which are not kept, there is no protobuf.
struct Sent {
    signal: Signal,
    json: String,
    protobuf: Vec<u8>,
}

#[test]
fn every_recording_gives_the_rows_of_its_import() {
    let (mut check, mut spans) = (Check::default(), 0);
    for path in recordings("jsonl") {
        let messages: Vec<Sent> = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(Sent::of)
            .collect();
        let imported = all_rows(&import(&path));
        spans += imported[1].len();
        for way in [Way::Json, Way::Protobuf, Way::Grpc] {
            let what = format!("{} by {way:?}", file_name(&path));
            equal(&mut check, &what, &serve(way, &messages), &imported);
        }
    }
    assert!(spans > 600, "{spans} spans");
    check.finish();
}

#[test]
fn recorded_protobuf_is_sent_byte_for_byte() {
    let (mut check, mut files) = (Check::default(), 0);
    for path in recordings("pb") {
        let recorded = fs::read(&path).unwrap();
        let lines = fs::read_to_string(path.with_extension("jsonl")).unwrap();
        let mut messages: Vec<Sent> = lines.lines().map(Sent::of).collect();
        let framed = framed(&recorded);
        assert_eq!(framed.len(), messages.len(), "{}", path.display());
        for (message, recorded) in messages.iter_mut().zip(framed) {
            // What `encode` makes of the others is what OpenTelemetry's own encoder would.
            assert_eq!(message.protobuf, recorded, "{}", path.display());
            message.protobuf = recorded.to_vec();
        }
        let imported = all_rows(&import(&path));
        for way in [Way::Protobuf, Way::Grpc] {
            let what = format!("{} by {way:?}", file_name(&path));
            equal(&mut check, &what, &serve(way, &messages), &imported);
        }
        files += 1;
    }
    assert!(files >= 2, "{files} files");
    check.finish();
}

/// Recordings of OTLP, in order of name.
fn recordings(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("producers/recorded");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .filter(|path| !file_name(path).contains(".native."))
        .collect();
    paths.sort();
    paths
}

/// Messages of which each is preceded by its length, as the Collector writes them.
fn framed(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (message, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(message);
        bytes = rest;
    }
    messages
}

fn import(path: &Path) -> Database {
    let db = in_memory();
    let options = ImportOptions::default();
    let file = File::open(path).unwrap();
    let report = db.import(file, &options, &mut |_| {}).unwrap();
    let rejected = report.rejected.first();
    assert_eq!(report.rejected_count, 0, "{}: {rejected:?}", path.display());
    db
}

/// What a server has of these messages; each of them has to be kept whole.
fn serve(way: Way, messages: &[Sent]) -> Vec<Vec<String>> {
    let server = Running::start();
    let mut grpc = Grpc::to(server.grpc);
    for message in messages {
        let whole = match way {
            Way::Json => message.by_json(server.http),
            Way::Protobuf => message.by_protobuf(server.http),
            Way::Grpc => message.by_grpc(&mut grpc),
        };
        assert!(whole, "{way:?}: {}", message.json);
    }
    // An import settles its traces when it ends, a server when their last span is old.
    server.db.settle().unwrap();
    all_rows(&server.db)
}

fn all_rows(db: &Database) -> Vec<Vec<String>> {
    TABLES
        .iter()
        .map(|table| sorted_rows(db, &format!("SELECT * FROM {table}")))
        .collect()
}

/// Notes the tables that differ, with the first rows that do.
fn equal(check: &mut Check, what: &str, got: &[Vec<String>], want: &[Vec<String>]) {
    for ((table, got), want) in TABLES.iter().zip(got).zip(want) {
        let only = |rows: &[String], others: &[String]| {
            let only = rows.iter().find(|row| !others.contains(row));
            (rows.len(), only.cloned())
        };
        check.equal(
            &format!("{what}: {table}"),
            only(got, want),
            (want.len(), None),
        );
        check.equal(
            &format!("{what}: {table}, the import's"),
            only(want, got),
            (want.len(), None),
        );
    }
}

impl Sent {
    fn of(line: &str) -> Self {
        let document: Value = serde_json::from_str(line).unwrap();
        let document = document.as_object().unwrap();
        let names: Vec<&str> = document.keys().map(String::as_str).collect();
        let (signal, protobuf) = match names.as_slice() {
            ["resourceSpans"] => (Signal::Traces, encode::request(document)),
            ["resourceLogs"] => (Signal::Logs, encode::request(document)),
            ["resourceMetrics"] => (Signal::Metrics, Vec::new()),
            other => panic!("{other:?} is no request"),
        };
        Self {
            signal,
            json: line.to_string(),
            protobuf,
        }
    }

    fn path(&self) -> &str {
        match self.signal {
            Signal::Traces => "/v1/traces",
            Signal::Logs => "/v1/logs",
            Signal::Metrics => "/v1/metrics",
        }
    }

    /// Whether all of it was kept, or none of it because it is metrics.
    fn by_json(&self, server: SocketAddr) -> bool {
        let headers = [("Content-Type", "application/json")];
        let answer = post(server, self.path(), &headers, self.json.as_bytes());
        match self.signal {
            Signal::Metrics => answer.status == 404,
            _ => (answer.status, answer.body.as_slice()) == (200, b"{}"),
        }
    }

    fn by_protobuf(&self, server: SocketAddr) -> bool {
        let headers = [("Content-Type", "application/x-protobuf")];
        let answer = post(server, self.path(), &headers, &self.protobuf);
        match self.signal {
            Signal::Metrics => answer.status == 404,
            // No partial success, which is the only field of the answer.
            _ => (answer.status, answer.body.as_slice()) == (200, b""),
        }
    }

    fn by_grpc(&self, server: &mut Grpc) -> bool {
        let service = match self.signal {
            Signal::Traces => "trace.v1.TraceService",
            Signal::Logs => "logs.v1.LogsService",
            Signal::Metrics => "metrics.v1.MetricsService",
        };
        let (status, answer) = server.export(service, &self.protobuf);
        match self.signal {
            Signal::Metrics => status == UNIMPLEMENTED,
            _ => (status, answer.as_slice()) == (0, &[0; 5]),
        }
    }
}

/// A server in this process, whose database can be asked directly.
struct Running {
    db: Database,
    http: SocketAddr,
    grpc: SocketAddr,
    stop: ShutdownHandle,
    served: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Running {
    fn start() -> Self {
        let mut options = ServeOptions::default();
        options.http = "127.0.0.1:0".parse().unwrap();
        options.grpc = "127.0.0.1:0".parse().unwrap();
        options.log_level = LogLevel::Off;
        let db = in_memory();
        let server = Server::bind(db.clone(), options).unwrap();
        Self {
            db,
            http: server.http_address(),
            grpc: server.grpc_address(),
            stop: server.shutdown_handle(),
            served: Some(std::thread::spawn(move || server.run())),
        }
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

/// A connection of a gRPC client.
struct Grpc {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
}

impl Grpc {
    fn to(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let sender = runtime.block_on(async {
            let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
            let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(connection);
            sender
        });
        Self { runtime, sender }
    }

    /// The status of an export call, and the message that was answered in its frame.
    fn export(&mut self, service: &str, message: &[u8]) -> (u16, Vec<u8>) {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let body = [&[0], length.as_slice(), message].concat();
        let path = format!("/opentelemetry.proto.collector.{service}/Export");
        let request = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::from(body))
            .unwrap();
        let status = |headers: &HeaderMap| {
            let told = headers.get("grpc-status")?;
            Some(told.to_str().unwrap().parse::<u16>().unwrap())
        };
        self.runtime.block_on(async {
            self.sender.ready().await.unwrap();
            let response = self.sender.send_request(request).await.unwrap();
            if let Some(status) = status(response.headers()) {
                return (status, Vec::new());
            }
            let body = response.into_body().collect().await.unwrap();
            let status = status(body.trailers().unwrap()).unwrap();
            (status, body.to_bytes().to_vec())
        })
    }
}
