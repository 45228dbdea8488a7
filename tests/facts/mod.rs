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

use std::time::Instant;

use serde_json::Value;
use tracehouse::Database;

use crate::support::{Check, DiskDb, data_files, file_name, import_assessments, import_file, shared};

#[test]
fn every_figure_of_the_example_data() {
    let (Some(files), Some(folder)) = (data_files(), shared("data")) else { return };
    let facts: Value = serde_json::from_slice(&std::fs::read(folder.join("facts.json")).unwrap()).unwrap();
    let disk = DiskDb::new();
    let mut check = Check::default();
    for file in &files {
        let report = import_file(&disk.db, file);
        let want = &facts["files"][file_name(file)];
        check.equal(
            &file_name(file),
            (Some(report.traces), Some(report.spans), report.duplicate_spans),
            (want["traces"].as_u64(), want["spans"].as_u64(), 0),
        );
        // A line's end is no part of its request.
        let bytes = report.bytes + want["requests"].as_u64().unwrap();
        check.equal(&format!("bytes of {}", file_name(file)), Some(bytes), want["bytes_json"].as_u64());
    }
    check.equal("files", files.len(), facts["files"].as_object().unwrap().len());
    let report = import_assessments(&disk.db, &folder.join("assessments.jsonl"));
    check.equal("assessments", Some(report.assessments), facts["assessments"]["rows"].as_u64());
    all(&disk.db, &facts, &mut check, "fresh");
    disk.db.compact().unwrap();
    all(&disk.db, &facts, &mut check, "compacted");
    eprintln!("{} comparisons", check.finish());
}

fn all(db: &Database, facts: &Value, check: &mut Check, state: &str) {
    for (name, part) in [
        ("counts", counts::check as fn(&Database, &Value, &mut Check)),
        ("searches", searches::check),
        ("terms", terms::check),
        ("verdicts", verdicts::check),
        ("top", top::check),
    ] {
        let started = Instant::now();
        part(db, facts, check);
        eprintln!("{state} {name}: {:.1} s", started.elapsed().as_secs_f64());
    }
}
