//! The store through its own API: rows look the same in memory, sealed, compacted and reopened.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Assess, Compacted, Store, StoreOptions};
use crate::columns::{spans_batch, text, trace_at};
use crate::env::{Env, MemEnv, RealEnv};
use crate::interrupt::{CancelToken, Interrupt, lending};
use crate::model::{Assessment, AssessmentKind, Span, TraceEdit, TraceHint, TraceKey, TraceRow};
use crate::schema::Table;
use crate::snapshot::Snapshot;

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
    // Children first, some roots late, one span resent.
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
    let mut expected = trace_rows(&store.snapshot().unwrap());
    assert!(
        expected
            .iter()
            .all(|row| row.span_count == 3 && row.error_span_count == 1 && row.state == "OK")
    );
    check(&store, &expected);

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
    check(&store, &expected);

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
    check(&store, &expected);
    assert_eq!(
        store.snapshot().unwrap().visible_rows(Table::Assessments),
        1
    );

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

#[test]
fn rows_do_not_depend_on_where_they_are() {
    life_of_a_store(Arc::new(MemEnv::default()), true);
    life_of_a_store(Arc::new(MemEnv::default()), false);
    let dir = tempfile::tempdir().unwrap();
    life_of_a_store(Arc::new(RealEnv::new(dir.path().join("db"))), true);
}

#[test]
fn what_was_acknowledged_survives_without_close() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(dir.path().to_path_buf()));
    let mut expected = Vec::new();
    for round in 0..4 {
        let store = Store::open(env.clone(), options()).unwrap();
        check(&store, &expected);
        store
            .append_spans(spans_batch(&[span(round + 1, 0)]).unwrap())
            .unwrap();
        let edit = TraceEdit::set_tags([("round", round.to_string())]);
        let all = (0..=round)
            .map(|r| (format!("{:032x}", r + 1), edit.clone()))
            .collect();
        store.edit_traces(all).unwrap();
        expected = trace_rows(&store.snapshot().unwrap());
        assert_eq!(expected.len() as u32, round + 1);
        if round == 1 {
            store.seal().unwrap();
        }
    }
    check(&Store::open(env, options()).unwrap(), &expected);
}

/// Many small writes of every kind: some see what others wrote.
fn small_writes(store: &Store, random: &mut impl FnMut(u32) -> u32) {
    for _ in 0..random(120) {
        let (trace, number) = (1 + random(9), random(4));
        let id = format!("{trace:032x}");
        let applied = match random(10) {
            0..=5 => {
                let mut late = span(trace, number);
                // What was received, of which the hash is that tells a resend.
                late.attributes = format!("{{\"version\":{}}}", random(3));
                late.end_time_ns = late.end_time_ns.filter(|_| random(3) > 0);
                store.append_spans(spans_batch(&[late, span(1 + random(9), 1)]).unwrap())
            }
            6 | 7 => {
                let key = format!("key {}", random(3));
                let edit = match random(4) {
                    0 => TraceEdit::delete_tags([key]),
                    value => TraceEdit::set_tags([(key, format!("{value}"))]),
                };
                store.edit_traces(vec![(id, edit)])
            }
            8 => {
                let rows = vec![feedback(
                    trace,
                    &format!("a{}", random(4)),
                    &format!("{}", random(3)),
                )];
                store.assess(Assess {
                    rows,
                    check_existing: true,
                })
            }
            _ => store.delete_traces(vec![id]),
        };
        applied.unwrap();
    }
}

