//! Kill -9 in the middle of an import, fifty times: the database opens again, every batch that was
//! acknowledged is there, and nothing is there twice (ST-1, ST-3).
//!
//! The killed process is in turn the command line, and this test binary again, running [`child_import`]
//! alone with settings under which it seals and merges all the time. Both write a line to standard error
//! for each acknowledged batch; what the parent has read counts as acknowledged. The next process goes on
//! where the acknowledged lines end, so that a database lives through many kills.
//!
//! `TRACEHOUSE_KILLS` sets how many there are.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use tracehouse::{Database, ImportOptions, OpenOptions, Settings};

use crate::order::Random;
use crate::support::{number, open, say, seed, setting, texts};

const KILLS: u64 = 50;
const LINES: usize = 4_000;
pub const SPANS_PER_LINE: usize = 3;
pub const BATCH_LINES: usize = 20;
const DATABASE: &str = "TRACEHOUSE_TEST_CHILD_DATABASE";
const FIRST_LINE: &str = "TRACEHOUSE_TEST_CHILD_FIRST_LINE";
const ACKNOWLEDGED: &str = "{\"acked_lines\":";

/// Line `at` of the input. Every tenth trace is continued by the line a hundred further on.
fn line(at: usize) -> String {
    let trace = if at % 10 == 5 && at >= 100 {
        at - 100
    } else {
        at
    };
    let spans: Vec<_> = (0..SPANS_PER_LINE)
        .map(|n| {
            let start = 1_740_787_200_000_000_000 + at as i64 * 1_000_000;
            json!({
                "traceId": format!("{:032x}", trace + 1), "spanId": span_id(at, n), "name": format!("step {n}"),
                "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_000).to_string(),
                "attributes": [{"key": "input.value", "value": {"stringValue": format!("line {at} {}", "word ".repeat(40))}}],
            })
        })
        .collect();
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

fn span_id(line: usize, n: usize) -> String {
    format!("{:016x}", line * SPANS_PER_LINE + n + 1)
}

/// Seals and merges all the time, so that kills fall into that as well.
pub fn busy_settings() -> Settings {
    let mut settings = Settings::default();
    settings.flush_bytes_max = 256 << 10;
    settings
}

/// Does nothing unless it is the process to be killed.
#[test]
fn child_import() {
    let Some(path) = std::env::var_os(DATABASE) else {
        return;
    };
    let first: usize = std::env::var(FIRST_LINE).unwrap().parse().unwrap();
    let text = text(first);
    let db = OpenOptions::new()
        .settings(busy_settings())
        .open(Path::new(&path))
        .unwrap();
    let options = ImportOptions::default().batch_lines(BATCH_LINES);
    let mut error = std::io::stderr();
    db.import(text.as_bytes(), &options, &mut |progress| {
        let line = format!(
            "{ACKNOWLEDGED}{},\"acked_spans\":{}}}\n",
            progress.acked_lines, progress.acked_spans
        );
        error.write_all(line.as_bytes()).unwrap();
    })
    .unwrap();
    db.close().unwrap();
}

/// This binary, importing through the library.
pub fn library(path: &Path, first: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::child_import", "--nocapture"]);
    command
        .env(DATABASE, path)
        .env(FIRST_LINE, first.to_string());
    command
}

/// The command line, importing a file.
pub fn command_line(path: &Path, first: usize) -> Command {
    let file = path.with_extension("jsonl");
    std::fs::write(&file, text(first)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"));
    command
        .arg("import")
        .arg(path)
        .arg(file)
        .args(["--progress", "json", "--batch-lines"]);
    command.arg(BATCH_LINES.to_string());
    command
}

/// The lines from `first` on.
pub fn text(first: usize) -> String {
    (first..LINES).map(|at| line(at) + "\n").collect()
}

/// Runs an import and stops it after `batches` acknowledged batches and `wait` more. Gives the lines it
/// acknowledged, before the time that `stop` gives if it gives one, and whether it was stopped before its end.
pub fn run_and_stop(
    mut command: Command,
    (batches, wait): (usize, Duration),
    stop: impl FnOnce(&mut Child) -> Option<SystemTime>,
) -> (usize, bool) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stderr.take().unwrap());
    let (sender, progress) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while output.read_line(&mut line).unwrap() > 0 {
            // The kill may cut the last line.
            if let Some(rest) = line
                .strip_prefix(ACKNOWLEDGED)
                .filter(|rest| rest.ends_with("}\n"))
            {
                let lines = rest.split(',').next().unwrap().parse::<usize>().unwrap();
                let _ = sender.send((lines, SystemTime::now()));
            }
            line.clear();
        }
    });
    let (mut acknowledged, mut ended) = (0, false);
    for _ in 0..batches {
        match progress.recv() {
            Ok((lines, _)) => acknowledged = lines,
            Err(_) => ended = true,
        }
    }
    let deadline = Instant::now() + wait;
    loop {
        match progress.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((lines, _)) => acknowledged = lines,
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => {
                ended = true;
                break;
            }
        }
    }
    let stopped = stop(&mut child);
    let status = child.wait().unwrap();
    // What it had written before it ended was acknowledged as well.
    let in_time = |(_, at): &(usize, SystemTime)| stopped.is_none_or(|stopped| *at < stopped);
    acknowledged = progress
        .iter()
        .filter(in_time)
        .last()
        .map_or(acknowledged, |(lines, _)| lines);
    reader.join().unwrap();
    assert!(status.success() || !ended, "the import itself failed");
    (acknowledged, !status.success())
}

