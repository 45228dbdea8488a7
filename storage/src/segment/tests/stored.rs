//! What files have in place of the tables' columns: payloads, marks for previews.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray};
use roaring::RoaringBitmap;

use super::data::Lcg;
use super::{DIR, Fixture, cache, names, small};
use crate::columns::{spans_batch, text, text_at, traces_batch};
use crate::error::ErrorKind;
use crate::manifest::SegmentId;
use crate::model::{Span, TraceHint, TraceRow, cut_preview};
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::segment::{SegmentOptions, SegmentReader, describe};

/// So many traces of a root and two spans below it.
fn spans(traces: usize) -> RecordBatch {
    let mut spans = Vec::new();
    for trace in 0..traces {
        let long = format!(
            "{{\"question\":\"{trace} é {}\"}}",
            "why? ".repeat(trace % 300)
        );
        let texts = [
            (Some(long.clone()), Some(format!("\u{1}answer {trace}"))),
            (Some(String::new()), None),
            (None, (trace % 2 == 0).then(|| long.repeat(2))),
        ];
        for (at, (inputs, outputs)) in texts.into_iter().enumerate() {
            let hint = TraceHint {
                request_preview: inputs.as_deref().map(cut_preview),
                ..TraceHint::default()
            };
            spans.push(Span {
                trace_id: format!("{trace:032x}"),
                span_id: format!("{at:016x}"),
                parent_span_id: (at > 0).then(|| format!("{:016x}", 0)),
                hint: (at == 0).then_some(hint),
                inputs,
                outputs,
                attributes: "{}".into(),
                ..Span::default()
            });
        }
    }
    spans_batch(&spans).unwrap()
}

/// The traces of `spans`; every seventh has previews of its own.
fn traces(spans: &RecordBatch) -> RecordBatch {
    let (inputs, outputs) = (
        text(spans, "inputs").unwrap(),
        text(spans, "outputs").unwrap(),
    );
    let count = spans.num_rows() / 3;
    let rows: Vec<TraceRow> = (0..count)
        .map(|trace| TraceRow {
            trace_id: format!("{trace:032x}"),
            request_preview: match trace % 7 {
                0 => Some(format!("\u{1}said apart of {trace}")),
                1 => Some("\u{1}".into()),
                2 => None,
                _ => text_at(inputs, trace * 3).map(cut_preview),
            },
            response_preview: text_at(outputs, trace * 3).map(cut_preview),
            ..TraceRow::default()
        })
        .collect();
    let batch = traces_batch(&rows).unwrap();
    let run = |of: fn(usize) -> i64| -> ArrayRef {
        std::sync::Arc::new(Int64Array::from_iter_values((0..count).map(of)))
    };
    let mut columns = batch.columns().to_vec();
    for (name, column) in [
        ("_first_span_row", run(|trace| trace as i64 * 3)),
        ("_span_rows", run(|_| 3)),
    ] {
        columns[batch.schema().index_of(name).unwrap()] = column;
    }
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

fn fixture(count: usize) -> Fixture {
    let spans = spans(count);
    let traces = traces(&spans);
    Fixture::new(
        small(),
        vec![(Table::Spans, spans), (Table::Traces, traces)],
    )
}

#[test]
fn rows_are_what_was_written() {
    let fixture = fixture(900);
    for table in [Table::Spans, Table::Traces] {
        let rows: Vec<u32> = (0..fixture.reader.rows(table)).collect();
        for columns in [
            names(table),
            vec!["response_preview".into()],
            vec!["_hint".into(), "inputs".into()],
        ] {
            if table == Table::Traces && columns.len() == 2
                || table == Table::Spans && columns.len() == 1
            {
                continue;
            }
            fixture.check(table, &ScanRequest::columns(columns.clone()), None, &rows);
            let some: Vec<u32> = rows.iter().copied().filter(|row| row % 11 < 3).collect();
            let request = ScanRequest {
                rows: Some(some.iter().copied().collect()),
                ..ScanRequest::columns(columns)
            };
            fixture.check(table, &request, None, &some);
        }
    }
    let roots: RoaringBitmap = (0..900)
        .filter(|trace| trace % 2 == 0)
        .map(|trace| trace * 3)
        .collect();
    let columns = ["outputs", "_hint", "inputs"];
    let read = fixture
        .reader
        .read_rows(Table::Spans, &roots, &columns)
        .unwrap();
    let expected = fixture.expected(
        Table::Spans,
        &columns.map(String::from),
        &roots.iter().collect::<Vec<_>>(),
    );
    assert_eq!(read, expected);
}

#[test]
fn previews_of_root_spans_are_not_stored_again() {
    let fixture = fixture(900);
    let bytes = fixture
        .meta
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.len));
    let sizes: Vec<(&str, u64)> = bytes.collect();
    let without = Fixture::new(small(), fixture.batches.iter().rev().cloned().collect());
    let plain = without
        .meta
        .files
        .iter()
        .find(|file| file.name == "traces.parquet")
        .unwrap();
    let marked = sizes
        .iter()
        .find(|(name, _)| *name == "traces.parquet")
        .unwrap();
    assert!(
        marked.1 + 5000 < plain.len,
        "{marked:?} of {plain:?}: traces were written before the spans"
    );
    let rows: Vec<u32> = (0..900).collect();
    without.check(
        Table::Traces,
        &ScanRequest::columns(names(Table::Traces)),
        None,
        &rows,
    );
}