/// All visible rows of all tables, as text and sorted; where a row lies is not part of it.
fn all_rows(store: &Store) -> Vec<String> {
    let snapshot = store.snapshot().unwrap();
    let mut rows = Vec::new();
    for table in Table::ALL {
        let own = |column: &&str| !["_first_span_row", "_span_rows"].contains(column);
        let columns: Vec<&str> = table.columns().into_iter().filter(own).collect();
        for index in 0..snapshot.source_count() {
            let request = crate::scan::ScanRequest::columns(columns.iter().copied());
            for batch in snapshot.scan(index, table, &request).unwrap() {
                let batch = batch.unwrap();
                let values = |row| {
                    batch
                        .columns()
                        .iter()
                        .map(move |column| column.slice(row, 1))
                };
                rows.extend(
                    (0..batch.num_rows())
                        .map(|row| format!("{:?}", values(row).collect::<Vec<_>>())),
                );
            }
        }
    }
    rows.sort();
    rows
}

fn assert_same(found: &[String], expected: &[String], what: &str) {
    let different = found
        .iter()
        .zip(expected)
        .find(|(found, expected)| found != expected);
    assert!(
        different.is_none() && found.len() == expected.len(),
        "{what}: {different:#?}"
    );
}

#[test]
fn small_records_applied_together_are_as_those_applied_one_by_one() {
    for seed in 0..60_u32 {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let env: Arc<dyn Env> = Arc::new(MemEnv::default());
        let store = Store::open(env.clone(), options()).unwrap();
        small_writes(&store, &mut random);
        if random(2) == 0 {
            store.seal().unwrap();
        }
        let reader = Store::open(
            env.clone(),
            StoreOptions {
                read_only: true,
                ..options()
            },
        )
        .unwrap();
        small_writes(&store, &mut random);
        let expected = all_rows(&store);
        reader.refresh().unwrap();
        assert_same(
            &all_rows(&reader),
            &expected,
            &format!("seed {seed}, a reader that follows"),
        );
        drop((store, reader));
        let store = Store::open(env, options()).unwrap();
        assert_same(
            &all_rows(&store),
            &expected,
            &format!("seed {seed}, opened again"),
        );
    }
}

#[test]
fn the_log_is_sealed_before_it_has_many_records_or_files() {
    let log = |env: &MemEnv| {
        let files = crate::wal::list_files(env, Path::new("wal")).unwrap();
        let from = crate::manifest::Manifest::read(env, Path::new("manifest"))
            .unwrap()
            .replay_from;
        let mut records = 0_u64;
        crate::wal::replay(env, Path::new("wal"), from, &mut |_| {
            records += 1;
            Ok(())
        })
        .unwrap();
        (files.len(), records)
    };
    let bounded = |records: u64| StoreOptions {
        wal_records_max: records,
        wal_files_max: 4,
        ..options()
    };
    let env = Arc::new(MemEnv::default());
    let store = Store::open(env.clone(), bounded(20)).unwrap();
    for trace in 1..=95 {
        append(&store, trace).unwrap();
        assert!(log(&env).1 <= 10, "after {trace}: {:?}", log(&env));
    }
    assert_eq!(store.snapshot().unwrap().visible_rows(Table::Traces), 95);
    drop(store);
    // As single commands do: each opens, changes something, and ends without closing.
    for round in 0..30 {
        let store = Store::open(env.clone(), bounded(20_000)).unwrap();
        let edit = TraceEdit::set_tags([("round", round.to_string())]);
        store
            .edit_traces(vec![(format!("{:032x}", 1 + round % 3), edit)])
            .unwrap();
        assert!(log(&env).0 <= 5, "round {round}: {:?}", log(&env));
    }
    // What others left is sealed by the open.
    let store = Store::open(env.clone(), bounded(1)).unwrap();
    assert_eq!(log(&env).1, 0);
    let rows = trace_rows(&store.snapshot().unwrap());
    let rounds: Vec<&str> = rows
        .iter()
        .take(4)
        .filter_map(|row| row.tags.get("round"))
        .map(String::as_str)
        .collect();
    assert_eq!((rows.len(), rounds), (95, vec!["27", "28", "29"]));
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
fn a_second_writer_and_a_foreign_folder_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(dir.path().join("db")));
    let _store = Store::open(env.clone(), options()).unwrap();
    let second = Store::open(env, options()).unwrap_err();
    assert_eq!(second.kind(), crate::ErrorKind::Conflict);
    assert!(second.to_string().contains("pid"), "{second}");
    std::fs::create_dir(dir.path().join("other")).unwrap();
    std::fs::write(dir.path().join("other/file.txt"), "x").unwrap();
    let foreign =
        Store::open(Arc::new(RealEnv::new(dir.path().join("other"))), options()).unwrap_err();
    assert_eq!(foreign.kind(), crate::ErrorKind::InvalidInput);
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

