//! Mistakes that everybody makes once, and what the command line says to each: what would be right.

use std::path::Path;
use std::process::{Command, Stdio};

use tracehouse_storage::env::{Env, RealEnv};

use crate::command_line::{Desk, tracehouse};
use crate::data;

/// A filled database with a tag, a feedback and a dataset.
fn desk() -> Desk {
    let desk = Desk::new();
    let (db, id) = (desk.db(), data::trace_id(0));
    for arguments in [
        &["tag", &db, &id, "env=prod"][..],
        &["assess", &db, &id, "--feedback", "helpful=true"],
        &["dataset", "create", &db, "first-regressions"],
    ] {
        let done = tracehouse(&[&["--quiet"], arguments].concat());
        assert_eq!(done.code, 0, "{done:?}");
    }
    desk
}

#[test]
fn a_mistaken_filter_is_told_what_would_be_right() {
    let desk = desk();
    for (filter, right) in [
        ("stat = 'ERROR'", "position 1. Did you mean 'state'?\n"),
        ("metrics.latency > 5", "Valid values are trace, attribute,"),
        (
            "state = ERROR",
            "'ERROR' at position 9: expected a value: a text is written in quotes, 'ERROR'",
        ),
        (
            "state == 'ERROR'",
            "'==' at position 7: equality is written '='",
        ),
        (
            "state = 'ERROR",
            "at position 9: the closing quote is missing",
        ),
        ("(state = 'ERROR'", "the '(' at position 1 is not closed"),
        (
            "total_tokens > 1k",
            "'1k' at position 16: this is not a number: all its digits are written, 1000",
        ),
        (
            "timestamp > 2026-01-31",
            "'2026-01-31' at position 13: a time is written in quotes, '2026-01-31'",
        ),
        ("timestamp > 'tomorrow'", "Expected a time"),
    ] {
        let done = tracehouse(&["search", &desk.db(), filter]);
        assert!(
            done.code == 2 && done.out.is_empty() && done.err.contains(right),
            "{filter}: {done:?}"
        );
    }
}

/// Filters for what no trace has or can have, and what the notice says.
const OF_NOTHING: &[(&str, &str)] = &[
    (
        "feedback.helpfull = true",
        "no trace has feedback.helpfull; did you mean feedback.helpful?",
    ),
    (
        "expectation.helpful = true",
        "no trace has expectation.helpful",
    ),
    (
        "tags.evn = 'prod'",
        "no trace has tags.evn; did you mean tags.env?",
    ),
    (
        "metadata.nothing_like_it = '1'",
        "no trace has metadata.nothing_like_it",
    ),
    (
        "span.attributes.nothing.like.it = 'x'",
        "no trace has span.attributes.nothing.like.it",
    ),
    (
        "resource.servce.name = 'x'",
        "no trace has resource.servce.name; did you mean resource.service.name?",
    ),
    (
        "state = 'error'",
        "state is never 'error'; did you mean 'ERROR'?",
    ),
    (
        "span.status = 'FAILED'",
        "span.status is never 'FAILED': it is OK, ERROR, UNSET",
    ),
    (
        "span.kind = 'client'",
        "span.kind is never 'client'; did you mean 'CLIENT'?",
    ),
    (
        "span.type = 'llm'",
        "no trace has span.type 'llm'; did you mean span.type 'LLM'?",
    ),
];

#[test]
fn what_no_trace_has_or_can_have_is_answered_with_a_notice() {
    let desk = desk();
    let db = desk.db();
    for &(filter, notice) in OF_NOTHING {
        let done = tracehouse(&["search", &db, filter, "--format", "ids"]);
        assert_eq!(
            (done.code, done.out.as_str()),
            (0, ""),
            "{filter}: {done:?}"
        );
        assert_eq!(done.err, format!("notice: {notice}\n"), "{filter}");
    }
    let misspelt = "tags.evn = 'prod'";
    let quiet = tracehouse(&["search", &db, misspelt, "--format", "ids", "--quiet"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""), "{quiet:?}");
    let counted = tracehouse(&["search", &db, misspelt, "--count"]);
    assert!(
        counted.out == "0\n" && counted.err.contains("tags.env"),
        "{counted:?}"
    );
    let json = tracehouse(&["--json", "search", &db, misspelt]);
    let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        document["notices"][0].as_str(),
        Some("no trace has tags.evn; did you mean tags.env?")
    );
}

