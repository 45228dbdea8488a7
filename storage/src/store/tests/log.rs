//! The log: what is read of it, together or one by one, is what was written; and how long it gets.

use std::path::Path;
use std::sync::Arc;

use super::{append, check, feedback, options, span, trace_rows};
use crate::columns::spans_batch;
use crate::env::{Env, MemEnv, RealEnv};
use crate::model::TraceEdit;
use crate::schema::Table;
use crate::store::{Assess, Store, StoreOptions};

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
