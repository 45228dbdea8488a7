//! What is refused: a second writer, a foreign folder, a damaged segment, a forked process.

use std::sync::Arc;

use super::{options, span};
use crate::columns::spans_batch;
use crate::env::{Env, MemEnv, RealEnv};
use crate::model::Span;
use crate::schema::Table;
use crate::store::Store;

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