#[test]
fn previews_are_null_where_the_spans_are_given_up() {
    let fixture = fixture(100);
    let mut meta = fixture.meta.clone();
    meta.span_rows = 0;
    let reader = SegmentReader::open(fixture.env.clone(), DIR.into(), &meta, cache()).unwrap();
    let columns = ["request_preview", "response_preview"];
    let read = reader
        .read_rows(Table::Traces, &(0..100).collect(), &columns)
        .unwrap();
    let [requests, responses] = columns.map(|column| text(&read, column).unwrap().clone());
    assert_eq!(responses.null_count(), 100);
    let said: Vec<usize> = (0..100).filter(|row| requests.is_valid(*row)).collect();
    assert_eq!(said, (0..100).filter(|row| row % 7 < 2).collect::<Vec<_>>());
    assert_eq!(
        (requests.value(0), requests.value(1)),
        ("\u{1}said apart of 0", "\u{1}")
    );
}

#[test]
fn texts_of_roots_are_read_without_those_of_other_spans() {
    let mut lcg = Lcg(3);
    let mut text = |words: u64| {
        (0..words)
            .map(|_| format!("{:x} ", lcg.next()))
            .collect::<String>()
    };
    let span = |trace: usize, at: usize, inputs: String| Span {
        trace_id: format!("{trace:032x}"),
        span_id: format!("{trace:08x}{at:08x}"),
        parent_span_id: (at > 0).then(|| format!("{trace:08x}{:08x}", 0)),
        inputs: Some(inputs),
        ..Span::default()
    };
    let spans: Vec<Span> = (0..600)
        .map(|row| span(row / 2, row % 2, text(if row % 2 == 0 { 4 } else { 200 })))
        .collect();
    let fixture = Fixture::new(
        SegmentOptions::default(),
        vec![(Table::Spans, spans_batch(&spans).unwrap())],
    );
    let read = |rows: RoaringBitmap| {
        fixture
            .reader
            .read_rows(Table::Spans, &rows, &["inputs"])
            .unwrap();
        fixture.env.take_bytes_read()
    };
    read([0, 1].into_iter().collect());
    let roots = read((1..300).map(|trace| trace * 2).collect());
    let others = read((1..300).map(|trace| trace * 2 + 1).collect());
    assert!(
        roots * 10 < others,
        "{roots} bytes of roots, {others} of others"
    );
}

