//! The promise of a library: a call never ends the process, never prints, and nothing is left behind after the
//! last handle: no thread, no open file, no file in the database's folder or in that of the system for
//! temporary ones, no memory that grows.
//!
//! A child process, which is this test binary again, uses everything many times and compares what the system
//! says of it before and after. `TRACEHOUSE_EMBEDDED_ROUNDS` sets how often.
//!
//! What stays is stated in docs/limits.md: sled's threads, at most seven of which wait for work as long as the
//! process lives.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tracehouse::{
    Database, ErrorKind, ImportOptions, OpenOptions, Search, Settings, SqlQuery, backup, check,
    repair,
};

use super::{SPILLS, SPILLS_AT_BYTES};
use crate::data;
use crate::support::{say, setting};

const CHILD: &str = "TRACEHOUSE_TEST_CHILD_EMBEDDED";
const ROUNDS: u64 = 6;
/// Rounds until everything that is made once is there.
const WARM_UP: u64 = 2;
/// sled's idle threads, which it never ends.
const SLED_THREADS_MAX: usize = 7;
/// What the allocator may keep: it levels at some 95 MiB after fifteen rounds.
const GROWTH_BYTES_MAX: u64 = 112 << 20;

/// What the system says of this process.
#[derive(Debug, PartialEq)]
struct Process {
    /// What each open descriptor leads to, but for sockets and pipes that were there before.
    descriptors: BTreeMap<String, usize>,
    threads: BTreeMap<String, usize>,
}

