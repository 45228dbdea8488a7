//! Importing the example data a second time adds nothing, and says so.

use tracehouse::Database;

use crate::support::{
    DiskDb, data_files, file_name, import_assessments, import_file, number, shared, sorted_rows,
};

#[test]
fn a_second_import_adds_nothing() {
    let (Some(files), Some(assessments)) = (data_files(), shared("data/assessments.jsonl")) else {
        return;
    };
    let disk = DiskDb::new();
    let mut spans = Vec::new();
    for (at, file) in files.iter().enumerate() {
        spans.push(import_file(&disk.db, file).spans);
        // Some of the first import in memory, some in segments.
        if at % 4 == 3 {
            disk.db.seal().unwrap();
        }
    }
    import_assessments(&disk.db, &assessments);
    let before = light_tables(&disk.db);
    for (file, spans) in files.iter().zip(&spans) {
        let report = import_file(&disk.db, file);
        let added = (report.traces, report.spans, report.duplicate_spans);
        assert_eq!(added, (0, 0, *spans), "{}", file_name(file));
    }
    assert_eq!(import_assessments(&disk.db, &assessments).assessments, 0);
    assert!(
        light_tables(&disk.db) == before,
        "the second import changed a table"
    );
    disk.db.compact().unwrap();
    let distinct = number(
        &disk.db,
        "SELECT count(*) FROM (SELECT DISTINCT trace_id, span_id FROM spans)",
    );
    assert_eq!(number(&disk.db, "SELECT count(*) FROM spans"), distinct);
    assert_eq!(distinct as u64, spans.iter().sum::<u64>());
}

/// The tables without their largest columns.
fn light_tables(db: &Database) -> [Vec<String>; 3] {
    [
        "SELECT * EXCEPT (inputs, outputs) FROM traces",
        "SELECT * EXCEPT (inputs, outputs, attributes, resource, events, links) FROM spans",
        "SELECT * FROM assessments",
    ]
    .map(|statement| sorted_rows(db, statement))
}
