//! The command line on a terminal and in a pipe, byte by byte, and a scripted session of the shell. The pseudo-terminals
//! are Python's, which needs no package for them: `terminal/session.py` says what it did, `terminal/screen.py` shows what
//! commands show. `UPDATE_GOLDENFILES=1` writes that into `terminal/screens`, to be reviewed.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command_line::{Desk, tracehouse};
use crate::data;
use crate::support::say;

/// Python with one of the scripts here; `None` where there is none.
fn python(script: &str) -> Option<Command> {
    if !Command::new("python3")
        .arg("--version")
        .output()
        .is_ok_and(|done| done.status.success())
    {
        say("NOTICE: skipped, as there is no python3");
        return None;
    }
    let mut command = Command::new("python3");
    command.arg(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("terminal")
            .join(script),
    );
    command
        .arg(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .env("NO_COLOR", "1");
    Some(command)
}

#[test]
fn a_session_of_the_shell() {
    let Some(mut command) = python("session.py") else {
        return;
    };
    let desk = Desk::new();
    let done = command
        .arg(desk.db())
        .env("XDG_STATE_HOME", desk.path("state"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        done.status.success(),
        "{}\n{}",
        text(&done.stdout),
        text(&done.stderr)
    );
}

/// Commands whose answers are the same each time.
fn commands() -> Vec<Vec<String>> {
    let trace = data::trace_id(0);
    let words = |line: &str| line.split('|').map(str::to_string).collect();
    [
        "search|desk.traces|state = 'ERROR'|--limit|3",
        "search|desk.traces|state = 'ERROR'|--limit|2|--columns|trace_id,duration,tokens,cost,tags.env,request",
        "search|desk.traces|tags.evn = 'prod'",
        "search|desk.traces|stat = 'ERROR'",
        "sessions|desk.traces|--limit|3",
        "metrics|desk.traces|traces|latency|--aggregate|p50|--aggregate|max|--by|trace_status",
        "metrics|desk.traces|traces|latency|--aggregate|mean",
        "text|desk.traces|refund|--limit|2",
        &format!("show|desk.traces|{trace}"),
        "show|desk.traces|ffff",
        "sql|desk.traces|SELECT name, count(*) AS spans, max(duration_ns) AS longest_ns FROM spans GROUP BY name ORDER BY 2 DESC, 1 LIMIT 4",
        "sql|desk.traces|TABLE traces ORDER BY trace_id LIMIT 2",
        "sql|desk.traces|DESCRIBE traces",
        "sql|desk.traces|SUMMARIZE SELECT state, duration_ns, user_id, request_time FROM traces",
        "sql|desk.traces|CREATE VIEW failed AS SELECT * FROM traces WHERE state = 'ERROR'; SELECT count(*) AS n FROM failed",
        "sql|desk.traces|SELECT tags['evn'] AS e FROM traces LIMIT 1",
        "sql|desk.traces|SELECT modle FROM spans",
        "shell|desk.traces|-c|.mode line|-c|SELECT 1 AS a, interval '92 minutes' AS long;",
        "shell|desk.traces|-c|SELECT trace_id, name, request_preview, response_preview FROM traces ORDER BY trace_id LIMIT 2;",
        "shell|desk.traces|-c|CREATE VIEW v AS TABLE spans; .tables|-c|.tables",
        "dataset|show|desk.traces|nothing",
        "delete|missing.traces|--where|state = 'OK'",
    ]
    .iter()
    .map(|line| words(line))
    .collect()
}

#[test]
fn screens_are_as_they_were() {
    let desk = Desk::new();
    let tagged = tracehouse(&["tag", &desk.db(), &data::trace_id(0), "env=prod"]);
    assert_eq!(tagged.code, 0, "{tagged:?}");
    let lines: String = commands()
        .iter()
        .map(|words| format!("{}\n", serde_json::json!(words)))
        .collect();
    let mut differences = Vec::new();
    for columns in ["80", "120", "0"] {
        let Some(mut command) = python("screen.py") else {
            return;
        };
        let mut child = command
            .arg(columns)
            .current_dir(desk.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // They fit into the pipe.
        child
            .stdin
            .take()
            .unwrap()
            .write_all(lines.as_bytes())
            .unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success());
        let shown = String::from_utf8(done.stdout).unwrap();
        let name = if columns == "0" {
            "pipe".to_string()
        } else {
            format!("{columns}_columns")
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("terminal/screens")
            .join(name);
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &shown).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        differences.extend(
            difference(&expected, &shown).map(|difference| format!("{columns}: {difference}")),
        );
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The first line that is not as it was.
fn difference(expected: &str, shown: &str) -> Option<String> {
    let (mut before, mut now) = (expected.lines(), shown.lines());
    for line in 1.. {
        match (before.next(), now.next()) {
            (None, None) => return None,
            (before, now) if before == now => {}
            (before, now) => return Some(format!("line {line}\n  was {before:?}\n  is  {now:?}")),
        }
    }
    None
}
