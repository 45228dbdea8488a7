//! Merges: how much one writes again, whose files they keep, and what readers see meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{append, options, span, trace_rows};
use crate::columns::spans_batch;
use crate::env::{Env, MemEnv};
use crate::model::{Span, TraceEdit};
use crate::schema::Table;
use crate::store::{Compacted, Store, StoreOptions};

/// A merge that made so many segments of so many.
fn merged(segments_before: usize, segments_after: usize) -> Compacted {
    Compacted {
        segments_before,
        segments_after,
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
    assert_eq!(store.compact().unwrap(), merged(16, 3));
    assert_eq!(segments(), [6, 6, 4]);
    seal_traces(17..19);
    assert_eq!(store.compact().unwrap(), merged(2, 1), "large ones rest");
    assert_eq!(segments(), [6, 6, 4, 2]);
    store
        .delete_traces(vec![format!("{:032x}", 17), format!("{:032x}", 18)])
        .unwrap();
    store.seal().unwrap();
    assert_eq!(store.compact().unwrap(), merged(1, 0));
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
    assert_eq!(store.compact_tier().unwrap(), merged(1, 1));
    assert_eq!(segments(), [2, 6, 4]);
    delete(7..13);
    assert_eq!(store.compact_tier().unwrap(), merged(1, 0));
    assert_eq!(segments(), [2, 4]);
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