/// A write that needs a damaged segment is refused and counted; it holds up neither other writes nor
/// the next open.
#[test]
fn a_write_over_a_damaged_segment_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(dir.path().to_path_buf()));
    let store = Store::open(env.clone(), options()).unwrap();
    store
        .append_spans(spans_batch(&[span(1, 0), span(1, 1)]).unwrap())
        .unwrap();
    store.close().unwrap();
    drop(store);
    let segment = std::fs::read_dir(dir.path().join("seg"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = segment.join("spans.parquet");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, vec![0; whole.len()]).unwrap();
    for round in 2..4 {
        let store = Store::open(env.clone(), options()).unwrap();
        let late = Span {
            name: "late".into(),
            ..span(1, 1)
        };
        let refused = store
            .append_spans(spans_batch(&[late]).unwrap())
            .unwrap_err();
        assert_eq!(refused.kind(), crate::ErrorKind::Corrupt);
        assert!(refused.to_string().contains("spans.parquet"), "{refused}");
        assert_eq!(store.stats().unwrap().refused_writes, 1);
        if round == 3 {
            store
                .append_spans(spans_batch(&[span(2, 0)]).unwrap())
                .unwrap();
        }
        store.close().unwrap();
    }
    std::fs::write(&file, whole).unwrap();
    let snapshot = Store::open(env, options()).unwrap().snapshot().unwrap();
    assert_eq!(
        (
            snapshot.visible_rows(Table::Spans),
            snapshot.visible_rows(Table::Traces)
        ),
        (3, 2)
    );
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

#[test]
fn spans_of_another_schema_do_not_reach_the_log() {
    let env: Arc<dyn Env> = Arc::new(MemEnv::default());
    let store = Store::open(env.clone(), options()).unwrap();
    let batch = spans_batch(&[span(1, 0)])
        .unwrap()
        .project(&[0, 1, 2])
        .unwrap();
    assert!(store.append_spans(batch).is_err());
    drop(store);
    assert!(Store::open(env, options()).is_ok());
}

#[test]
fn a_forked_process_is_refused() {
    let mut store = Store::open(Arc::new(MemEnv::default()), options()).unwrap();
    store
        .append_spans(spans_batch(&[span(1, 0)]).unwrap())
        .unwrap();
    Arc::get_mut(&mut store).unwrap().pid += 1;
    for error in [
        store.snapshot().unwrap_err(),
        store
            .append_spans(spans_batch(&[span(2, 0)]).unwrap())
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), crate::ErrorKind::Closed);
        assert!(error.to_string().contains("fork"), "{error}");
    }
}

#[test]
fn pins_of_living_readers_keep_files_and_those_of_dead_ones_do_not() {
    let env: Arc<dyn Env> = Arc::new(MemEnv::default());
    let store = Store::open(env.clone(), options()).unwrap();
    let folders = || env.list(Path::new("seg")).unwrap().len();
    for trace in 0..2 {
        store
            .append_spans(spans_batch(&[span(trace, 0)]).unwrap())
            .unwrap();
        store.seal().unwrap();
    }
    // A file that nobody holds locked is a dead reader's.
    drop(
        env.lock(Path::new("readers/dead"), "manifest version 0")
            .unwrap(),
    );
    let older = crate::readers::ReaderPin::take(&env, 1).unwrap();
    store.compact().unwrap();
    assert_eq!(folders(), 3);
    assert_eq!(
        env.list(Path::new("readers")).unwrap().len(),
        1,
        "the dead one is removed"
    );
    drop(older);
    let newer = crate::readers::ReaderPin::take(&env, u64::MAX).unwrap();
    store
        .append_spans(spans_batch(&[span(3, 0)]).unwrap())
        .unwrap();
    store.seal().unwrap();
    assert_eq!(
        folders(),
        2,
        "a reader of a newer version needs none of them"
    );
    drop(newer);
    assert!(env.list(Path::new("readers")).unwrap().is_empty());
}

