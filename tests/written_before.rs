//! Databases that an earlier version wrote (`tests/written_before`): they are opened and answer, and are written on.
//!
//! `version_3` was made before costs had a source: a segment with three spans and, in the log, an assessment and three
//! spans more. Indexes are left out, as they are made again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tracehouse::{Database, OpenOptions, check, repair};
use tracehouse_storage::store::FORMAT_VERSION;

use crate::support::{import_lines, number, open, quiet_settings, rows, search_ids};

fn fixture(folder: &Path) -> PathBuf {
    let path = folder.join("old.traces");
    // Folders that were empty, or had what is made again.
    for name in ["catalog", "kv", "tmp", "readers", "quarantine"] {
        fs::create_dir_all(path.join(name)).unwrap();
    }
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("written_before/version_3"),
        &path,
    );
    path
}

/// A copy of a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn format(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path.join("FORMAT")).unwrap()).unwrap()
}

/// What was stored by that version, wherever it lies.
fn ask(db: &Database, place: &str) {
    let costs = rows(
        db,
        "SELECT cost_usd, cost_source FROM spans WHERE name = 'chat' ORDER BY trace_id, span_id",
    );
    let (reported, none) = (json!([0.0125, "reported"]), json!([null, null]));
    let costs: Vec<Value> = costs
        .iter()
        .map(|row| json!([row["cost_usd"], row["cost_source"]]))
        .collect();
    assert_eq!(
        costs,
        [reported.clone(), none.clone(), reported, none],
        "{place}"
    );
    let ids = [
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "5bf92f3577b34da6a3ce929d0e0e4736",
    ];
    assert_eq!(
        search_ids(
            db,
            "trace.text MATCHES 'cost' AND span.outputs LIKE '%half is for cache'"
        )
        .len(),
        2
    );
    assert_eq!(search_ids(db, "feedback.good = true"), [ids[0]], "{place}");
    assert_eq!(
        number(
            db,
            "SELECT count(*) FROM spans WHERE cost_source = 'reported' AND model = 'gpt-4o'"
        ),
        2
    );
    assert_eq!(
        number(
            db,
            "SELECT count(*) FROM spans WHERE cost_source IS NULL AND inputs IS NOT NULL AND service_name = 'shop'"
        ),
        2
    );
    let trace = db.get_trace(ids[1]).unwrap();
    let sources: Vec<Option<&str>> = trace
        .spans
        .iter()
        .map(|span| span.cost_source.as_deref())
        .collect();
    assert_eq!(sources, [None, Some("reported"), None], "{place}");
}

#[test]
fn a_database_without_sources_of_costs_opens_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = fixture(folder.path());
    let reader = OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(&path)
        .unwrap();
    ask(&reader, "read only");
    drop(reader);
    assert_eq!(
        format(&path)["format_version"],
        3,
        "reading changes nothing"
    );
    let uuid = format(&path)["db_uuid"].clone();
    let db = open(&path);
    assert_eq!(format(&path)["db_uuid"], uuid);
    let versions = ["format_version", "reader_version_min", "writer_version_min"];
    assert_eq!(
        versions.map(|name| format(&path)[name].as_u64()),
        [Some(u64::from(FORMAT_VERSION)); 3]
    );
    ask(&db, "opened");
    db.seal().unwrap();
    ask(&db, "sealed beside the old segment");
    import_lines(&db, &crate::data::lines());
    ask(&db, "with new rows");
    db.compact().unwrap();
    ask(&db, "merged");
    db.close().unwrap();
    drop(db);
    assert!(check(&path, true).unwrap().is_clean());
    ask(&open(&path), "opened again");
}

#[test]
fn a_repair_raises_the_format_before_it_writes_segments() {
    let folder = tempfile::tempdir().unwrap();
    let path = fixture(folder.path());
    let segment = fs::read_dir(path.join("seg"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(segment.join("traces.parquet"), b"no longer what it was").unwrap();
    let report = repair(&path, true).unwrap();
    assert!(report.applied, "{report:?}");
    assert_eq!(format(&path)["reader_version_min"], FORMAT_VERSION);
    let db = open(&path);
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM spans WHERE cost_source = 'reported'"
        ),
        2
    );
    assert_eq!(number(&db, "SELECT count(*) FROM traces"), 2);
}
