//! HTTP/2: a client that behaves, and frames of one that does not.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::support::*;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A client of gRPC.
pub struct Http2 {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
    pub token: Option<String>,
}

impl Http2 {
    pub fn to(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
            tokio::spawn(connection);
            sender
        });
        Self {
            runtime,
            sender,
            token: None,
        }
    }

    /// The status of an export call whose body is `message`; `None` when the stream was ended without one.
    pub fn export(&mut self, message: Vec<u8>, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request = Request::post(format!("http://localhost{EXPORT}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::from(message)).unwrap();
        self.runtime.block_on(async {
            self.sender.ready().await.unwrap();
            let sent = tokio::time::timeout(LONG, self.sender.send_request(request));
            let response = sent.await.unwrap().ok()?;
            let status = |headers: &http::HeaderMap| {
                let told = headers.get("grpc-status")?;
                Some(told.to_str().unwrap().parse::<u16>().unwrap())
            };
            if let Some(status) = status(response.headers()) {
                return Some(status);
            }
            let body = response.into_body().collect().await.ok()?;
            status(body.trailers()?)
        })
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET path` of localhost, by names of the static table.
fn head(path: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [
        &[0x82, 0x86, 0x04],
        text(path).as_slice(),
        &[0x01],
        &text("localhost"),
    ]
    .concat()
}

/// Sends frames until there are no more or the server closes or reads no more.
fn flood(server: &Running, frames: impl Iterator<Item = Vec<u8>>) {
    let mut client = Client::to(server.http);
    client.0.set_write_timeout(Some(SHORT * 10)).unwrap();
    client.write(BEGIN);
    for frame in frames {
        if !client.write(&frame) {
            break;
        }
    }
}

#[test]
fn requests_that_are_taken_back_at_once_end_their_connection() {
    let _beside = beside_others();
    let server = Running::start(|_| {});
    let head = head("/readyz");
    let pair = |number: u32| {
        let stream = 2 * number + 1;
        let begin = frame(HEADERS, END_STREAM | END_HEADERS, stream, &head);
        [begin, frame(RESET, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    flood(&server, (0..50_000).map(pair));
    server.wait_for("tracehouse_connections", |open| open <= 2.0);
    server.still_answers();
}

#[test]
fn more_streams_than_may_be_are_refused() {
    let _beside = beside_others();
    let server = Running::start(|_| {});
    // Heads of requests whose bodies never come.
    let head = [0x83_u8, 0x86]
        .into_iter()
        .chain(head("/v1/traces").into_iter().skip(2))
        .collect::<Vec<u8>>();
    let open = |number: u32| frame(HEADERS, END_HEADERS, 2 * number + 1, &head);
    flood(&server, (0..20_000).map(open));
    assert!(server.figure("tracehouse_requests_in_progress") <= 129.0);
    server.still_answers();
}

#[test]
fn frames_without_end_are_given_up() {
    let _alone = alone();
    let server = Running::start(|_| {});
    let peak = peak_bytes(|| {
        // A head that goes on and on.
        let junk = [0x40, 0x01, b'a', 0x7f, 0x80, 0x7f].repeat(2000);
        let begin = frame(HEADERS, END_STREAM, 1, &head("/healthz"));
        let more = (0..5000).map(|_| frame(CONTINUATION, 0, 1, &junk));
        flood(&server, std::iter::once(begin).chain(more));
        let field = [
            &[0x00, 0x01, b'a', 0x7f, 0x80, 0x1e],
            [b'b'; 3967].as_slice(),
        ]
        .concat();
        let begin = frame(HEADERS, END_STREAM, 1, &head("/healthz"));
        let more = (0..20_000).map(|_| frame(CONTINUATION, 0, 1, &field));
        flood(&server, std::iter::once(begin).chain(more));
        // Frames that want an answer, of a client that reads none.
        flood(&server, (0..500_000).map(|_| frame(PING, 0, 0, &[0; 8])));
        flood(&server, (0..500_000).map(|_| frame(SETTINGS, 0, 0, &[])));
        // Bodies of nothing.
        let begin = frame(HEADERS, END_HEADERS, 1, &head("/v1/traces"));
        let more = (0..100_000).map(|_| frame(DATA, 0, 1, &[]));
        flood(&server, std::iter::once(begin).chain(more));
    });
    assert!(peak < 64 << 20, "{peak}");
    server.still_answers();
}

#[test]
fn what_is_no_http2_is_given_up() {
    let _beside = beside_others();
    let server = Running::start(|_| {});
    for bytes in [
        frame(DATA, 0, 1, b"of no stream"),
        frame(HEADERS, END_HEADERS, 2, &head("/healthz")),
        frame(HEADERS, END_HEADERS, 1, &[0xff; 100]),
        frame(99, 0xff, u32::MAX, &[0; 16_384]),
        vec![0xff; 100],
        [&[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1], [0; 1000].as_slice()].concat(),
    ] {
        flood(&server, std::iter::once(bytes));
    }
    let mut client = Client::to(server.grpc);
    client.write(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    client.rest();
    assert_eq!(
        Http2::to(server.grpc).export(b"\0\0\0\0\0".to_vec(), &[]),
        Some(0)
    );
    server.still_answers();
}
