//! `check` finds what was damaged, names it, and finds nothing where nothing was.

use std::fs;

use tracehouse::{ErrorKind, check};

use super::{closed, copy, damage, files, files_with, filled, flip};
use crate::support::{number, open};

#[test]
fn an_undamaged_database_is_clean_in_every_state() {
    let disk = filled();
    assert!(
        disk.db.check(true).unwrap().is_clean(),
        "{:?}",
        disk.db.check(true)
    );
    let beside = check(disk.path(), true).unwrap();
    assert!(beside.is_clean(), "beside a writer: {beside:?}");
    disk.db.compact().unwrap();
    assert!(
        disk.db.check(true).unwrap().is_clean(),
        "{:?}",
        disk.db.check(true)
    );
    let disk = disk.reopen(true, |path| {
        let report = check(path, true).unwrap();
        assert!(report.is_clean(), "closed: {report:?}");
        assert!(
            report.bytes_hashed > 0 && report.traces_folded > 20,
            "{report:?}"
        );
    });
    assert!(disk.db.check(false).unwrap().is_clean());
    let memory = crate::support::in_memory();
    super::fill(&memory);
    assert!(
        memory.check(true).unwrap().is_clean(),
        "{:?}",
        memory.check(true)
    );
}

#[test]
fn every_damaged_truth_file_is_found() {
    let (folder, path) = closed();
    let truth = |file: &std::path::Path| {
        let text = file.to_string_lossy();
        !text.contains("/text/") && !text.starts_with("kv") && text != "LOCK"
    };
    let all: Vec<_> = files(&path)
        .into_iter()
        .filter(|file| truth(file))
        .collect();
    assert!(all.len() > 9, "{all:?}");
    for (number, file) in all.iter().enumerate() {
        for (way, change) in [("flip", 0), ("cut", 1), ("remove", 2)] {
            let copied = folder.path().join(format!("{number}-{change}.traces"));
            copy(&path, &copied);
            let target = copied.join(file);
            match change {
                0 => flip(&target),
                1 => {
                    let bytes = fs::read(&target).unwrap();
                    fs::write(&target, &bytes[..bytes.len() * 2 / 3]).unwrap();
                }
                _ => fs::remove_file(&target).unwrap(),
            }
            let report = check(&copied, true).unwrap();
            let is_log = file.starts_with("wal");
            let is_head = file.starts_with("manifest");
            // A cut or flipped end of the newest log or manifest file is what a power cut leaves.
            let may_be_torn = (is_log || is_head) && way != "remove";
            // An open beside a missing FORMAT is no open at all, and says so.
            assert!(
                !report.is_clean() || may_be_torn,
                "{way} {}: {report:?}",
                file.display()
            );
        }
    }
}

#[test]
fn damaged_indexes_are_told_from_damaged_data() {
    let (_folder, path) = closed();
    let terms = files_with(&path, ".term").remove(0);
    flip(&path.join(&terms));
    let report = check(&path, true).unwrap();
    assert_eq!(damage(&report), ["I11"], "{report:?}");
    assert_eq!(report.findings[0].severity, tracehouse::Severity::Derived);
}

#[test]
fn queries_that_touch_a_damaged_segment_name_it_and_others_go_on() {
    let (_folder, path) = closed();
    let spans = files_with(&path, "spans.parquet");
    let whole = {
        let db = open(&path);
        let whole = number(&db, "SELECT count(*) FROM traces");
        // Sealed and closed: a replay that changes rows of the damaged segment would need to read it.
        db.close().unwrap();
        whole
    };
    fs::remove_file(path.join(&spans[1])).unwrap();
    let db = open(&path);
    assert_eq!(
        number(&db, "SELECT count(*) FROM traces"),
        whole,
        "traces are in files of their own"
    );
    let error = db.sql("SELECT count(span_id) FROM spans").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(
        error.to_string().contains(spans[1].to_str().unwrap()),
        "{error}"
    );
    let first = crate::data::trace_id(1);
    assert!(db.get_trace(&first).is_ok(), "a trace of the other segment");
}

#[test]
fn a_folder_that_is_no_database_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        check(folder.path(), false).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
