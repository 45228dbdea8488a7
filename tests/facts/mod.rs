//! The example data, imported whole, against the ground truth in its `facts.json`: nothing is computed
//! here that is not said there, and every figure that the database can say is compared.
//!
//! Not compared, as it is not stored: `totals.traces_in_several_requests` (the lines of the files are
//! no part of the data model), `bytes_gz` of a file, and the term rules `io`, `word`, `tokens` and
//! `tokens_json`, which restrict the text to some attribute keys (`any` and `tokens_any` are the rules
//! of `LIKE` and `MATCHES`).

mod counts;
mod searches;
mod terms;
mod top;
mod verdicts;

use serde_json::Value;

use crate::support::{
    Check, DiskDb, data_files, file_name, import_assessments, import_file, shared,
    without_computed_costs,
};

/// Everything in memory, as it is right after the import; texts also sealed without an index, and reopened
/// with one.
#[test]
fn figures_of_the_example_data() {
    let Some((disk, facts, mut check)) = imported() else {
        return;
    };
    assert_eq!(disk.db.stats().unwrap().segments, 0);
    for part in [
        counts::check,
        searches::check,
        verdicts::check,
        top::check,
        terms::check,
    ] {
        part(&disk.db, &facts, &mut check);
    }
    disk.db.seal().unwrap();
    terms::check(&disk.db, &facts, &mut check);
    disk.db.index_text().unwrap();
    let disk = disk.reopen(false, |_| {});
    terms::check(&disk.db, &facts, &mut check);
    check.finish();
}

/// Everything in one segment with its indexes.
#[test]
fn searches_of_the_example_data() {
    let Some((disk, facts, mut check)) = imported() else {
        return;
    };
    disk.db.compact().unwrap();
    disk.db.index_text().unwrap();
    let stats = disk.db.stats().unwrap();
    assert_eq!((stats.segments, stats.indexed_spans), (1, stats.spans));
    for part in [terms::check, searches::check, verdicts::check, top::check] {
        part(&disk.db, &facts, &mut check);
    }
    check.finish();
}

/// The example data in a database of its own, the reports of its import compared; the facts.
fn imported() -> Option<(DiskDb, Value, Check)> {
    let (files, folder) = (data_files()?, shared("data")?);
    let facts: Value =
        serde_json::from_slice(&std::fs::read(folder.join("facts.json")).unwrap()).unwrap();
    let (disk, mut check) = (DiskDb::new(), Check::default());
    // Facts of cost are of what was reported.
    without_computed_costs(&disk.db);
    for file in &files {
        let name = file_name(file);
        let (report, want) = (import_file(&disk.db, file), &facts["files"][&name]);
        let counts = (
            Some(report.traces),
            Some(report.spans),
            report.duplicate_spans,
        );
        check.equal(
            &name,
            counts,
            (want["traces"].as_u64(), want["spans"].as_u64(), 0),
        );
        // A line's end is no part of its request.
        let bytes = report.bytes + want["requests"].as_u64().unwrap();
        check.equal(
            &format!("bytes of {name}"),
            Some(bytes),
            want["bytes_json"].as_u64(),
        );
    }
    check.equal(
        "files",
        files.len(),
        facts["files"].as_object().unwrap().len(),
    );
    let report = import_assessments(&disk.db, &folder.join("assessments.jsonl"));
    check.equal(
        "assessments",
        Some(report.assessments),
        facts["assessments"]["rows"].as_u64(),
    );
    Some((disk, facts, check))
}
