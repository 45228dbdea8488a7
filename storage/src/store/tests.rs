//! The store through its own API: rows look the same in memory, sealed, compacted and reopened.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Assess, Store, StoreOptions};
use crate::columns::{spans_batch, text, trace_at};
use crate::env::{Env, MemEnv, RealEnv};
use crate::model::{Assessment, AssessmentKind, Span, TraceEdit, TraceHint, TraceKey, TraceRow};
use crate::schema::Table;
use crate::snapshot::Snapshot;

mod holds;
mod log;
mod merges;
mod refused;
mod waits;

fn options() -> StoreOptions {
    StoreOptions {
        inline_maintenance: true,
        ..StoreOptions::default()
    }
}

fn span(trace: u32, number: u32) -> Span {
    Span {
        trace_id: format!("{trace:032x}"),
        span_id: format!("{number:016x}"),
        parent_span_id: (number > 0).then(|| format!("{:016x}", 0)),
        experiment_id: "0".into(),
        name: format!("span {number}"),
        span_type: "LLM".into(),
        kind: "INTERNAL".into(),
        status: if number == 2 { "ERROR" } else { "OK" }.into(),
        start_time_ns: i64::from(trace) * 1000 + i64::from(number),
        end_time_ns: Some(i64::from(trace) * 1000 + 500),
        input_tokens: Some(i64::from(number)),
        inputs: Some(format!("{{\"q\": \"trace {trace} span {number}\"}}")),
        attributes: "{}".into(),
        resource: "{}".into(),
        hint: (number == 0).then(|| TraceHint {
            request_preview: Some(format!("trace {trace}")),
            tags: BTreeMap::from([("env".into(), "prod".into())]),
            ..TraceHint::default()
        }),
        ..Span::default()
    }
}

fn append(store: &Store, trace: u32) -> crate::Result<crate::store::Applied> {
    store.append_spans(spans_batch(&[span(trace, 0)]).unwrap())
}

fn trace_rows(snapshot: &Snapshot) -> Vec<TraceRow> {
    let columns = Table::Traces.columns();
    let mut rows = Vec::new();
    for index in 0..snapshot.source_count() {
        let request = crate::scan::ScanRequest::columns(columns.iter().copied());
        for batch in snapshot.scan(index, Table::Traces, &request).unwrap() {
            let batch = batch.unwrap();
            rows.extend((0..batch.num_rows()).map(|row| trace_at(&batch, row).unwrap()));
        }
    }
    rows.sort_by(|a, b| a.trace_id.cmp(&b.trace_id));
    rows
}

fn root_inputs(snapshot: &Snapshot, trace: u32) -> Option<String> {
    let key = TraceKey::of(&format!("{trace:032x}"));
    let row = snapshot.find_trace(key).unwrap()?;
    let batch = snapshot
        .read_rows(Table::Traces, &[row], &["trace_id", "inputs"])
        .unwrap();
    crate::columns::text_at(text(&batch, "inputs").unwrap(), 0).map(str::to_string)
}

fn check(store: &Store, expected: &[TraceRow]) {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(trace_rows(&snapshot), expected);
    assert_eq!(snapshot.visible_rows(Table::Traces), expected.len() as u64);
    let spans: i64 = expected.iter().map(|row| row.span_count).sum();
    assert_eq!(snapshot.visible_rows(Table::Spans), spans as u64);
    for row in expected {
        let trace = u32::from_str_radix(&row.trace_id, 16).unwrap();
        assert_eq!(
            root_inputs(&snapshot, trace).unwrap(),
            format!("{{\"q\": \"trace {trace} span 0\"}}")
        );
    }
}

fn feedback(trace: u32, id: &str, value: &str) -> Assessment {
    Assessment {
        assessment_id: id.into(),
        trace_id: format!("{trace:032x}"),
        span_id: None,
        name: "ok".into(),
        kind: AssessmentKind::Feedback,
        value: value.into(),
        source_type: "HUMAN".into(),
        source_id: None,
        rationale: None,
        error_code: None,
        error_message: None,
        metadata: BTreeMap::new(),
        overrides: None,
        valid: true,
        created_at_ns: 1,
        updated_at_ns: 1,
    }
}

/// Late spans, resends, edits and deletes across seals; the rows never depend on where things are.
fn life_of_a_store(env: Arc<dyn Env>, durable: bool) {
    let options = StoreOptions {
        durable,
        ..options()
    };
    let store = Store::open(env.clone(), options.clone()).unwrap();
    let mut expected = traces_of_late_spans(&store);
    check(&store, &expected);
    edit_one(&store, &mut expected);
    check(&store, &expected);
    judge_and_delete(&store, &mut expected);

    let pinned = store.snapshot().unwrap();
    store.compact().unwrap();
    check(&store, &expected);
    store.seal().unwrap();
    store.compact().unwrap();
    check(&store, &expected);
    assert_eq!(store.stats().unwrap().segments, 1);
    assert_eq!(trace_rows(&pinned), expected, "a snapshot keeps its files");
    drop(pinned);
    if durable {
        drop(store);
        check(&Store::open(env, options).unwrap(), &expected);
    }
}

