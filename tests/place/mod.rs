//! A database is a folder, not a path: what happens when the folder is renamed, removed, copied or reached in
//! another way while processes have it open; and who leaves what behind in it.
//!
//! The outcome is the same everywhere: both databases are whole, each has every trace that was acknowledged to
//! it and none of the other's, and what cannot be done is a typed error.

mod clock;
mod embedded;
mod moved;
mod reading;
mod refused;

use std::collections::BTreeSet;
use std::path::Path;

use tracehouse::{Database, ImportOptions, OpenOptions};

use crate::support::{quiet_settings, texts};

/// A trace of one span whose name tells what database it is of.
fn line(of: &str, at: usize) -> String {
    let prefix = if of == "old" { "0" } else { "f" };
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{prefix}{:031x}","spanId":"{:016x}","name":"{of} {at}","startTimeUnixNano":"1740787200000000000","endTimeUnixNano":"1740787200000001000","attributes":[{{"key":"input.value","value":{{"stringValue":"text of {of} {at}"}}}}]}}]}}]}}]}}"#,
        at + 1,
        at + 1
    )
}

/// Adds traces of these numbers.
fn add(db: &Database, of: &str, numbers: std::ops::Range<usize>) {
    for at in numbers {
        db.import_otlp(line(of, at).as_bytes(), &ImportOptions::default())
            .unwrap();
    }
}

/// Closes and lets go of it, and with it of the lock.
fn close(db: Database) {
    db.close().unwrap();
}

/// Groups some 34 MB: within 24 for everything it spills, or fails where it cannot.
const SPILLS: &str = "SELECT count(*), max(n) FROM (\
    SELECT repeat(b.span_id, 20) || a.span_id || c.id AS text, count(*) AS n \
    FROM spans a CROSS JOIN spans b CROSS JOIN (SELECT span_id AS id FROM spans LIMIT 6) c GROUP BY 1)";
const SPILLS_AT_BYTES: usize = 24 << 20;

/// Opens to read only.
fn reader(path: &Path) -> Database {
    OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(path)
        .unwrap()
}

/// The database has exactly these traces, by every way of asking, and no damage.
fn assert_has(db: &Database, of: &str, count: usize) {
    let names: BTreeSet<String> = texts(db, "SELECT name FROM spans").into_iter().collect();
    let wanted: BTreeSet<String> = (0..count).map(|at| format!("{of} {at}")).collect();
    assert_eq!(names, wanted);
    assert_eq!(crate::support::search_ids(db, "").len(), count);
    let hits = db.search_text(of, count + 1).unwrap().hits;
    assert_eq!(hits.len(), count);
    let report = db.check(true).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// The same of a closed database, by other handles.
fn assert_whole(path: &Path, of: &str, count: usize) {
    let report = tracehouse::check(path, true).unwrap();
    assert!(report.is_clean(), "{}: {report:?}", path.display());
    assert_has(&reader(path), of, count);
    let db = crate::support::open(path);
    assert_has(&db, of, count);
    db.close().unwrap();
}

/// What other libraries are kept from doing was found in these versions. With others: does tantivy still find out
/// the path of its folder only once (`text/held_directory.rs`)? Does sled still panic before 1970
/// (`kv/sled_kv.rs`), and chrono's `Utc::now`, which DataFusion calls (`query/src/runtime.rs`)? Does sled still
/// keep its threads (docs/limits.md, `embedded.rs`)?
#[test]
fn workarounds_are_for_these_versions() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    for (name, version) in [
        ("tantivy", "0.27."),
        ("sled", "0.34.7"),
        ("chrono", "0.4."),
        ("datafusion", "55."),
    ] {
        let entry = format!("\nname = \"{name}\"\nversion = \"{version}");
        assert!(
            lock.contains(&entry),
            "{name} is no longer {version}: are the workarounds still needed?"
        );
    }
}
