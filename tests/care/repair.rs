//! `repair` makes a damaged database usable, loses no more than it says, and keeps copies.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tracehouse::{RepairReport, check, repair};

use super::{closed, damage, files_with, flip};
use crate::support::{number, open, sorted_rows, texts};

const ALL: [&str; 3] = [
    "SELECT trace_id, span_id, name, inputs, outputs, attributes FROM spans",
    "SELECT trace_id, name, state, span_count, tags, request_preview FROM traces",
    "SELECT assessment_id, trace_id, name, value FROM assessments",
];

fn rows(path: &Path) -> Vec<Vec<String>> {
    let db = open(path);
    ALL.iter()
        .map(|statement| sorted_rows(&db, statement))
        .collect()
}

/// Repairs; the database is clean then.
fn repaired(path: &Path) -> RepairReport {
    let plan = repair(path, false).unwrap();
    assert!(!plan.applied && !plan.actions.is_empty(), "{plan:?}");
    let done = repair(path, true).unwrap();
    assert!(done.applied, "{done:?}");
    assert_eq!(done.lost.spans, plan.lost.spans);
    let report = check(path, true).unwrap();
    assert!(report.is_clean(), "{report:?} after {done:?}");
    done
}

#[test]
fn a_clean_database_is_left_alone() {
    let (_folder, path) = closed();
    let truth = || {
        super::files(&path)
            .into_iter()
            .filter(|file| !file.starts_with("kv"))
            .collect::<Vec<_>>()
    };
    let before = truth();
    let report = repair(&path, true).unwrap();
    assert!(!report.applied && report.actions.is_empty(), "{report:?}");
    assert_eq!(truth(), before);
}

#[test]
fn a_damaged_segment_file_costs_its_rows_and_no_others() {
    for (table, at) in [("spans", 0), ("traces", 1), ("assessments", 2)] {
        let (_folder, path) = closed();
        let before = rows(&path);
        let file = files_with(&path, &format!("{table}.parquet"))
            .pop()
            .unwrap();
        flip(&path.join(&file));
        let done = repaired(&path);
        let lost = [done.lost.spans, done.lost.trace_rows, done.lost.assessments];
        assert!(lost[at] > 0, "{done:?}");
        assert_eq!(
            lost.iter().filter(|count| **count > 0).count(),
            1,
            "{done:?}"
        );
        assert!(
            !done.lost.trace_ids.is_empty() && done.lost.min_time_ns.is_some(),
            "{done:?}"
        );
        let copy = path.join(done.quarantine.as_ref().unwrap()).join(&file);
        assert!(copy.exists(), "{}", copy.display());
        let after = rows(&path);
        for (which, (before, after)) in before.iter().zip(&after).enumerate() {
            let missing = before.iter().filter(|row| !after.contains(row)).count() as u64;
            match which {
                // Trace rows are folded again from the spans that are left.
                1 => assert!(table != "assessments" || missing == 0, "{table}: {missing}"),
                _ if which == at => assert_eq!(missing, lost[at], "{table}"),
                _ => assert_eq!(missing, 0, "{table}"),
            }
        }
        let named: BTreeSet<String> = done.lost.trace_ids.into_iter().collect();
        let db = open(&path);
        for row in texts(&db, "SELECT trace_id FROM traces") {
            let whole = before[0].iter().filter(|span| span.contains(&row)).count();
            let left = after[0].iter().filter(|span| span.contains(&row)).count();
            assert!(
                whole == left || named.contains(&row),
                "{row} lost spans and is not named"
            );
        }
    }
}

#[test]
fn damaged_indexes_are_rebuilt_without_loss() {
    let (_folder, path) = closed();
    let before = rows(&path);
    let found = |path: &Path| sorted_rows(&open(path), "SELECT * FROM search_text('refund', 50)");
    let hits = found(&path);
    assert!(!hits.is_empty());
    for file in files_with(&path, ".term") {
        flip(&path.join(file));
    }
    let done = repaired(&path);
    assert_eq!(done.lost, tracehouse::Loss::default());
    assert_eq!(rows(&path), before);
    assert_eq!(found(&path), hits);
}

#[test]
fn a_lost_current_or_format_costs_nothing() {
    for name in ["manifest/CURRENT", "FORMAT"] {
        let (_folder, path) = closed();
        let before = rows(&path);
        fs::write(path.join(name), b"nonsense").unwrap();
        let done = repaired(&path);
        assert!(path.join(done.quarantine.unwrap()).join(name).exists());
        assert_eq!(rows(&path), before, "{name}");
    }
}

#[test]
fn a_manifest_that_is_gone_is_made_again_from_the_segments() {
    let (_folder, path) = closed();
    let spans = |rows: &[Vec<String>]| rows[0].clone();
    let before = rows(&path);
    for file in files_with(&path, "manifest") {
        fs::remove_file(path.join(file)).unwrap();
    }
    let report = check(&path, false).unwrap();
    assert_eq!(damage(&report)[0], "I2", "{report:?}");
    let done = repaired(&path);
    assert!(
        done.actions
            .iter()
            .any(|action| action.contains("stored again")),
        "{done:?}"
    );
    let after = rows(&path);
    let missing: Vec<_> = spans(&before)
        .into_iter()
        .filter(|row| !after[0].contains(row))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(before[2].iter().all(|row| after[2].contains(row)));
}

#[test]
fn a_damaged_log_keeps_what_can_be_read() {
    let (_folder, path) = closed();
    let log = files_with(&path, "wal").pop().unwrap();
    let mut bytes = fs::read(path.join(&log)).unwrap();
    // The first record after the head: a tag.
    bytes[36 + 40] ^= 1;
    fs::write(path.join(&log), bytes).unwrap();
    assert_eq!(damage(&check(&path, false).unwrap()), ["I6"]);
    assert!(tracehouse::Database::open(&path).is_err());
    let done = repaired(&path);
    assert!(!done.lost.log.is_empty(), "{done:?}");
    let db = open(&path);
    // The tag is lost; the delete and the correction behind it are not.
    assert_eq!(
        number(&db, "SELECT count(*) FROM tags WHERE key = 'later'"),
        0
    );
    assert!(db.get_trace(&crate::data::trace_id(3)).is_err());
    assert_eq!(
        number(&db, "SELECT count(*) FROM spans WHERE name = 'final'"),
        1
    );
}
