//! Looking after a database: check and repair, copies, erase, retention, and processes that only read.

mod check;
mod copies;
pub mod erase;
mod readers;
mod repair;
mod retention;
mod text_damage;

use std::fs;
use std::path::{Path, PathBuf};

use tracehouse::{CheckReport, Database};

use crate::data;
use crate::support::{DiskDb, import_lines, open};

/// A database with the generated data: two segments, and rows in the log that change older ones.
pub fn filled() -> DiskDb {
    let disk = DiskDb::new();
    fill(&disk.db);
    disk
}

/// Fills a database with the generated data.
pub fn fill(db: &Database) {
    let lines = data::lines();
    import_lines(db, &lines[..lines.len() / 2]);
    db.seal().unwrap();
    import_lines(db, &lines[lines.len() / 2..]);
    db.import_assessments(data::assessments().as_bytes(), &Default::default())
        .unwrap();
    db.create_dataset("kept")
        .unwrap()
        .add_traces(&tracehouse::Search::new("").limit(3))
        .unwrap();
    db.seal().unwrap();
    db.index_text().unwrap();
    db.set_tags(&data::trace_id(0), [("later", "yes")]).unwrap();
    db.delete_traces(&[data::trace_id(3)]).unwrap();
    import_lines(db, &data::corrections());
}

/// All files below a folder, relative to it, sorted.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// The files whose path has this part.
pub fn files_with(root: &Path, part: &str) -> Vec<PathBuf> {
    files(root)
        .into_iter()
        .filter(|file| file.to_string_lossy().contains(part))
        .collect()
}

/// Changes one byte of a file in the middle.
pub fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.join(&file), target).unwrap();
    }
    for folder in [
        "wal",
        "tmp",
        "readers",
        "quarantine",
        "catalog",
        "kv",
        "seg",
        "manifest",
    ] {
        fs::create_dir_all(to.join(folder)).unwrap();
    }
}

/// Invariants of the findings that are damage of data or of an index.
pub fn damage(report: &CheckReport) -> Vec<&'static str> {
    let is_damage = |f: &&tracehouse::Finding| f.severity != tracehouse::Severity::Note;
    report
        .findings
        .iter()
        .filter(is_damage)
        .map(|finding| finding.invariant)
        .collect()
}

/// A closed copy of a filled database whose log has records, in a folder that goes away.
pub fn closed() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("care.traces");
    let db = open(&path);
    fill(&db);
    // Let go of it without sealing, so that the log keeps its records.
    drop(db);
    (folder, path)
}
