//! Traces whose root does not come: the top span stands in, and settling ends the waiting.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracehouse::model::Span;
use tracehouse::{Database, ImportOptions, OpenOptions, Search, Settings, TraceStart};

use super::{id, span};
use crate::data;
use crate::golden::{STATES, prepare};
use crate::support::{
    import_lines, in_memory, open, quiet_settings, rows, search_ids, sorted_rows,
};

/// Traces that wait for a root that is not there; one of the data has a root that has not ended.
const WAITING: &str = "state = 'IN_PROGRESS' AND span.parent_id IS NOT NULL";

/// All that a trace takes from its root.
const TAKEN: &str = "SELECT trace_id, name, state, experiment_id, service_name, session_id, user_id, request_preview, \
                     response_preview, inputs, outputs, tags, metadata, request_time, duration_ns, total_tokens, models \
                     FROM traces";

fn assert_same_without_roots(lines: &[String], what: &str) {
    let (whole, cut) = (in_memory(), in_memory());
    import_lines(&whole, lines);
    import_lines(&cut, &data::orphaned(lines));
    for (cut, whole) in sorted_rows(&cut, TAKEN)
        .iter()
        .zip(sorted_rows(&whole, TAKEN))
    {
        // A root that has not ended is in progress; a top span is settled.
        assert_eq!(cut, &whole.replace("\"IN_PROGRESS\"", "\"OK\""), "{what}");
    }
}

/// A trace reads the same when its root's parent is missing.
#[test]
fn what_a_root_says_a_top_span_says() {
    let lines = data::lines();
    assert_same_without_roots(&lines, "made up");
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("producers/recorded");
    let mut recordings: Vec<_> = std::fs::read_dir(recorded)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    recordings.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    for path in recordings {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<String> = text
            .lines()
            .filter(|line| line.contains("resourceSpans"))
            .map(str::to_string)
            .collect();
        // A root that announces another span names a parent of its own.
        if !lines.is_empty() && !text.contains("pending_span") {
            assert_same_without_roots(&lines, &path.display().to_string());
        }
    }
}

fn sent(trace: u32, number: u32, parent: u32, more: Value) -> String {
    let mut span = json!({
        "traceId": id(trace), "spanId": format!("{number:016x}"), "parentSpanId": format!("{parent:016x}"),
        "name": format!("span {number}"), "startTimeUnixNano": (1_000 + number).to_string(), "endTimeUnixNano": "5000",
        "attributes": [
            {"key": "input.value", "value": {"stringValue": format!("question {trace} {number}")}},
            {"key": "output.value", "value": {"stringValue": format!("answer {number}")}},
            {"key": "tag.tags", "value": {"arrayValue": {"values": [{"stringValue": format!("label {number}")}]}}},
        ],
    });
    span.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
}

/// Sends requests as an exporter does, one by one.
fn send(db: &Database, requests: &[String]) {
    for request in requests {
        db.import_otlp(request.as_bytes(), &ImportOptions::default())
            .unwrap();
    }
}

fn waiting(db: &Database) -> Vec<String> {
    let mut ids = search_ids(db, WAITING);
    ids.sort();
    ids
}

fn failed(more: Value) -> Value {
    let mut span = json!({"status": {"code": 2}});
    span.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    span
}

fn told(db: &Database, trace: u32) -> Value {
    let statement = format!(
        "SELECT name, state, inputs, outputs, request_preview, tags FROM traces WHERE trace_id = '{}'",
        id(trace)
    );
    rows(db, &statement).pop().unwrap()
}

fn of_span(trace: u32, number: u32, state: &str) -> Value {
    let question = format!("question {trace} {number}");
    json!({"name": format!("span {number}"), "state": state, "inputs": question, "outputs": format!("answer {number}"),
           "request_preview": question, "tags": {format!("label {number}"): "true"}})
}