fn counted(all: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    all.fold(BTreeMap::new(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}

impl Process {
    fn now() -> Self {
        let entries = |folder: &str| {
            fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
        };
        let target =
            |path: std::path::PathBuf| fs::read_link(path).ok().map(|to| to.display().to_string());
        let own = |to: &String| !to.contains("/proc/");
        let name = |path: std::path::PathBuf| fs::read_to_string(path.join("comm")).ok();
        Self {
            descriptors: counted(entries("/proc/self/fd").filter_map(target).filter(own)),
            threads: counted(
                entries("/proc/self/task")
                    .filter_map(name)
                    .map(|name| name.trim().to_string()),
            ),
        }
    }

    /// What is there besides what was there before, without what is stated to stay.
    fn beyond(&self, before: &Self) -> Vec<String> {
        let more = |now: &BTreeMap<String, usize>, before: &BTreeMap<String, usize>| {
            let is_more = |(name, count): &(&String, &usize)| {
                **count > before.get(*name).copied().unwrap_or(0)
            };
            now.iter()
                .filter(is_more)
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        let (sled, mut threads): (Vec<String>, Vec<String>) = more(&self.threads, &before.threads)
            .into_iter()
            .partition(|name| name.starts_with("sled-io"));
        if sled.len() > SLED_THREADS_MAX {
            threads.extend(sled);
        }
        threads.extend(more(&self.descriptors, &before.descriptors));
        threads
    }
}

/// Resident bytes.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.query_bytes_max = SPILLS_AT_BYTES;
    settings.flush_bytes_max = 1 << 20;
    settings.threads = 2;
    settings
}

fn open(path: &Path, read_only: bool) -> Database {
    OpenOptions::new()
        .settings(settings())
        .read_only(read_only)
        .open(path)
        .unwrap()
}

/// Questions of every kind, one of which spills.
fn ask(db: &Database, spills: bool) {
    assert!(db.count_traces(&Search::new("state = 'OK'")).unwrap() > 0);
    assert!(
        !db.search_traces(&Search::new("trace.text LIKE '%refund%'"))
            .unwrap()
            .traces
            .is_empty()
    );
    assert!(!db.search_text("refund", 5).unwrap().hits.is_empty());
    assert!(!db.get_trace(&data::trace_id(0)).unwrap().spans.is_empty());
    assert!(
        !db.sql("SELECT model, count(*) FROM spans GROUP BY model")
            .unwrap()
            .is_empty()
    );
    db.stats().unwrap();
    if spills {
        assert!(!db.sql(SPILLS).unwrap().is_empty());
    }
}

/// Errors of each kind.
fn fail(db: &Database, path: &Path, other: &Path) {
    let kind = |error: tracehouse::Error| error.kind();
    assert_eq!(
        db.search_traces(&Search::new("nonsense ="))
            .map_err(kind)
            .unwrap_err(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        db.sql("SELECT nothing FROM nowhere")
            .map_err(kind)
            .unwrap_err(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        db.get_trace(&"f".repeat(32)).map_err(kind).unwrap_err(),
        ErrorKind::NotFound
    );
    assert_eq!(
        Database::open(path).map_err(kind).unwrap_err(),
        ErrorKind::Conflict
    );
    assert_eq!(
        backup(path, path).map_err(kind).unwrap_err(),
        ErrorKind::Conflict
    );
    let endless = SqlQuery::from(
        "SELECT max(a.name || b.name || c.name || d.name) FROM spans a, spans b, spans c, spans d",
    );
    let given_up = db.query(endless, Some(Duration::from_millis(30)));
    assert_eq!(given_up.map_err(kind).unwrap_err(), ErrorKind::Timeout);
    assert!(
        db.import_otlp(b"no trace at all", &ImportOptions::default())
            .is_err()
    );
    let below_a_file = other.join("file/below");
    fs::write(other.join("file"), "").unwrap();
    assert_eq!(
        Database::open(below_a_file).map_err(kind).unwrap_err(),
        ErrorKind::Io
    );
    let damaged = other.join("damaged.traces");
    backup(path, &damaged).unwrap();
    fs::write(damaged.join("FORMAT"), "no format").unwrap();
    assert_eq!(
        Database::open(&damaged).map_err(kind).unwrap_err(),
        ErrorKind::Corrupt
    );
    assert!(!check(&damaged, true).unwrap().is_clean());
    assert!(repair(&damaged, true).unwrap().applied);
}

/// Opens, uses and lets go of databases in every way.
fn round(folder: &Path, number: u64) {
    let (path, other) = (folder.join("app.traces"), folder.join("other"));
    fs::create_dir(&other).unwrap();
    let db = open(&path, false);
    let lines = data::lines().join("\n");
    db.import_otlp_json_lines(lines.as_bytes(), &ImportOptions::default())
        .unwrap();
    db.import_assessments(data::assessments().as_bytes(), &Default::default())
        .unwrap();
    ask(&db, true);
    db.seal().unwrap();
    db.set_tags(&data::trace_id(1), [("round", "yes")]).unwrap();
    let dataset = db.create_dataset("set").unwrap();
    dataset.add_traces(&Search::new("").limit(5)).unwrap();
    db.compact().unwrap();
    let reader = open(&path, true);
    ask(&reader, true);
    fail(&db, &path, &other);
    db.backup(other.join("copy.traces")).unwrap();
    db.export_parquet(other.join("tables"), "").unwrap();
    db.delete_traces(&[data::trace_id(2)]).unwrap();
    reader.refresh().unwrap();
    assert!(db.check(true).unwrap().is_clean());
    drop(dataset);
    if number.is_multiple_of(2) {
        drop(reader);
        db.close().unwrap();
        assert_eq!(
            db.set_tags(&data::trace_id(1), [("a", "b")])
                .unwrap_err()
                .kind(),
            ErrorKind::Closed
        );
    }
    drop(db);
    let memory = open(Path::new(":memory:"), false);
    memory
        .import_otlp_json_lines(lines.as_bytes(), &ImportOptions::default())
        .unwrap();
    ask(&memory, false);
    fs::remove_dir_all(other).unwrap();
}

/// Does nothing unless it is the process that is looked at.
#[test]
fn child_that_embeds_the_library() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let folder = Path::new(&folder);
    let before = Process::now();
    let rounds = WARM_UP + setting("TRACEHOUSE_EMBEDDED_ROUNDS", ROUNDS);
    let mut warm = 0;
    for number in 0..rounds {
        round(folder, number);
        let left = Process::now().beyond(&before);
        assert!(left.is_empty(), "round {number} left {left:?}");
        let path = folder.join("app.traces");
        for place in ["tmp", "readers"] {
            assert_eq!(
                fs::read_dir(path.join(place)).unwrap().count(),
                0,
                "{place}"
            );
        }
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(
            fs::read_dir(folder).unwrap().count(),
            0,
            "in the folder for temporary files"
        );
        match number + 1 {
            WARM_UP => warm = memory(),
            after if after > WARM_UP => {
                let growth = memory().saturating_sub(warm);
                assert!(
                    growth < GROWTH_BYTES_MAX,
                    "{growth} bytes more in round {number}"
                );
            }
            _ => {}
        }
    }
}

#[test]
fn the_library_prints_nothing_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let name = "place::embedded::child_that_embeds_the_library";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, folder.path())
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr),
    );
    assert!(child.status.success(), "{out}{err}");
    assert_eq!(err, "", "on standard error");
    let is_harness = |line: &&str| {
        line.is_empty() || line.starts_with("running 1 test") || line.starts_with("test ")
    };
    let printed: Vec<&str> = out.lines().filter(|line| !is_harness(line)).collect();
    assert!(printed.is_empty(), "on standard output: {printed:?}");
    say(&format!(
        "a program that embeds the library was watched for {:.1} s",
        started.elapsed().as_secs_f64()
    ));
}