/// An answer proves that the names it needs are there, but not those it can do without.
#[test]
fn an_answer_has_notices_of_what_it_can_do_without() {
    let desk = desk();
    let db = desk.db();
    for filter in [
        "feedback.helpful = false",
        "tags.env = 'test'",
        "tags.env = 'prod' OR tags.env = 'test'",
    ] {
        let done = tracehouse(&["search", &db, filter, "--format", "ids"]);
        assert_eq!(
            (done.code, done.err.as_str()),
            (0, ""),
            "{filter}: {done:?}"
        );
    }
    for (filter, notice) in [
        (
            "tags.env = 'prod' OR tags.evn = 'prod'",
            "no trace has tags.evn; did you mean tags.env?",
        ),
        (
            "NOT tags.evn = 'prod'",
            "no trace has tags.evn; did you mean tags.env?",
        ),
        (
            "tags.evn IS NULL",
            "no trace has tags.evn; did you mean tags.env?",
        ),
        (
            "tags.env = 'prod' AND NOT state = 'error'",
            "state is never 'error'; did you mean 'ERROR'?",
        ),
        (
            "NOT feedback.helpfull = true",
            "no trace has feedback.helpfull; did you mean feedback.helpful?",
        ),
    ] {
        let done = tracehouse(&["search", &db, filter, "--count"]);
        assert!(done.code == 0 && done.out != "0\n", "{filter}: {done:?}");
        assert_eq!(done.err, format!("notice: {notice}\n"), "{filter}");
    }
}

#[test]
fn what_changes_a_database_has_notices_too() {
    let desk = desk();
    let db = desk.db();
    let notice = "notice: no trace has tags.evn; did you mean tags.env?\n";
    let dry = tracehouse(&[
        "delete",
        &db,
        "--where",
        "NOT tags.evn = 'prod'",
        "--dry-run",
    ]);
    assert!(dry.code == 0 && dry.err == notice, "{dry:?}");
    let refused = tracehouse(&["delete", &db, "--where", "NOT tags.evn = 'prod'"]);
    assert!(
        refused.code == 2 && refused.err.starts_with(notice),
        "{refused:?}"
    );
    let added = tracehouse(&[
        "dataset",
        "add",
        &db,
        "first-regressions",
        "--where",
        "tags.evn = 'prod'",
    ]);
    assert!(added.code == 0 && added.err == notice, "{added:?}");
}

/// Statements about what no trace has or can have, and what the notice says.
const SQL_OF_NOTHING: &[(&str, &str)] = &[
    (
        "SELECT count(*) FROM traces WHERE tags['evn'] = 'prod'",
        "no trace has tags['evn']; did you mean tags['env']?",
    ),
    (
        "SELECT t.metadata['nothing'] FROM traces t LIMIT 1",
        "no trace has metadata['nothing']",
    ),
    (
        "SELECT count(attributes ->> 'nothing.like.it') FROM spans",
        "no trace has attributes ->> 'nothing.like.it'",
    ),
    (
        "SELECT count(*) FROM spans WHERE json_get_str(attributes, 'no.such.key') = 'x'",
        "no trace has attributes ->> 'no.such.key'",
    ),
    (
        "SELECT count(*) FROM spans s WHERE s.resource ? 'servce.name'",
        "no trace has resource ->> 'servce.name'; did you mean resource ->> 'service.name'?",
    ),
    (
        "SELECT count(*) FROM traces WHERE state = 'error'",
        "state is never 'error'; did you mean 'ERROR'?",
    ),
    (
        "SELECT count(*) FROM spans WHERE status IN ('OK', 'FAILED')",
        "status is never 'FAILED': it is OK, ERROR, UNSET",
    ),
    (
        "SELECT count(*) FROM spans WHERE span_type = 'llm'",
        "no trace has span_type 'llm'; did you mean span_type 'LLM'?",
    ),
];

#[test]
fn sql_has_notices_too() {
    let desk = desk();
    let db = desk.db();
    for &(statement, notice) in SQL_OF_NOTHING {
        let done = tracehouse(&["sql", &db, statement, "--format", "csv"]);
        assert_eq!(
            (done.code, done.err),
            (0, format!("notice: {notice}\n")),
            "{statement}"
        );
        let quiet = tracehouse(&["sql", &db, statement, "--quiet"]);
        assert_eq!((quiet.code, quiet.err.as_str()), (0, ""), "{statement}");
    }
    // What is there, and columns that may be another table's, have none.
    for statement in [
        "SELECT count(*) FROM traces WHERE tags['env'] = 'test' AND state = 'OK'",
        "SELECT count(*) FROM assessments WHERE metadata['nothing'] = 'x'",
        // A key that is there, and null wherever it is.
        "SELECT count(*) FROM spans WHERE attributes ->> 'nothing' = 'x'",
        "SELECT count(*) FROM events WHERE attributes ->> 'nothing' = 'x'",
        "SELECT count(*) FROM spans s CROSS JOIN unnest(s.events) AS t(e) WHERE e.attributes ->> 'nothing' = 'x'",
    ] {
        let done = tracehouse(&["sql", &db, statement, "--format", "csv"]);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{statement}");
    }
    let shell = tracehouse(&[
        "shell",
        &db,
        "-c",
        "SELECT count(*) FROM traces WHERE state = 'error';",
    ]);
    assert!(
        shell.code == 0 && shell.err == "notice: state is never 'error'; did you mean 'ERROR'?\n",
        "{shell:?}"
    );
}