/// A store that nobody seals, full after each write.
fn full_at_once(options: StoreOptions) -> Arc<Store> {
    let write_wait = Some(std::time::Duration::from_millis(20));
    let options = StoreOptions {
        flush_bytes_max: 1,
        write_wait,
        ..options
    };
    Store::open(Arc::new(MemEnv::default()), options).unwrap()
}

fn append(store: &Store, trace: u32) -> crate::Result<crate::store::Applied> {
    store.append_spans(spans_batch(&[span(trace, 0)]).unwrap())
}

#[test]
fn a_writer_that_has_waited_for_a_seal_is_refused_and_may_try_again() {
    let store = full_at_once(StoreOptions::default());
    append(&store, 1).unwrap();
    append(&store, 2).unwrap();
    let refused: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (3..7)
            .map(|trace| {
                scope.spawn({
                    let store = &store;
                    move || append(store, trace)
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap().unwrap_err())
            .collect()
    });
    for error in refused {
        assert_eq!(error.kind(), crate::ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("sealed"), "{error}");
    }
    assert_eq!(
        store.snapshot().unwrap().visible_rows(Table::Spans),
        2,
        "nothing of it is stored"
    );
    assert!(store.seal_frozen().unwrap());
    append(&store, 3).unwrap();
    assert_eq!(store.snapshot().unwrap().visible_rows(Table::Spans), 3);
}

#[test]
fn a_writer_that_waits_for_a_seal_gives_up_when_it_is_told_to() {
    let options = StoreOptions {
        flush_bytes_max: 1,
        ..StoreOptions::default()
    };
    let store = Store::open(Arc::new(MemEnv::default()), options).unwrap();
    append(&store, 1).unwrap();
    append(&store, 2).unwrap();
    let token = CancelToken::new();
    let interrupt = Interrupt::default().or(token.clone());
    let error = std::thread::scope(|scope| {
        let writer = scope.spawn(|| lending(interrupt, || append(&store, 3)));
        token.cancel();
        writer.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), crate::ErrorKind::Cancelled, "{error}");
    assert_eq!(store.snapshot().unwrap().visible_rows(Table::Spans), 2);
    store.seal_frozen().unwrap();
    append(&store, 3).unwrap();
}

#[test]
fn a_writer_waits_for_segments_to_be_merged_before_there_are_too_many() {
    let store = full_at_once(StoreOptions {
        segments_max: 2,
        ..StoreOptions::default()
    });
    for trace in 1..3 {
        append(&store, trace).unwrap();
        store.seal().unwrap();
    }
    append(&store, 3).unwrap();
    let error = append(&store, 4).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("merged"), "{error}");
    assert_eq!(
        store.compact_tier().unwrap().segments_before,
        2,
        "a merge is urgent before its tier is full"
    );
    append(&store, 4).unwrap();
    assert_eq!(store.snapshot().unwrap().visible_rows(Table::Spans), 4);
    assert_eq!(store.stats().unwrap().segments, 1);
}