/// In progress, in another process's hands, settled, and what came later; wherever the rows are.
#[test]
fn a_trace_without_a_root_waits_wherever_its_rows_are() {
    let early = [
        sent(1, 3, 2, json!({})),
        sent(2, 3, 2, json!({})),
        sent(5, 3, 2, json!({})),
    ];
    for state in STATES {
        let subject = prepare(state, &data::lines(), &|db| {
            send(db, &early);
            send(
                db,
                &[
                    sent(1, 2, 9, json!({})),
                    sent(3, 2, 9, failed(json!({"flags": 769}))),
                    sent(4, 2, 9, failed(json!({"flags": 257}))),
                ],
            );
            let dataset = db.create_dataset("waiting").unwrap();
            let added = dataset.add_traces(&Search::new(WAITING)).unwrap();
            assert_eq!((added.inserted, added.skipped), (4, 0), "{state:?}");
        });
        let db = subject.db();
        assert_eq!(told(db, 1), of_span(1, 2, "IN_PROGRESS"), "{state:?}");
        assert_eq!(told(db, 2), of_span(2, 3, "IN_PROGRESS"), "{state:?}");
        assert_eq!(
            told(db, 3),
            of_span(3, 2, "ERROR"),
            "{state:?}: its parent is remote"
        );
        assert_eq!(
            told(db, 4),
            of_span(4, 2, "IN_PROGRESS"),
            "{state:?}: its parent is here"
        );
        assert_eq!(waiting(db), [id(1), id(2), id(4), id(5)], "{state:?}");
        // A parent, and then the root, take over.
        send(
            db,
            &[
                sent(2, 2, 9, failed(json!({}))),
                sent(5, 9, 0, failed(json!({"parentSpanId": ""}))),
            ],
        );
        assert_eq!(told(db, 2), of_span(2, 2, "IN_PROGRESS"), "{state:?}");
        assert_eq!(told(db, 5), of_span(5, 9, "ERROR"), "{state:?}");
        assert_eq!(
            (db.settle().unwrap(), db.settle().unwrap()),
            (3, 0),
            "{state:?}"
        );
        // It stays settled when more comes.
        send(db, &[sent(1, 4, 2, json!({}))]);
        for (trace, want) in [(1, "OK"), (2, "ERROR"), (4, "ERROR")] {
            assert_eq!(told(db, trace), of_span(trace, 2, want), "{state:?}");
        }
        send(db, &[sent(1, 9, 0, failed(json!({"parentSpanId": ""})))]);
        assert_eq!(told(db, 1), of_span(1, 9, "ERROR"), "{state:?}");
        assert!(waiting(db).is_empty(), "{state:?}");
    }
}

/// A finished import settles what it touched, whenever that ended; others are settled when they are due.
#[test]
fn an_import_settles_what_it_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.traces");
    let mut settings = quiet_settings();
    settings.settle_after = Duration::from_secs(u64::MAX);
    let patient = OpenOptions::new().settings(settings).open(&path).unwrap();
    send(
        &patient,
        &[sent(1, 2, 9, json!({})), sent(2, 2, 9, json!({}))],
    );
    // The same span once more, a trace of its own, and a root before its child.
    let root = sent(4, 9, 0, json!({"parentSpanId": ""}));
    import_lines(
        &patient,
        &[
            sent(2, 2, 9, json!({})),
            sent(3, 2, 9, json!({})),
            root,
            sent(4, 2, 9, json!({})),
        ],
    );
    assert_eq!(waiting(&patient), [id(1)]);
    assert_eq!(
        (told(&patient, 2), told(&patient, 4)),
        (of_span(2, 2, "OK"), of_span(4, 9, "OK"))
    );
    drop(patient);
    // The log has it all.
    let db = open(&path);
    assert_eq!(waiting(&db), [id(1)]);
    let reader = OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(&path)
        .unwrap();
    assert!(reader.settle().is_err(), "readers never write");
    import_lines(&db, &[sent(5, 9, 0, json!({"parentSpanId": ""}))]);
    assert!(waiting(&db).is_empty(), "ended long ago");
    assert!(db.check(true).unwrap().is_clean());
}

/// What a client says of a trace in progress stands until a root comes.
#[test]
fn a_started_trace_is_in_progress_as_long_as_its_client_says_so() {
    let db = in_memory();
    db.start_trace(
        &TraceStart::new(id(1), 500)
            .state("IN_PROGRESS")
            .finalised(false),
    )
    .unwrap();
    import_lines(&db, &[sent(1, 2, 9, json!({"flags": 769}))]);
    assert_eq!(
        (db.settle().unwrap(), told(&db, 1)["state"].as_str()),
        (0, Some("IN_PROGRESS"))
    );
    send(&db, &[sent(1, 9, 0, json!({"parentSpanId": ""}))]);
    assert_eq!(told(&db, 1)["state"], "OK");
}

#[test]
fn a_thread_settles_what_ended_long_enough_ago() {
    let mut settings = Settings::default();
    settings.settle_after = Duration::from_millis(1);
    settings.threads = 1;
    let db = OpenOptions::new()
        .settings(settings)
        .open(":memory:")
        .unwrap();
    // One that ends in many years waits.
    let later = Span {
        end_time_ns: Some(4_000_000_000_000_000_000),
        ..span(2, 1)
    };
    db.append(&[span(1, 1), later]).unwrap();
    let started = Instant::now();
    while waiting(&db).len() > 1 {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "nobody settles"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(waiting(&db), [id(2)]);
    assert!(db.stats().unwrap().maintenance_failure.is_none());
    db.close().unwrap();
}