/// The arguments are refused, and told what would be right.
fn assert_told(arguments: &[&str], right: &str) {
    let done = tracehouse(arguments);
    assert!(
        done.code == 2 && done.err.contains(right),
        "{arguments:?}: {done:?}"
    );
    assert!(!done.err.contains("internal error"), "{done:?}");
}

#[test]
fn mistaken_sql_is_told_what_would_be_right() {
    let desk = desk();
    for (statement, right) in [
        ("SELECT modle FROM spans", "did you mean 'model'?"),
        (
            "SELECT * FROM span",
            "no table named 'span'; did you mean 'spans'?",
        ),
        (
            "SELECT * FROM elephants",
            "no table named 'elephants'; SHOW TABLES lists them",
        ),
        (
            "SELECT 1 FROM traces WHERE state = \"ERROR\"",
            "single quotes: 'ERROR'",
        ),
        (
            "SELECT sum(name) FROM spans",
            "sum() cannot be computed of a String",
        ),
        ("CREATE TABLE x AS SELECT 1", "read-only"),
        ("COPY spans TO 'x.csv'", "read-only"),
    ] {
        assert_told(&["sql", &desk.db(), statement], right);
    }
}

#[test]
fn other_mistakes_are_told_what_would_be_right() {
    let desk = desk();
    let (db, id) = (desk.db(), data::trace_id(0));
    let feedback = format!("{{\"trace_id\":\"{id}\",\"name\":\"good\",\"value\":true}}\n");
    let feedback = desk.file("feedback.jsonl", feedback.as_bytes());
    let picture = desk.file("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR");
    let mlflow = desk.file("mlflow.db", b"SQLite format 3\0");
    let path = |name: &str| desk.path(name).to_str().unwrap().to_string();
    let (new, missing) = (path("new.traces"), path("missing.traces"));
    for (arguments, right) in [
        (&["search", &missing, ""][..], "no database at"),
        (&["import", &new, &picture], "not a trace file"),
        (
            &["import", &new, &mlflow],
            "`python -m tracehouse.mlflow import mlflow.db app.traces`",
        ),
        (
            &["import", &new, "postgresql://user@host/mlflow"],
            "`python -m tracehouse.mlflow import URL app.traces`",
        ),
        (
            &["import", &db, &feedback],
            "found an assessment, which is imported as one (--assessments FILE)",
        ),
        (
            &["show", &db, "ffff"],
            "trace ffff not found: no id begins like this",
        ),
        (&["show", &db, ""], "a trace id expected"),
        (
            &["show", &db, "not an id"],
            "trace not an id not found: no id begins like this",
        ),
        (
            &["dataset", "show", &db, "first-regresions"],
            "did you mean \"first-regressions\"?",
        ),
        (
            &["dataset", "show", &db, "elephants"],
            "dataset \"elephants\" not found\n",
        ),
        (
            &[
                "dataset",
                "show",
                &db,
                "first-regressions",
                "--version",
                "9",
            ],
            "no version 9: its newest is",
        ),
    ] {
        assert_told(arguments, right);
    }
    assert!(!Path::new(&missing).exists() && !Path::new(&new).exists());
}

#[test]
fn a_database_in_use_tells_who_uses_it() {
    let desk = Desk::new();
    let db = desk.db();
    let mut import = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .args(["import", db.as_str(), "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let env = RealEnv::new(desk.path("desk.traces"));
    while env.lock_root("").is_ok() {
        std::thread::yield_now();
    }
    let done = tracehouse(&["tag", &db, &data::trace_id(0), "a=b"]);
    drop(import.stdin.take());
    import.wait().unwrap();
    let told = format!("locked by pid {}, since 20", import.id());
    assert!(done.code == 1 && done.err.contains(&told), "{done:?}");
    assert!(
        done.err.contains(" import (tracehouse ") && !done.err.contains("boot"),
        "{done:?}"
    );
}
