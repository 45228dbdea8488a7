//! Folders that are renamed, removed, made again, copied, or reached by another path.

use std::fs;
use std::path::Path;
use std::process::Command;

use tracehouse::{Database, ErrorKind, ImportOptions, Search};

use super::{add, assert_has, assert_whole, close, line, reader};
use crate::care::copy;
use crate::support::{open, say, texts};

/// Everything that a writer does, so that each way to its files is taken after the folder has moved.
fn do_everything(db: &Database, of: &str, from: usize) {
    add(db, of, from..from + 3);
    db.seal().unwrap();
    db.index_text().unwrap();
    let id = |at: usize| {
        texts(
            db,
            &format!("SELECT trace_id FROM spans WHERE name = '{of} {at}'"),
        )
        .remove(0)
    };
    db.set_tags(&id(from), [("tag", "yes")]).unwrap();
    let dataset = db.create_dataset(&format!("set {from}")).unwrap();
    dataset.add_traces(&Search::new("").limit(2)).unwrap();
    add(db, of, from + 3..from + 5);
    db.compact().unwrap();
    db.index_text().unwrap();
    add(db, of, from + 5..from + 6);
}

/// Erases a trace and adds it again.
fn erase_one(db: &Database, of: &str, at: usize) {
    let id = texts(
        db,
        &format!("SELECT trace_id FROM spans WHERE name = '{of} {at}'"),
    )
    .remove(0);
    let receipt = db.erase_traces(&[id]).unwrap();
    assert!(receipt.complete, "{receipt:?}");
    add(db, of, at..at + 1);
}

#[test]
fn a_renamed_database_goes_on_beside_a_new_one_at_its_old_path() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (
        folder.path().join("app.traces"),
        folder.path().join("old.traces"),
    );
    let old = open(&path);
    add(&old, "old", 0..4);
    old.seal().unwrap();
    add(&old, "old", 4..6);
    let follower = reader(&path);
    fs::rename(&path, &moved).unwrap();
    let new = open(&path);
    do_everything(&new, "new", 0);
    do_everything(&old, "old", 6);
    follower.refresh().unwrap();
    assert_has(&follower, "old", 12);
    add(&new, "new", 6..7);
    assert_has(&new, "new", 7);
    assert_has(&old, "old", 12);
    let backup = folder.path().join("backup.traces");
    old.backup(&backup).unwrap();
    assert_whole(&backup, "old", 12);
    drop(follower);
    close(old);
    close(new);
    for (path, of, count) in [(&moved, "old", 12), (&path, "new", 7)] {
        assert_whole(path, of, count);
        assert_eq!(fs::read_dir(path.join("readers")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(path.join("tmp")).unwrap().count(), 0);
    }
}

/// The metadata store and the text indexes open files by themselves: they go on in the folder that was moved.
#[test]
fn a_database_that_is_dropped_after_it_was_renamed_leaves_the_new_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (
        folder.path().join("app.traces"),
        folder.path().join("old.traces"),
    );
    let old = open(&path);
    do_everything(&old, "old", 0);
    fs::rename(&path, &moved).unwrap();
    let new = open(&path);
    do_everything(&new, "new", 0);
    erase_one(&old, "old", 3);
    erase_one(&new, "new", 4);
    drop(old);
    drop(new);
    assert_whole(&moved, "old", 6);
    assert_whole(&path, "new", 6);
}

#[test]
fn a_parent_that_is_renamed_takes_the_database_along() {
    let folder = tempfile::tempdir().unwrap();
    let (parent, moved) = (folder.path().join("parent"), folder.path().join("moved"));
    let path = parent.join("app.traces");
    let old = open(&path);
    add(&old, "old", 0..2);
    let follower = reader(&path);
    fs::rename(&parent, &moved).unwrap();
    let new = open(&path);
    do_everything(&new, "new", 0);
    do_everything(&old, "old", 2);
    follower.refresh().unwrap();
    assert_has(&follower, "old", 8);
    close(old);
    close(new);
    assert_whole(&moved.join("app.traces"), "old", 8);
    assert_whole(&path, "new", 6);
}

#[test]
fn a_database_that_was_removed_acknowledges_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.traces");
    let old = open(&path);
    add(&old, "old", 0..4);
    let follower = reader(&path);
    fs::remove_dir_all(&path).unwrap();
    let new = open(&path);
    add(&new, "new", 0..3);
    let refused = old
        .import_otlp(line("old", 5).as_bytes(), &ImportOptions::default())
        .unwrap_err();
    assert!(
        matches!(refused.kind(), ErrorKind::Io | ErrorKind::Closed),
        "{refused}"
    );
    assert!(refused.to_string().contains("removed"), "{refused}");
    assert!(matches!(
        old.seal().unwrap_err().kind(),
        ErrorKind::Io | ErrorKind::Closed
    ));
    let gone = follower.refresh().unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Io, "{gone}");
    assert!(gone.to_string().contains("removed"), "{gone}");
    assert!(old.backup(folder.path().join("copy")).is_err());
    do_everything(&new, "new", 3);
    drop((old, follower));
    close(new);
    assert_whole(&path, "new", 9);
}

