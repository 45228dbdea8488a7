//! Processes that only read: they follow the writer, keep what they are reading, and leak nothing.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tracehouse::{Database, ErrorKind, ImportOptions, OpenOptions, Search};

use super::filled;
use crate::data;
use crate::support::{import_lines, number, open, quiet_settings, sorted_rows, texts};

const SPANS: &str = "SELECT trace_id, span_id, name, inputs FROM spans";
const TRACES: &str = "SELECT trace_id, name, state, tags, span_count FROM traces";

fn reader(path: &Path) -> Database {
    OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(path)
        .unwrap()
}

fn assert_same(writer: &Database, reader: &Database, when: &str) {
    reader.refresh().unwrap();
    for statement in [
        SPANS,
        TRACES,
        "SELECT assessment_id, value FROM assessments",
        "SELECT * FROM dataset_records",
    ] {
        assert_eq!(
            sorted_rows(reader, statement),
            sorted_rows(writer, statement),
            "{when}: {statement}"
        );
    }
}

#[test]
fn a_reader_sees_what_was_acknowledged_whatever_the_writer_did() {
    let disk = filled();
    let reader = reader(&disk.path());
    assert_same(&disk.db, &reader, "opened");
    disk.db
        .set_tags(&data::trace_id(1), [("seen", "soon")])
        .unwrap();
    assert!(
        reader.refresh().unwrap() && !reader.refresh().unwrap(),
        "one record more, then none"
    );
    assert_same(&disk.db, &reader, "tagged");
    disk.db.seal().unwrap();
    assert_same(&disk.db, &reader, "sealed");
    import_lines(&disk.db, &data::lines());
    disk.db.delete_traces(&[data::trace_id(5)]).unwrap();
    assert_same(&disk.db, &reader, "written again");
    disk.db.compact().unwrap();
    assert_same(&disk.db, &reader, "compacted");
    disk.db
        .create_dataset("late")
        .unwrap()
        .add_traces(&Search::new(""))
        .unwrap();
    assert_same(&disk.db, &reader, "a dataset");
    let disk = disk.reopen(true, |_| {});
    assert_same(&disk.db, &reader, "the writer was opened again");
    disk.db
        .set_tags(&data::trace_id(1), [("seen", "later")])
        .unwrap();
    assert_same(&disk.db, &reader, "and wrote");
}

#[test]
fn what_is_being_read_stays_and_is_removed_afterwards() {
    let disk = filled();
    let one = reader(&disk.path());
    let before = number(&one, "SELECT count(*) FROM spans");
    let pages = one.search_batches(&Search::new("")).unwrap();
    disk.db.compact().unwrap();
    let folders = || fs::read_dir(disk.path().join("seg")).unwrap().count();
    assert!(folders() > 1, "the reader's segments are still there");
    // The reader did not look at the newer version yet.
    let rows: usize = pages.map(|batch| batch.unwrap().num_rows()).sum();
    assert!(rows > 0);
    one.refresh().unwrap();
    assert_eq!(number(&one, "SELECT count(*) FROM spans"), before);
    drop(one);
    assert_eq!(
        fs::read_dir(disk.path().join("readers")).unwrap().count(),
        0
    );
    let disk = disk.reopen(true, |_| {});
    assert_eq!(fs::read_dir(disk.path().join("seg")).unwrap().count(), 1);
}

/// Does nothing unless it is the process to be killed: reads until then.
#[test]
fn child_reader() {
    let Some(path) = std::env::var_os("TRACEHOUSE_TEST_CHILD_READER") else {
        return;
    };
    let db = reader(Path::new(&path));
    println!("reading {}", number(&db, "SELECT count(*) FROM spans"));
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn a_killed_reader_leaks_nothing() {
    let disk = filled();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "care::readers::child_reader", "--nocapture"])
        .env("TRACEHOUSE_TEST_CHILD_READER", disk.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("reading") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0);
    }
    assert_eq!(
        fs::read_dir(disk.path().join("readers")).unwrap().count(),
        1
    );
    disk.db.compact().unwrap();
    let folders = || fs::read_dir(disk.path().join("seg")).unwrap().count();
    assert!(folders() > 1);
    child.kill().unwrap();
    child.wait().unwrap();
    disk.db.set_tags(&data::trace_id(1), [("a", "b")]).unwrap();
    disk.db.seal().unwrap();
    assert_eq!(
        fs::read_dir(disk.path().join("readers")).unwrap().count(),
        0
    );
    assert_eq!(folders(), 2, "the merged one and the new one");
}

/// Every answer of a reader beside a busy writer is one that was true at some commit: batches of three spans
/// are there as a whole or not at all, and what was acknowledged before is there.
#[test]
fn a_reader_beside_a_busy_writer_sees_whole_batches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.traces");
    drop(open(&path));
    let line = |at: usize| {
        let spans: Vec<String> = (0..3)
            .map(|n| {
                format!(
                    r#"{{"traceId":"{:032x}","spanId":"{:016x}","name":"s","startTimeUnixNano":"1740787200000000000"}}"#,
                    at + 1,
                    at * 3 + n + 1
                )
            })
            .collect();
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
            spans.join(",")
        )
    };
    let written = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let db = open(&path);
            for at in 0..60 {
                db.import_otlp(line(at).as_bytes(), &ImportOptions::default())
                    .unwrap();
                written.store(at + 1, std::sync::atomic::Ordering::Release);
                match at % 9 {
                    4 => db.seal().unwrap(),
                    8 => drop(db.compact().unwrap()),
                    _ => {}
                }
            }
            db.close().unwrap();
        });
        let db = reader(&path);
        let mut last = 0;
        loop {
            let is_last = writer.is_finished();
            let before = written.load(std::sync::atomic::Ordering::Acquire) as i64;
            db.refresh().unwrap();
            let counts = texts(
                &db,
                "SELECT count(*) || ' ' || count(DISTINCT trace_id) FROM spans",
            );
            let (spans, traces) = counts[0].split_once(' ').unwrap();
            let (spans, traces): (i64, i64) = (spans.parse().unwrap(), traces.parse().unwrap());
            assert_eq!(spans, traces * 3);
            assert!(
                traces >= before.max(last),
                "{traces} after {before} and {last}"
            );
            last = traces;
            if is_last {
                break;
            }
        }
        assert_eq!(last, 60);
    });
}

#[test]
fn a_reader_writes_nothing_and_says_so() {
    let disk = filled();
    let db = reader(&disk.path());
    let error = db.set_tags(&data::trace_id(1), [("a", "b")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains("reading only"), "{error}");
    let second = Database::open(disk.path()).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Conflict);
    let text = second.to_string();
    assert!(
        text.contains(&format!("pid {}", std::process::id())) && text.contains("this process"),
        "{text}"
    );
}
