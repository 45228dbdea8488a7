//! What a hostile request may take: as the peak of a process of its own, which this test binary is, run again.

use std::fs;
use std::process::Command;

use tracehouse::{ImportOptions, decode_otlp};

use crate::support::in_memory;

const SHAPE: &str = "TRACEHOUSE_TEST_CHILD_MEMORY";
/// Bytes of a request.
const REQUEST_BYTES: usize = 8 << 20;
/// The peak is at most so many times the request, and what any request may take.
const PEAK_TIMES: usize = 16;
const PEAK_BYTES_MIN: usize = 64 << 20;

/// A protobuf field of bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

/// A protobuf request of many `parts` one after the other, in messages of the fields `around`, outermost first.
fn protobuf(around: &[u8], part: &[u8]) -> Vec<u8> {
    let content = part.repeat(REQUEST_BYTES / part.len());
    around
        .iter()
        .rev()
        .fold(content, |content, number| field(*number, &content))
}

/// A JSON request of many `{}` inside `before` and `after`.
fn json(before: &str, part: &str, after: &str) -> Vec<u8> {
    let parts = vec![part; REQUEST_BYTES / (part.len() + 1)].join(",");
    format!("{{\"resourceSpans\":[{before}{parts}{after}]}}").into_bytes()
}

/// A span with ids and times and nothing else, the smallest that is kept.
fn small_span(n: u64) -> Vec<u8> {
    let ids = [
        field(1, &u128::from(n + 1).to_be_bytes()),
        field(2, &(n + 1).to_be_bytes()),
    ]
    .concat();
    let times = [
        &[0x39][..],
        &n.to_le_bytes(),
        &[0x41],
        &(n + 5).to_le_bytes(),
    ]
    .concat();
    field(2, &[ids, times].concat())
}

/// Requests of a few megabytes that would become hundreds: by name.
fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let spans: Vec<u8> = (0..REQUEST_BYTES as u64 / 60)
        .flat_map(small_span)
        .collect();
    let with = |part: &[u8]| protobuf(&[1, 2], &field(2, &part.repeat(1_000)));
    vec![
        ("resources", protobuf(&[], &[0x0a, 0])),
        ("scopes", protobuf(&[1], &[0x12, 0])),
        ("spans", protobuf(&[1, 2], &[0x12, 0])),
        ("attributes", with(&[0x4a, 0])),
        ("events", with(&[0x5a, 0])),
        ("links", with(&[0x6a, 0])),
        (
            "spans of one each",
            protobuf(&[1, 2], &field(2, &[0x4a, 0, 0x5a, 0, 0x6a, 0])),
        ),
        (
            "values",
            with(&field(9, &field(2, &field(5, &[0x0a, 0].repeat(50))))),
        ),
        ("JSON resources", json("", "{}", "")),
        ("JSON scopes", json("{\"scopeSpans\":[", "{}", "]}")),
        (
            "JSON spans",
            json("{\"scopeSpans\":[{\"spans\":[", "{}", "]}]}"),
        ),
        (
            "JSON events",
            json(
                "{\"scopeSpans\":[{\"spans\":[",
                "{\"events\":[{},{},{},{}],\"links\":[{},{}]}",
                "]}]}",
            ),
        ),
        (
            "JSON attributes",
            json(
                "{\"scopeSpans\":[{\"spans\":[",
                "{\"attributes\":[{},{},{},{},{},{}]}",
                "]}]}",
            ),
        ),
        ("kept", field(1, &field(2, &spans))),
    ]
}

fn kilobytes(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Does nothing unless it is the process that is measured.
#[test]
fn child_memory() {
    let Some(shape) = std::env::var_os(SHAPE) else {
        return;
    };
    let (name, request) = requests()
        .into_iter()
        .find(|(name, _)| shape == *name)
        .unwrap();
    let (before, decoded) = (kilobytes("VmRSS:"), decode_otlp(&request, "0"));
    let peak = kilobytes("VmHWM:").saturating_sub(before) << 10;
    if name == "kept" {
        // Small, but every byte of it says something.
        assert_eq!(decoded.unwrap().spans.len(), REQUEST_BYTES / 60);
        return;
    }
    let error = decoded.unwrap_err().to_string();
    assert!(
        error.contains("nearly empty") && error.contains(&request.len().to_string()),
        "{error}"
    );
    let bound = PEAK_BYTES_MIN + PEAK_TIMES * request.len();
    assert!(
        peak <= bound,
        "{peak} bytes for a request of {}, more than {bound}",
        request.len()
    );
    println!("peak of {name}: {} MiB", peak >> 20);
}

#[test]
fn a_request_that_is_nearly_empty_takes_no_memory_out_of_proportion() {
    for (name, _) in requests() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "bad_input::memory::child_memory", "--nocapture"])
            .env(SHAPE, name);
        let output = child.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{name}: {said}"
        );
    }
}

#[test]
fn a_refused_request_costs_its_neighbours_nothing() {
    let db = in_memory();
    let empty = String::from_utf8(json("{\"scopeSpans\":[{\"spans\":[", "{}", "]}]}")).unwrap();
    let good = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0000000000000000000000000000000a","spanId":"000000000000000b","name":"n"}]}]}]}"#;
    let lines = format!("{good}\n{empty}\n{good}\n");
    let report = db
        .import_otlp_json_lines(lines.as_bytes(), &ImportOptions::default())
        .unwrap();
    assert_eq!(
        (report.spans, report.duplicate_spans, report.rejected_count),
        (1, 1, 1)
    );
    assert!(
        report.rejected[0].error.contains("nearly empty"),
        "{:?}",
        report.rejected
    );
}
