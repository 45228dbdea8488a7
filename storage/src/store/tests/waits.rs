//! Writers that wait: for a seal, for a merge, until they are refused, told to give up, or the store closes.

use std::sync::Arc;

use super::append;
use crate::env::MemEnv;
use crate::interrupt::{CancelToken, Interrupt, lending};
use crate::schema::Table;
use crate::store::{Store, StoreOptions};

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