#[test]
fn the_lock_holds_without_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.traces");
    let db = open(&path);
    add(&db, "old", 0..2);
    for made_again in [false, true] {
        fs::remove_file(path.join("LOCK")).unwrap();
        if made_again {
            fs::write(path.join("LOCK"), "").unwrap();
        }
        assert_eq!(
            Database::open(&path).unwrap_err().kind(),
            ErrorKind::Conflict,
            "{made_again}"
        );
        assert_eq!(
            tracehouse::repair(&path, true).unwrap_err().kind(),
            ErrorKind::Conflict
        );
        fs::write(path.join("LOCK"), "").unwrap();
    }
    add(&db, "old", 2..3);
    close(db);
    assert_whole(&path, "old", 3);
}

#[test]
fn a_copy_of_a_living_database_is_a_database_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.traces");
    let old = open(&path);
    add(&old, "old", 0..4);
    old.seal().unwrap();
    add(&old, "old", 4..6);
    let copied = folder.path().join("copy.traces");
    copy(&path, &copied);
    let twin = open(&copied);
    do_everything(&twin, "old", 6);
    do_everything(&old, "old", 6);
    assert_has(&twin, "old", 12);
    assert_has(&old, "old", 12);
    close(twin);
    close(old);
    assert_whole(&path, "old", 12);
    assert_whole(&copied, "old", 12);
}

/// Copies made file by file while the writer seals and merges: each opens whole, or is said to be damaged.
#[test]
fn a_torn_copy_is_whole_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.traces");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let db = open(&path);
            for at in 0.. {
                add(&db, "old", at..at + 1);
                match at % 4 {
                    1 => db.seal().unwrap(),
                    3 => drop(db.compact().unwrap()),
                    _ => {}
                }
                if stop.load(std::sync::atomic::Ordering::Acquire) {
                    return at + 1;
                }
            }
            0
        });
        while !path.join("FORMAT").exists() {
            std::thread::yield_now();
        }
        let mut opened = 0;
        for number in 0..8 {
            let copied = folder.path().join(format!("copy {number}"));
            let done = Command::new("cp")
                .arg("-r")
                .args([&path, &copied])
                .output()
                .unwrap();
            // Files that went away meanwhile are missing from the copy.
            drop(done);
            opened += usize::from(is_whole_or_named(&copied));
        }
        stop.store(true, std::sync::atomic::Ordering::Release);
        let count = writer.join().unwrap();
        say(&format!("{opened} of 8 torn copies opened"));
        assert_whole(&path, "old", count);
    });
}

/// Whether the copy opens. What it then answers is a beginning of what was written, unless a file is missing.
fn is_whole_or_named(path: &Path) -> bool {
    let typed = |error: tracehouse::Error| {
        let kinds = [
            ErrorKind::Corrupt,
            ErrorKind::Io,
            ErrorKind::NotFound,
            ErrorKind::InvalidInput,
        ];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        false
    };
    let db = match Database::open(path) {
        Ok(db) => db,
        Err(error) => return typed(error),
    };
    match db.sql("SELECT count(*), count(DISTINCT trace_id) FROM spans") {
        Ok(_) => {
            let mut names = texts(&db, "SELECT name FROM spans ORDER BY trace_id");
            names.dedup();
            let wanted: Vec<String> = (0..names.len()).map(|at| format!("old {at}")).collect();
            assert_eq!(names, wanted);
            true
        }
        Err(error) => typed(error),
    }
}

#[test]
fn the_lock_holds_through_every_path() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (
        folder.path().join("app.traces"),
        folder.path().join("other"),
    );
    let db = open(&path);
    add(&db, "old", 0..2);
    std::os::unix::fs::symlink(&path, &other).unwrap();
    assert_eq!(
        Database::open(&other).unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_has(&reader(&other), "old", 2);
    fs::remove_file(&other).unwrap();
    fs::create_dir(&other).unwrap();
    let mounted = Command::new("mount")
        .arg("--bind")
        .args([&path, &other])
        .output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        say("NOTICE: bind mounts are not tested, which takes root");
        return;
    }
    let conflict = Database::open(&other)
        .map(drop)
        .map_err(|error| error.kind());
    let seen = reader(&other)
        .search_traces(&Search::new(""))
        .unwrap()
        .traces
        .len();
    let unmounted = Command::new("umount")
        .arg("-l")
        .arg(&other)
        .status()
        .unwrap();
    assert!(unmounted.success());
    assert_eq!((conflict, seen), (Err(ErrorKind::Conflict), 2));
    close(db);
    assert_whole(&path, "old", 2);
}

/// Does nothing unless it is the process that changes its working directory.
#[test]
fn child_that_changes_its_working_directory() {
    let Some(folder) = std::env::var_os("TRACEHOUSE_TEST_CHILD_FOLDER") else {
        return;
    };
    std::env::set_current_dir(&folder).unwrap();
    let db = open(Path::new("app.traces"));
    add(&db, "old", 0..2);
    fs::create_dir("elsewhere").unwrap();
    std::env::set_current_dir("elsewhere").unwrap();
    let new = open(Path::new("app.traces"));
    do_everything(&new, "new", 0);
    do_everything(&db, "old", 2);
    close(db);
    close(new);
}

#[test]
fn a_relative_path_is_that_of_the_open() {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "place::moved::child_that_changes_its_working_directory",
        ])
        .env("TRACEHOUSE_TEST_CHILD_FOLDER", folder.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert_whole(&folder.path().join("app.traces"), "old", 8);
    assert_whole(&folder.path().join("elsewhere/app.traces"), "new", 6);
}