#[test]
fn a_merge_has_no_more_rows_than_twice_the_size_limit() {
    let options = StoreOptions {
        segment_rows_max: 3,
        ..StoreOptions::default()
    };
    let store = Store::open(Arc::new(MemEnv::default()), options).unwrap();
    let seal_traces = |traces: std::ops::Range<u32>| {
        for trace in traces {
            append(&store, trace).unwrap();
            store.seal().unwrap();
        }
    };
    let segments = || -> Vec<u32> {
        let snapshot = store.snapshot().unwrap();
        let segments = snapshot
            .sources()
            .iter()
            .filter_map(|source| source.segment());
        segments.map(|segment| segment.meta().span_rows).collect()
    };
    seal_traces(1..17);
    // Six of one tier would be written again for little.
    assert_eq!(store.compact_tier().unwrap(), Compacted::default());
    assert_eq!(
        store.compact().unwrap(),
        Compacted {
            segments_before: 16,
            segments_after: 3
        }
    );
    assert_eq!(segments(), [6, 6, 4]);
    seal_traces(17..19);
    assert_eq!(
        store.compact().unwrap(),
        Compacted {
            segments_before: 2,
            segments_after: 1
        },
        "large ones rest"
    );
    assert_eq!(segments(), [6, 6, 4, 2]);
    store
        .delete_traces(vec![format!("{:032x}", 17), format!("{:032x}", 18)])
        .unwrap();
    store.seal().unwrap();
    assert_eq!(
        store.compact().unwrap(),
        Compacted {
            segments_before: 1,
            segments_after: 0
        }
    );
    assert_eq!(segments(), [6, 6, 4]);
    // Until they are mostly deleted.
    let delete = |traces: std::ops::Range<u32>| {
        store
            .delete_traces(traces.map(|trace| format!("{trace:032x}")).collect())
            .unwrap();
        store.seal().unwrap();
    };
    delete(1..4);
    assert_eq!(store.compact_tier().unwrap(), Compacted::default());
    delete(4..5);
    assert_eq!(
        store.compact_tier().unwrap(),
        Compacted {
            segments_before: 1,
            segments_after: 1
        }
    );
    assert_eq!(segments(), [2, 6, 4]);
    delete(7..13);
    assert_eq!(
        store.compact_tier().unwrap(),
        Compacted {
            segments_before: 1,
            segments_after: 0
        }
    );
    assert_eq!(segments(), [2, 4]);
}

#[test]
fn a_writer_that_waits_for_a_merge_does_not_keep_a_store_from_closing() {
    let options = StoreOptions {
        segments_max: 2,
        flush_bytes_max: 1,
        ..StoreOptions::default()
    };
    let store = Store::open(Arc::new(MemEnv::default()), options).unwrap();
    for trace in 1..3 {
        append(&store, trace).unwrap();
        store.seal().unwrap();
    }
    append(&store, 3).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| append(&store, 4));
        store.interrupt();
        writer.join().unwrap().unwrap();
    });
    store.close().unwrap();
    assert_eq!(store.snapshot().unwrap().visible_rows(Table::Spans), 4);
}

#[test]
fn readers_see_a_row_once_while_segments_are_merged_and_the_catalogue_changes() {
    let store = Store::open(Arc::new(MemEnv::default()), options()).unwrap();
    let spans: Vec<Span> = (1..6).map(|trace| span(trace, 0)).collect();
    store.append_spans(spans_batch(&spans).unwrap()).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let rows = spans_batch(&spans).unwrap();
            while !is_done.load(Ordering::Relaxed) {
                let file = store.write_catalog_file(&rows, "{}".into()).unwrap();
                let name = file.name.clone();
                store.commit_catalog(vec![file], Vec::new()).unwrap();
                store.commit_catalog(Vec::new(), vec![name]).unwrap();
            }
        });
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                assert_eq!(store.snapshot().unwrap().visible_rows(Table::Traces), 5);
            }
        });
        for round in 0..40 {
            let edit = TraceEdit::set_tags([("round", round.to_string())]);
            let all = (1..6)
                .map(|trace| (format!("{trace:032x}"), edit.clone()))
                .collect();
            store.edit_traces(all).unwrap();
            store.seal().unwrap();
            store.compact().unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert_eq!(trace_rows(&store.snapshot().unwrap()).len(), 5);
}
