//! Copies: a backup of a database in use, and an export for other programs.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracehouse::{ErrorKind, OpenOptions, Settings, backup, check};

use super::{filled, flip};
use crate::data;
use crate::support::{import_lines, number, open, sorted_rows};

const ALL: [&str; 4] = [
    "SELECT * FROM spans",
    "SELECT * FROM traces",
    "SELECT * FROM assessments",
    "SELECT * FROM dataset_records",
];

#[test]
fn a_backup_is_the_database() {
    let disk = filled();
    let copy = disk.path().with_extension("copy");
    let report = backup(disk.path(), &copy).unwrap();
    assert_eq!(
        (report.segments, report.log_records > 0),
        (2, true),
        "{report:?}"
    );
    assert!(check(&copy, true).unwrap().is_clean());
    let opened = open(&copy);
    for statement in ALL {
        assert_eq!(
            sorted_rows(&opened, statement),
            sorted_rows(&disk.db, statement),
            "{statement}"
        );
    }
    let error = disk.db.backup(&copy).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(
        crate::support::in_memory()
            .backup(copy.join("new"))
            .is_err()
    );
}

/// While it is written, sealed and merged all the time, a copy has what was acknowledged before.
#[test]
fn a_backup_beside_a_busy_writer_has_all_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.traces");
    let mut settings = Settings::default();
    settings.flush_bytes_max = 64 << 10;
    let db = OpenOptions::new().settings(settings).open(&path).unwrap();
    let lines = data::lines();
    let acknowledged = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..6 {
                // Other ids each time.
                let lines: Vec<String> = lines
                    .iter()
                    .map(|line| line.replace("\"a0", &format!("\"{}", round + 10)))
                    .collect();
                import_lines(&db, &lines);
                acknowledged.store(round + 1, Ordering::Release);
                if round % 2 == 1 {
                    db.compact().unwrap();
                }
            }
        });
        let mut copies = 0;
        while !writer.is_finished() {
            let copy = folder.path().join(format!("copy{copies}.traces"));
            let before = acknowledged.load(Ordering::Acquire);
            backup(&path, &copy).unwrap();
            let opened = open(&copy);
            let rounds = number(
                &opened,
                "SELECT count(DISTINCT substr(trace_id, 1, 2)) FROM spans",
            );
            assert!(rounds >= before as i64, "{rounds} of {before} rounds");
            assert!(opened.check(false).unwrap().is_clean());
            copies += 1;
        }
        assert!(copies > 0);
    });
}

#[test]
fn a_backup_does_not_copy_damage() {
    let disk = filled();
    let file = super::files_with(&disk.path(), "spans.parquet").remove(0);
    flip(&disk.path().join(&file));
    let copy = disk.path().with_extension("copy");
    let error = backup(disk.path(), &copy).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
    assert!(!copy.exists(), "what is not whole is not there");
    // A folder that was there stays, and is empty as before.
    fs::create_dir(&copy).unwrap();
    assert_eq!(
        backup(disk.path(), &copy).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(fs::read_dir(&copy).unwrap().count(), 0);
    fs::remove_dir(&copy).unwrap();
    assert_eq!(
        backup(disk.path().join("nowhere"), &copy)
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn an_export_that_fails_leaves_nothing() {
    let disk = filled();
    let file = super::files_with(&disk.path(), "spans.parquet").remove(0);
    flip(&disk.path().join(&file));
    let db = OpenOptions::new()
        .read_only(true)
        .open(disk.path())
        .unwrap();
    let folder = disk.path().with_extension("parquet");
    assert_eq!(
        db.export_parquet(&folder, "").unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    assert!(!folder.exists());
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("mine"), "kept").unwrap();
    assert_eq!(
        db.export_parquet(&folder, "").unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    let left: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["mine"]);
}

#[test]
fn an_export_has_the_rows_of_each_table() {
    let disk = filled();
    let folder = disk.path().with_extension("parquet");
    let rows = disk.db.export_parquet(&folder, "").unwrap();
    for (table, count) in &rows {
        assert_eq!(
            number(&disk.db, &format!("SELECT count(*) FROM {table}")),
            *count as i64
        );
        let bytes = fs::read(folder.join(format!("{table}.parquet"))).unwrap();
        assert_eq!(&bytes[..4], b"PAR1");
    }
    let error = disk.db.export_parquet(&folder, "").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let some = disk
        .db
        .export_parquet(folder.join("some"), "span_count > 4")
        .unwrap();
    let wanted = "SELECT count(*) FROM spans WHERE trace_id IN (SELECT trace_id FROM traces WHERE span_count > 4)";
    assert_eq!(number(&disk.db, wanted), some["spans"] as i64);
    assert!(some["spans"] > 0 && some["spans"] < rows["spans"]);
    assert!(
        disk.db
            .export_parquet(folder.join("none"), "nonsense")
            .is_err()
    );
}