/// Children first and sealed, some roots late, one span resent; the rows of their traces.
fn traces_of_late_spans(store: &Store) -> Vec<TraceRow> {
    let early: Vec<Span> = (1..20)
        .flat_map(|trace| [span(trace, 2), span(trace, 1)])
        .collect();
    let applied = store.append_spans(spans_batch(&early).unwrap()).unwrap();
    assert_eq!((applied.spans, applied.duplicate_spans), (38, 0));
    store.seal().unwrap();
    let late: Vec<Span> = (1..20)
        .flat_map(|trace| [span(trace, 0), span(trace, 1)])
        .collect();
    let applied = store.append_spans(spans_batch(&late).unwrap()).unwrap();
    assert_eq!(
        (
            applied.spans,
            applied.duplicate_spans,
            applied.conflicting_spans
        ),
        (19, 19, 0)
    );
    let rows = trace_rows(&store.snapshot().unwrap());
    assert!(
        rows.iter()
            .all(|row| row.span_count == 3 && row.error_span_count == 1 && row.state == "OK")
    );
    rows
}

/// Edits a trace after a seal, and one that is not there.
fn edit_one(store: &Store, expected: &mut [TraceRow]) {
    let edit = TraceEdit {
        tags: BTreeMap::from([("env".into(), None), ("team".into(), Some("a".into()))]),
        ..TraceEdit::default()
    };
    let target = expected[3].trace_id.clone();
    store.seal().unwrap();
    assert_eq!(
        store
            .edit_traces(vec![(target, edit.clone()), ("nope".into(), edit.clone())])
            .unwrap()
            .traces,
        1
    );
    expected[3].apply(edit);
}

/// Judges two traces, over and over, and deletes one of them.
fn judge_and_delete(store: &Store, expected: &mut Vec<TraceRow>) {
    let gone = expected.remove(5).trace_id;
    let judged = Assess {
        rows: vec![feedback(6, "a-1", "true"), feedback(7, "a-2", "1")],
        check_existing: true,
    };
    assert_eq!(store.assess(judged.clone()).unwrap().assessments, 2);
    assert_eq!(
        store.assess(judged.clone()).unwrap().assessments,
        0,
        "equal assessments are left alone"
    );
    store.seal().unwrap();
    assert_eq!(store.assess(judged).unwrap().assessments, 0);
    assert_eq!(store.delete_traces(vec![gone]).unwrap().traces, 1);
    check(store, expected);
    assert_eq!(
        store.snapshot().unwrap().visible_rows(Table::Assessments),
        1
    );
}

#[test]
fn rows_do_not_depend_on_where_they_are() {
    life_of_a_store(Arc::new(MemEnv::default()), true);
    life_of_a_store(Arc::new(MemEnv::default()), false);
    let dir = tempfile::tempdir().unwrap();
    life_of_a_store(Arc::new(RealEnv::new(dir.path().join("db"))), true);
}

#[test]
fn a_missing_metadata_store_changes_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(dir.path().to_path_buf()));
    let store = Store::open(env.clone(), options()).unwrap();
    let spans: Vec<Span> = (0..50)
        .flat_map(|trace| [span(trace, 0), span(trace, 1)])
        .collect();
    store.append_spans(spans_batch(&spans).unwrap()).unwrap();
    let expected = trace_rows(&store.snapshot().unwrap());
    store.close().unwrap();
    drop(store);
    env.remove_dir_all(Path::new("kv")).unwrap();
    check(&Store::open(env, options()).unwrap(), &expected);
}

#[test]
fn a_late_report_of_an_open_span_does_not_reopen_it() {
    let ended = span(1, 0);
    let open = Span {
        end_time_ns: None,
        ..span(1, 0)
    };
    let orders: [&[&Span]; 4] = [
        &[&open, &ended],
        &[&ended, &open],
        &[&open, &ended, &open],
        &[&ended],
    ];
    for (batched, order) in [false, true]
        .into_iter()
        .flat_map(|batched| orders.map(|order| (batched, order)))
    {
        let store = Store::open(Arc::new(MemEnv::default()), options()).unwrap();
        let spans: Vec<Span> = order.iter().map(|span| (*span).clone()).collect();
        if batched {
            store.append_spans(spans_batch(&spans).unwrap()).unwrap();
        } else {
            for span in &spans {
                store
                    .append_spans(spans_batch(std::slice::from_ref(span)).unwrap())
                    .unwrap();
                store.seal().unwrap();
            }
        }
        let rows = trace_rows(&store.snapshot().unwrap());
        assert_eq!(
            (rows.len(), rows[0].span_count, rows[0].end_time_ns),
            (1, 1, ended.end_time_ns),
            "{batched}"
        );
    }
}

/// An assessment of another trace with the same id is another one, sealed or not (QU-1).
#[test]
fn an_assessment_replaces_those_of_its_trace_only() {
    for seals in [false, true] {
        let store = Store::open(Arc::new(MemEnv::default()), options()).unwrap();
        for trace in [1, 2] {
            let rows = vec![feedback(trace, "a-1", "true")];
            store
                .assess(Assess {
                    rows,
                    check_existing: true,
                })
                .unwrap();
            if seals {
                store.seal().unwrap();
            }
        }
        assert_eq!(
            store.snapshot().unwrap().visible_rows(Table::Assessments),
            2,
            "sealed: {seals}"
        );
    }
}
