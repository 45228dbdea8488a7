//! A clock that says a time before 1970: libraries below panic on it. Nothing is lost, nothing panics, and what
//! cannot be done without a clock says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::data;
use crate::support::say;

/// Takes the place of the system's call.
const CLOCK: &str = r"
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    int done = (int) syscall(SYS_clock_gettime, id, now);
    if (done == 0 && id == CLOCK_REALTIME) now->tv_sec -= 4000000000L;
    return done;
}
";

/// The library to be loaded first; `None` with a notice where it cannot be made.
fn library(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    std::fs::write(&source, CLOCK).unwrap();
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output();
    if made.is_ok_and(|made| made.status.success()) {
        return Some(library);
    }
    say("NOTICE: a clock before 1970 is not tested, as there is no C compiler");
    None
}

#[test]
fn before_1970_nothing_panics_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = library(folder.path()) else {
        return;
    };
    let file = folder.path().join("lines.jsonl");
    std::fs::write(&file, data::lines().join("\n")).unwrap();
    let db = folder.path().join("early.traces");
    let (db, file, trace) = (
        db.to_str().unwrap(),
        file.to_str().unwrap(),
        data::trace_id(0),
    );
    let run = |arguments: &[&str]| -> Output {
        Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
            .args(arguments)
            .env("LD_PRELOAD", &library)
            .output()
            .unwrap()
    };
    let commands: [&[&str]; 10] = [
        &["import", db, file],
        &["search", db, "state = 'OK'"],
        &["text", db, "refund"],
        &["show", db, &trace],
        &["tag", db, &trace, "when=early"],
        &["dataset", "create", db, "early"],
        &["dataset", "add", db, "early", "--where", ""],
        &["compact", db],
        &["stats", db],
        &["check", db, "--deep"],
    ];
    for arguments in commands {
        let done = run(arguments);
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success() && !err.contains("panicked"),
            "{arguments:?}: {done:?}"
        );
    }
    let sql = run(&["sql", db, "SELECT count(*) FROM spans"]);
    let err = String::from_utf8_lossy(&sql.stderr);
    assert!(!err.contains("panicked"), "{err}");
    assert!(
        sql.status.success() || err.contains("before 1970"),
        "{sql:?}"
    );
    // The clock is right again.
    let db = crate::support::open(Path::new(db));
    assert!(db.check(true).unwrap().is_clean());
    assert!(crate::support::number(&db, "SELECT count(*) FROM spans") > 100);
}
