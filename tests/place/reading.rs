//! Reading writes nothing: names, sizes, times and numbers of all files are the same after each command that
//! only reads, whatever state it finds; pins come and go. Nor does it take the writer's lock.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tracehouse::{Database, Search};

use crate::care::{closed, files, filled};
use crate::command_line::{Ended, tracehouse};
use crate::data;
use crate::power::Mounted;
use crate::support::open;

/// What can be seen of a file: size, time of the last change, and its number.
type Seen = (u64, i64, i64, u64);

/// All files but pins.
fn seen(path: &Path) -> BTreeMap<PathBuf, Seen> {
    let all = files(path)
        .into_iter()
        .filter(|file| !file.starts_with("readers"));
    all.map(|file| {
        let is = fs::metadata(path.join(&file)).unwrap();
        (file, (is.size(), is.mtime(), is.mtime_nsec(), is.ino()))
    })
    .collect()
}

/// Each command that only reads, with the database's folder left out as `DB`.
fn commands(out: &Path) -> Vec<Vec<String>> {
    let trace = data::trace_id(0);
    let words = |line: &str| line.split('|').map(str::to_string).collect::<Vec<String>>();
    let out = out.display();
    [
        "search|DB|--count",
        "search|DB|state = 'ERROR'|--explain|--analyze",
        "text|DB|refund",
        "sql|DB|SELECT model, count(*), max(inputs) FROM spans GROUP BY model ORDER BY 2",
        &format!("show|DB|{trace}"),
        "stats|DB",
        "sessions|DB",
        "metrics|DB|traces|trace_count",
        "dataset|list|DB",
        "dataset|show|DB|kept",
        "dataset|sample|DB|kept|--count|1",
        "dataset|diff|DB|kept",
        &format!("dataset|export|DB|kept|--format|jsonl|--output|{out}/kept.jsonl"),
        "check|DB",
        "check|DB|--deep",
        &format!("export|DB|{out}/tables"),
        "redaction|DB",
        "delete|DB|--where|state = 'OK'|--dry-run",
        "retain|DB|--max-traces|1|--dry-run",
        &format!("backup|DB|{out}/copy.traces"),
        "shell|DB",
    ]
    .iter()
    .map(|line| words(line))
    .collect()
}

fn run(command: &[String], db: &Path) -> Ended {
    let arguments: Vec<&str> = command
        .iter()
        .map(|word| {
            if word == "DB" {
                db.to_str().unwrap()
            } else {
                word
            }
        })
        .collect();
    if arguments[0] != "shell" {
        return tracehouse(&arguments);
    }
    let mut shell = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell
        .stdin
        .take()
        .unwrap()
        .write_all(b"SELECT count(*) FROM spans;\n.search\n.text refund\n")
        .unwrap();
    let done = shell.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: done.status.code().unwrap(),
        out: text(done.stdout),
        err: text(done.stderr),
    }
}

/// A second version of the dataset, to compare with.
fn add_version(db: &Database) {
    db.dataset("kept")
        .unwrap()
        .add_traces(&Search::new("").limit(5))
        .unwrap();
}

/// Runs each command; none changes a file, and none fails.
fn assert_unchanged(db: &Path, state: &str) {
    let before = seen(db);
    for command in commands(tempfile::tempdir().unwrap().path()) {
        let done = run(&command, db);
        assert_eq!(done.code, 0, "{state}: {command:?}: {done:?}");
        assert_eq!(seen(db), before, "{state}: {command:?}");
        assert_eq!(
            fs::read_dir(db.join("readers")).unwrap().count(),
            0,
            "{state}: {command:?}"
        );
        assert_eq!(
            fs::read_dir(db.join("tmp")).unwrap().count(),
            0,
            "{state}: {command:?}"
        );
    }
}

#[test]
fn reading_changes_no_file() {
    // The log has records, as a killed writer leaves them.
    let (_folder, path) = closed();
    add_version(&open(&path));
    assert_unchanged(&path, "with a log to replay");
    open(&path).close().unwrap();
    assert_unchanged(&path, "closed");
}

#[test]
fn reading_takes_no_lock_and_waits_for_none() {
    let disk = filled();
    add_version(&disk.db);
    assert_unchanged(&disk.path(), "beside a writer");
    disk.db
        .set_tags(&data::trace_id(1), [("still", "writing")])
        .unwrap();
}

#[test]
fn what_can_only_be_read_can_be_read() {
    let Some(mounted) = Mounted::in_memory("size=64m") else {
        return;
    };
    let (_folder, path) = closed();
    add_version(&open(&path));
    let db = mounted.root().join("db.traces");
    crate::care::copy(&path, &db);
    let remount = |how: &str| {
        let done = Command::new("mount")
            .args(["-o", how])
            .arg(mounted.root())
            .status()
            .unwrap();
        assert!(done.success());
    };
    remount("remount,ro");
    assert_unchanged(&db, "on a file system that is only readable");
    remount("remount,rw");
}