#[test]
fn hints_are_read_without_the_texts_of_other_spans() {
    let mut lcg = Lcg(3);
    let span = |row: usize, hint: bool, text: String| Span {
        trace_id: format!("{:032x}", row / 2),
        span_id: format!("{row:016x}"),
        parent_span_id: (!row.is_multiple_of(2)).then(|| format!("{:016x}", row - 1)),
        inputs: Some(text),
        hint: hint.then(|| TraceHint {
            tags: [("row".into(), row.to_string())].into(),
            ..TraceHint::default()
        }),
        ..Span::default()
    };
    let mut bytes = Vec::new();
    for others_too in [false, true] {
        let mut text = |words: u64| {
            (0..words)
                .map(|_| format!("{:x} ", lcg.next()))
                .collect::<String>()
        };
        let spans: Vec<Span> = (0..600)
            .map(|row| {
                span(
                    row,
                    row % 2 == 0 || others_too,
                    text(if row % 2 == 0 { 4 } else { 200 }),
                )
            })
            .collect();
        let batch = spans_batch(&spans).unwrap();
        let fixture = Fixture::new(SegmentOptions::default(), vec![(Table::Spans, batch)]);
        fixture
            .scan(Table::Spans, &ScanRequest::columns(["name"]), None)
            .unwrap();
        fixture.env.take_bytes_read();
        for rows in [
            (0..600).collect::<Vec<u32>>(),
            (0..300).map(|trace| trace * 2 + 1).collect(),
        ] {
            let request = ScanRequest {
                rows: Some(rows.iter().copied().collect()),
                ..ScanRequest::columns(["_hint"])
            };
            fixture.check(Table::Spans, &request, None, &rows);
            bytes.push(fixture.env.take_bytes_read());
        }
    }
    assert!(
        bytes[0] * 10 < bytes[2] && bytes[1] * 10 < bytes[3],
        "{bytes:?}"
    );
}

#[test]
fn another_format_is_named_before_its_columns_are_looked_at() {
    let path = Path::new(DIR).join("spans.parquet");
    let key = b"tracehouse.segment.format";
    let fixture = fixture(10);
    fixture.env.change(&path, |bytes| {
        let at = bytes
            .windows(key.len())
            .position(|window| window == key)
            .unwrap()
            + key.len();
        let value = bytes[at..].iter().position(|byte| *byte == b'4').unwrap();
        bytes[at + value] = b'1';
    });
    let error = describe(fixture.env.as_ref(), Path::new(DIR), SegmentId(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error
            .to_string()
            .contains("has format version 1, this build reads 3 and 4"),
        "{error}"
    );
}

#[test]
fn a_file_that_does_not_say_which_rows_are_roots_is_corrupt() {
    let path = Path::new(DIR).join("spans.parquet");
    let key = b"tracehouse.segment.roots";
    let fixture = fixture(10);
    fixture.env.change(&path, |bytes| {
        let at = bytes
            .windows(key.len())
            .position(|window| window == key)
            .unwrap()
            + key.len();
        bytes[at + 6..at + 10].fill(b'x');
    });
    let meta = describe(fixture.env.as_ref(), Path::new(DIR), SegmentId(1)).unwrap();
    let reader = SegmentReader::open(fixture.env.clone(), DIR.into(), &meta, cache()).unwrap();
    let error = reader
        .scan(Table::Spans, &ScanRequest::columns(["name"]), None)
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("root spans"), "{error}");
}

#[test]
fn a_small_read_of_payloads_holds_little() {
    let fixture = Fixture::new(SegmentOptions::default(), vec![(Table::Spans, spans(2000))]);
    let rows: RoaringBitmap = [0, 1000, 3000].into_iter().collect();
    let request = ScanRequest {
        rows: Some(rows),
        ..ScanRequest::columns(["inputs"])
    };
    let read = fixture.scan(Table::Spans, &request, None).unwrap();
    let texts: &StringViewArray = read.column(0).as_string_view();
    let held: usize = texts.data_buffers().iter().map(|buffer| buffer.len()).sum();
    assert!(held < 64 << 10, "{held}");
}