/// Everything acknowledged is there, nothing twice, and tables and search agree.
pub fn assert_intact(db: &Database, acknowledged_lines: usize, what: &str) {
    let ids = texts(db, "SELECT span_id FROM spans");
    let distinct: HashSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{what}: a span is there twice");
    for at in 0..acknowledged_lines {
        for n in 0..SPANS_PER_LINE {
            assert!(
                distinct.contains(&span_id(at, n)),
                "{what}: line {at} was acknowledged and is lost"
            );
        }
    }
    let traces = texts(db, "SELECT trace_id FROM traces");
    assert_eq!(
        traces.iter().collect::<HashSet<_>>().len(),
        traces.len(),
        "{what}: a trace is there twice"
    );
    let counted = number(db, "SELECT coalesce(sum(span_count), 0) FROM traces");
    assert_eq!(
        counted as usize,
        ids.len(),
        "{what}: traces and spans differ"
    );
    let found = db.search_text("\"line 0\"", 1_000).unwrap().len();
    assert_eq!(
        found,
        if ids.is_empty() { 0 } else { SPANS_PER_LINE },
        "{what}: text search differs"
    );
}

#[test]
fn killed_imports_lose_nothing_acknowledged() {
    let (mut kills, mut databases) = (0, 0);
    let wanted = setting("TRACEHOUSE_KILLS", KILLS);
    let seed = seed();
    let mut random = Random::new(seed);
    for importer in [library, command_line].into_iter().cycle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("killed.traces");
        databases += 1;
        let (mut acknowledged, mut is_killed) = (0, true);
        while is_killed && kills < wanted {
            let (batches, wait_us) = (random.below(25), random.below(12_000) as u64);
            let lines;
            let command = importer(&path, acknowledged);
            let when = (batches, Duration::from_micros(wait_us));
            (lines, is_killed) = run_and_stop(command, when, |child| {
                child.kill().unwrap();
                None
            });
            acknowledged += lines;
            kills += u64::from(is_killed);
            let what = format!(
                "kill {kills}, {batches} batches and {wait_us} us on, {acknowledged} lines acknowledged"
            );
            let db = open(&path);
            assert_intact(&db, acknowledged, &what);
        }
        if kills == wanted {
            say(&format!(
                "kills: {kills} of imports into {databases} databases, seed {seed}"
            ));
            return;
        }
    }
}
