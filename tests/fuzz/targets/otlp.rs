//! OTLP: a request is decoded or refused with a reason, and what is decoded can be stored and read again.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use tracehouse::model::Span;
use tracehouse::otlp::{Decoded, PIECE_BYTES_MAX, RequestReader, decode_json, decode_protobuf};
use tracehouse::{ErrorKind, Search};
use tracehouse_storage::columns::{span_at, spans_batch};
use tracehouse_storage::schema::REPORTED;

use super::world::empty;
use crate::data;

/// Decompressed bytes looked at of one stream: a small file may stand for a large one.
const STREAM_BYTES_MAX: u64 = 1 << 20;

/// Requests of the generated data, as documents.
pub fn documents() -> Vec<Vec<u8>> {
    let mut seeds = super::lines(include_str!("../corpus/otlp_json.txt"));
    seeds.extend(data::lines().into_iter().map(String::into_bytes));
    seeds
}

/// Messages in the protobuf encoding.
pub fn messages() -> Vec<Vec<u8>> {
    super::lines(include_str!("../corpus/otlp_protobuf.txt"))
        .iter()
        .map(|line| from_hex(line))
        .collect()
}

/// Streams: lines, one document, compressed ones, several documents without an end of line.
pub fn streams() -> Vec<Vec<u8>> {
    let documents = super::lines(include_str!("../corpus/otlp_json.txt"));
    let lines = documents.join(&b'\n');
    let mut seeds = vec![documents.concat(), compressed(&lines), lines];
    seeds.extend(messages());
    seeds.extend(documents);
    seeds
}

/// A protobuf message.
pub fn protobuf(data: &[u8]) {
    match decode_protobuf(data, "0") {
        Ok(decoded) => check(&decoded),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A JSON document.
pub fn json(data: &[u8]) {
    match decode_json(data, "0") {
        Ok(decoded) => check(&decoded),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A stream of any kind: the same requests however it arrives, whole or byte by byte.
pub fn stream(data: &[u8]) {
    let (whole, bytewise) = (requests(data), requests(Dripping(data)));
    // How much comes before damage depends on how much is read at once.
    match (&whole[..], &bytewise[..]) {
        ([whole @ .., Err(_)], [bytewise @ .., Err(_)]) => {
            let both = whole.len().min(bytewise.len());
            assert_eq!(
                whole[..both],
                bytewise[..both],
                "before damage, read at once and byte by byte"
            );
        }
        _ => assert_eq!(whole, bytewise, "read at once, and byte by byte"),
    }
}

/// What a stream gives, as text: requests and lines that are none, and at most one error that ends it.
fn requests(input: impl Read) -> Vec<Result<String, String>> {
    let mut reader = RequestReader::new(input);
    let mut found = Vec::new();
    while let Some(request) = reader.next() {
        match request {
            Ok(request) => {
                assert!(request.bytes().len() <= PIECE_BYTES_MAX);
                let decoded = request.decode("0");
                let told = decoded
                    .map(|decoded| (decoded.spans.len(), decoded.rejected))
                    .map_err(|e| e.to_string());
                found.push(Ok(format!("{:?} {told:?}", request.line())));
            }
            Err(error) if error.is_fatal() => found.push(Err(error.to_string())),
            Err(error) => found.push(Ok(format!("{:?} {error}", error.line()))),
        }
        if reader.bytes() > STREAM_BYTES_MAX {
            break;
        }
    }
    found
}

/// Gives one byte at a time.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let count = target.len().min(1);
        self.0.read(&mut target[..count])
    }
}

fn check(decoded: &Decoded) {
    assert!(decoded.rejected.iter().all(|reason| !reason.is_empty()));
    let spans = &decoded.spans;
    let batch = spans_batch(spans).unwrap();
    for (row, span) in spans.iter().enumerate() {
        let mut span = span.clone();
        // A cost of nobody else's is reported, which a row says.
        span.cost_source = span.cost_usd.map(|_| REPORTED.to_string());
        // As text: a number that is none is not equal to itself.
        assert_eq!(
            format!("{:?}", span_at(&batch, row).unwrap()),
            format!("{span:?}")
        );
    }
    if !spans.is_empty() {
        check_stored(spans);
    }
}

/// Spans are stored, found, and the same in memory and in a segment.
fn check_stored(spans: &[Span]) {
    let db = empty();
    let report = db.append(spans).unwrap();
    assert_eq!(report.spans + report.duplicate_spans, spans.len() as u64);
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.trace_id.as_str()).collect();
    assert_eq!(report.traces, ids.len() as u64);
    let read = || {
        let page = db
            .search_traces(&Search::new("").limit(spans.len()))
            .unwrap();
        let found: BTreeSet<&str> = page
            .traces
            .iter()
            .map(|trace| trace.trace_id.as_str())
            .collect();
        assert_eq!(found, ids);
        ids.iter()
            .map(|id| format!("{:?}", db.get_trace(id).unwrap()))
            .collect::<Vec<_>>()
    };
    let fresh = read();
    db.seal().unwrap();
    assert_eq!(read(), fresh, "in memory, and in a segment");
    assert_eq!(
        db.get_trace("no such").unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn from_hex(line: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    line.chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
