//! Ctrl-C and readers beside writers: what a signal leaves of a question, a half-written file and an import whose
//! input pauses, and that a shell and a long statement that are open stop nobody's tags.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command_line::{Desk, Ended, tracehouse};
use crate::data;

/// Would take hours.
const LONG: &str = "SELECT count(*) FROM spans a CROSS JOIN spans b CROSS JOIN spans c CROSS JOIN spans d \
                    CROSS JOIN spans e WHERE a.duration_ns + e.duration_ns = 3";
/// Longest wait for what has to come.
const WAIT: Duration = Duration::from_secs(120);

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

fn end(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().expect("a signal ended it unhandled"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Waits for something to be so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < WAIT, "{what} never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Until the process reads the database, which its pin says.
fn until_it_reads(desk: &Desk, pins: usize) {
    let readers = desk.path("desk.traces/readers");
    until("a reader", || {
        fs::read_dir(&readers).is_ok_and(|entries| entries.count() >= pins)
    });
}

/// Until the process has blocked the signals that a thread of its own takes; or has ended.
fn until_it_takes_signals(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let of = |name| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let mask = of("SigBlk:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
        if mask.is_none_or(|mask| mask & 2 != 0)
            || of("State:").is_some_and(|state| state.starts_with('Z'))
        {
            return;
        }
        assert!(started.elapsed() < WAIT, "it never took signals");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_signal_ends_a_question_and_its_file() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        // A new one each time: where a process is ended hard, its pin stays for a while.
        let desk = Desk::new();
        let file = desk.path("half.csv");
        let child = start(&["sql", &desk.db(), LONG, "--output", file.to_str().unwrap()]);
        until_it_reads(&desk, 1);
        signal(&child, name);
        let done = end(child);
        assert_eq!((done.code, done.out.as_str()), (code, ""), "{done:?}");
        assert!(!file.exists(), "half a result is left");
        desk.assert_intact(&done);
    }
    // What fails while it is written leaves no file either.
    let desk = Desk::new();
    let file = desk.path("half.parquet");
    let fails = "SELECT 9223372036854775807 + span_count FROM traces";
    let done = tracehouse(&["sql", &desk.db(), fails, "--output", file.to_str().unwrap()]);
    assert!(done.code == 2 && !file.exists(), "{done:?}");
}

#[test]
fn a_signal_leaves_a_whole_copy_or_none() {
    let desk = Desk::new();
    for (verb, last) in [("backup", "FORMAT"), ("export", "assessments.parquet")] {
        for pause_ms in [1, 5, 20, 80] {
            let folder = desk.path("copy");
            let child = start(&[verb, &desk.db(), folder.to_str().unwrap()]);
            until_it_takes_signals(&child);
            std::thread::sleep(Duration::from_millis(pause_ms));
            signal(&child, "INT");
            let done = end(child);
            let is_there = folder.exists();
            assert_eq!(
                is_there,
                done.code == 0,
                "{verb} after {pause_ms} ms: {done:?}"
            );
            assert!(done.code == 0 || done.code == 130, "{verb}: {done:?}");
            assert!(
                !is_there || folder.join(last).exists(),
                "{verb} after {pause_ms} ms: half a copy"
            );
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

#[test]
fn lines_of_a_slow_producer_are_seen_and_kept_when_it_is_interrupted() {
    let desk = Desk::new();
    let db = desk.path("slow.traces").to_str().unwrap().to_string();
    let mut child = start(&["--json", "import", &db, "-"]);
    let mut input = child.stdin.take().unwrap();
    let lines = data::lines();
    let (whole, cut) = (&lines[0], &lines[1]);
    writeln!(input, "{whole}").unwrap();
    input.flush().unwrap();
    let traces = || {
        tracehouse(&[
            "sql",
            &db,
            "SELECT count(*) AS n FROM spans",
            "--format",
            "csv",
        ])
    };
    // The producer pauses, and still the line is there.
    until("the first line", || {
        traces().out.lines().nth(1).is_some_and(|n| n != "0")
    });
    input.write_all(&cut.as_bytes()[..cut.len() / 2]).unwrap();
    input.flush().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    let done = end(child);
    drop(input);
    let report = assert_given_up(&done, &db);
    assert!(
        report.is_none_or(|report| report["rejected_count"] == 1),
        "{done:?}"
    );
}

/// Whether what an import that was given up says of itself is so; its report, unless it was ended before it made one.
fn assert_given_up(done: &Ended, db: &str) -> Option<Value> {
    assert_eq!(done.code, 130, "{done:?}");
    let counted = tracehouse(&[
        "sql",
        db,
        "SELECT count(*) AS n FROM spans",
        "--format",
        "csv",
    ]);
    let stored: u64 = counted.out.lines().nth(1).unwrap().parse().unwrap();
    assert!(stored > 0, "{done:?}");
    let report: Option<Value> = serde_json::from_str(&done.out).ok();
    match &report {
        Some(report) => assert_eq!(report["spans"].as_u64(), Some(stored), "{report}"),
        None => assert!(
            done.err
                .contains("interrupted: of standard input, the first"),
            "{done:?}"
        ),
    }
    // What is left behind is a whole database.
    assert_eq!(tracehouse(&["check", db, "--deep"]).code, 0);
    report
}

#[test]
fn an_import_in_full_flow_is_given_up() {
    let desk = Desk::new();
    let db = desk.path("flow.traces").to_str().unwrap().to_string();
    let mut child = start(&["--json", "import", &db, "-", "--batch-lines", "8"]);
    let mut input = child.stdin.take().unwrap();
    // Until nobody reads it any more.
    let feeder = std::thread::spawn(move || {
        for line in data::lines().iter().cycle() {
            if writeln!(input, "{line}").is_err() {
                return;
            }
        }
    });
    until("the first spans", || {
        let counted = tracehouse(&[
            "sql",
            &db,
            "SELECT count(*) AS n FROM spans",
            "--format",
            "csv",
        ]);
        counted.out.lines().nth(1).is_some_and(|n| n != "0")
    });
    signal(&child, "INT");
    assert_given_up(&end(child), &db);
    feeder.join().unwrap();
}

/// `TRACEHOUSE_CHANGES_BESIDE_READERS` for more than a few.
#[test]
fn a_shell_and_a_long_statement_stop_nobodys_tags() {
    let desk = Desk::new();
    let changes =
        std::env::var("TRACEHOUSE_CHANGES_BESIDE_READERS").map_or(6, |n| n.parse().unwrap());
    let mut shell = start(&["shell", &desk.db()]);
    let mut typed = shell.stdin.take().unwrap();
    let mut shown = BufReader::new(shell.stdout.take().unwrap()).lines();
    let mut ask = |statement: &str| {
        writeln!(typed, ".mode csv\n{statement}").unwrap();
        typed.flush().unwrap();
        shown.next();
        shown.next().unwrap().unwrap()
    };
    let id = ask("SELECT trace_id FROM traces ORDER BY trace_id LIMIT 1;");
    let long = start(&["sql", &desk.db(), LONG]);
    until_it_reads(&desk, 2);
    let mut slowest = Duration::ZERO;
    for number in 0..changes {
        let value = format!("beside={number}");
        let started = Instant::now();
        let done = match number % 2 {
            0 => tracehouse(&["tag", &desk.db(), &id, &value]),
            _ => tracehouse(&["assess", &desk.db(), &id, "--feedback", &value]),
        };
        slowest = slowest.max(started.elapsed());
        assert_eq!(done.code, 0, "{done:?}");
    }
    crate::support::say(&format!(
        "{changes} changes beside two readers, the slowest in {slowest:?}"
    ));
    let last = (changes - 1) / 2 * 2;
    assert_eq!(
        ask(&format!(
            "SELECT tags['beside'] FROM traces WHERE trace_id = '{id}';"
        )),
        last.to_string()
    );
    signal(&long, "INT");
    assert_eq!(end(long).code, 130);
    drop(typed);
    assert_eq!(shell.wait().unwrap().code(), Some(0));
}

#[test]
fn a_shell_runs_what_it_is_given() {
    let desk = Desk::new();
    let db = desk.db();
    let done = tracehouse(&[
        "shell",
        &db,
        "-c",
        ".mode csv",
        "-c",
        "SELECT 1 AS a; SELECT 2\nAS b",
        "-c",
        "exit",
        "-c",
        "x",
    ]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (0, "a\n1\nb\n2\n"),
        "{done:?}"
    );
    let done = tracehouse(&[
        "shell",
        &db,
        "-c",
        "SELECT nope FROM spans",
        "-c",
        "SELECT 1",
    ]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (2, ""),
        "the first failure ends it: {done:?}"
    );
}
