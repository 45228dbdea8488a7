//! The command line as people use it: formats by endings, beginnings of ids, times, columns, and what datasets say of
//! records that come from files and from spans.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::command_line::{Desk, Ended, report, tracehouse};
use crate::support::{is_root, say};

fn done(arguments: &[&str]) -> String {
    let done = tracehouse(arguments);
    assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
    done.out
}

fn refused(arguments: &[&str]) -> Ended {
    let done = tracehouse(arguments);
    assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
    done
}

/// With text on standard input.
fn with_input(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_statement_takes_parameters_and_files() {
    let desk = Desk::new();
    let db = desk.db();
    let file = |name: &str| desk.path(name).to_str().unwrap().to_string();
    let query = |arguments: &[&str]| done(&[&["sql", &db, "--format", "csv"], arguments].concat());
    let id = query(&["SELECT trace_id FROM traces ORDER BY 1 LIMIT 1"]);
    let id = id.lines().nth(1).unwrap();
    let counted = query(&[
        "SELECT count(*) AS n, $x + 1 AS x FROM traces WHERE trace_id = $id",
        "--param",
        "x=1.5",
        "--param",
        &format!("id:text=tr-{id}"),
    ]);
    assert_eq!(counted, "n,x\n1,2.5\n");
    let missing = refused(&["sql", &db, "SELECT $a, $b", "--param", "a=1"]).err;
    assert!(missing.contains("no value for parameter $b"), "{missing}");
    let unknown = refused(&["sql", &db, "SELECT 1", "--param", "c=1"]).err;
    assert!(unknown.contains("no parameter $c"), "{unknown}");
    fs::write(
        file("labels.csv"),
        format!("trace_id,label\n{id},good\nnone,bad\n"),
    )
    .unwrap();
    let labels = format!("labels={}", file("labels.csv"));
    let joined = query(&[
        "SELECT label FROM labels JOIN traces USING (trace_id)",
        "--file",
        &labels,
    ]);
    assert_eq!(joined, "label\ngood\n");
    let absent = format!("labels={}", file("none.csv"));
    assert!(
        refused(&["sql", &db, "SELECT 1", "--file", &absent])
            .err
            .contains("none.csv")
    );
    let taken = labels.replacen("labels", "spans", 1);
    assert!(
        refused(&["sql", &db, "SELECT 1", "--file", &taken])
            .err
            .contains("'spans'")
    );
    let by_sql = format!("SELECT * FROM '{}'", file("labels.csv"));
    assert!(
        refused(&["sql", &db, &by_sql])
            .err
            .contains("files and addresses")
    );
    let plan = done(&[
        "sql",
        &db,
        "EXPLAIN SELECT count(*) FROM spans WHERE name = 'x'",
    ]);
    assert!(
        plan.lines().count() > 1 && plan.contains("\n  ") && !plan.contains("plan_type"),
        "{plan}"
    );
    assert!(
        plan.lines()
            .last()
            .is_some_and(|line| line.trim_start().starts_with("ScanExec")),
        "{plan}"
    );
}

#[test]
fn views_last_as_long_as_their_session() {
    let desk = Desk::new();
    let db = desk.db();
    let views = desk.file(
        "views.sql",
        b".mode csv\nCREATE VIEW v AS\nSELECT 7 AS a;\nCREATE VIEW w AS TABLE v;\n",
    );
    let read = format!(".read {views}");
    assert_eq!(
        done(&[
            "shell",
            &db,
            "-c",
            &read,
            "-c",
            "SELECT a FROM w; DROP VIEW w",
            "-c",
            "SELECT a FROM v"
        ]),
        "a\n7\na\n7\n"
    );
    let in_sql =
        "CREATE TEMP VIEW v AS SELECT 7 AS a; CREATE VIEW w AS TABLE v; SELECT a, $b AS b FROM w;";
    assert_eq!(
        done(&["sql", &db, in_sql, "--param", "b=1", "--format", "csv"]),
        "a,b\n7,1\n"
    );
    let several = refused(&["sql", &db, "SELECT 1; SELECT 2"]).err;
    assert!(several.contains("only one statement"), "{several}");
    let alone = refused(&["sql", &db, "CREATE VIEW v AS SELECT 1"]).err;
    assert!(
        alone.contains("read-only") && alone.contains("view of the shell"),
        "{alone}"
    );
    assert!(
        refused(&["shell", &db, "-c", "SELECT * FROM v"])
            .err
            .contains("no table named 'v'")
    );
    // Tables that are read only when they are named are there for a view that names them.
    done(&["dataset", "create", &db, "d"]);
    done(&["dataset", "add", &db, "d", "--where", "", "--limit", "2"]);
    let records = "CREATE VIEW r AS SELECT * FROM dataset_records; CREATE VIEW n AS SELECT count(*) AS n FROM r; SELECT n FROM n";
    assert_eq!(done(&["sql", &db, records, "--format", "csv"]), "n\n2\n");
}

#[test]
fn the_ending_of_a_file_chooses_its_format() {
    let desk = Desk::new();
    let db = desk.db();
    let file = |name: &str| desk.path(name).to_str().unwrap().to_string();
    done(&["dataset", "create", &db, "d"]);
    done(&["dataset", "add", &db, "d", "--where", ""]);
    let statement = "SELECT trace_id, state FROM traces ORDER BY trace_id LIMIT 2";
    for (name, start) in [
        ("a.csv", "trace_id,state\n"),
        ("a.jsonl", "{\"trace_id\""),
        ("a.json", "[{"),
        ("a.parquet", "PAR1"),
        ("a.txt", "trace_id"),
        ("none", "trace_id"),
        ("A.CSV", "trace_id,state\n"),
    ] {
        done(&["sql", &db, statement, "--output", &file(name)]);
        let bytes = fs::read(file(name)).unwrap();
        assert!(
            bytes.starts_with(start.as_bytes()),
            "{name}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    done(&[
        "sql",
        &db,
        statement,
        "--output",
        &file("b.csv"),
        "--format",
        "jsonl",
    ]);
    assert!(
        fs::read_to_string(file("b.csv")).unwrap().starts_with('{'),
        "what is said counts"
    );
    for (name, start) in [
        ("d.csv", "dataset_record_id,"),
        ("d.jsonl", "{\"dataset_record_id\""),
        ("d.parquet", "PAR1"),
    ] {
        done(&["dataset", "export", &db, "d", "--output", &file(name)]);
        assert!(
            fs::read(file(name)).unwrap().starts_with(start.as_bytes()),
            "{name}"
        );
    }
    let xlsx = file("a.xlsx");
    for arguments in [
        &["sql", &db, statement, "--output", &xlsx][..],
        &["dataset", "export", &db, "d", "-o", &xlsx],
    ] {
        assert!(refused(arguments).err.contains("xlsx"));
        assert!(!Path::new(&xlsx).exists());
    }
}

#[test]
fn a_beginning_of_an_id_shows_the_trace() {
    let desk = Desk::new();
    let db = desk.db();
    let span = |trace: &str| {
        let body = json!({
            "traceId": trace, "spanId": "1111111111111111", "name": "chat",
            "startTimeUnixNano": "1740787200000000000", "endTimeUnixNano": "1740787200000001000",
        });
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [body]}]}]}).to_string()
    };
    let ids = [
        "7f628ad5000000000000000000000001",
        "7f628ad6000000000000000000000002",
    ];
    done(&[
        "import",
        &db,
        &desk.file("two.jsonl", ids.map(span).join("\n").as_bytes()),
    ]);
    let (id, unique) = (ids[0], "7f628ad5");
    for form in ["tree", "json"] {
        assert_eq!(
            done(&["show", &db, unique, "--format", form]),
            done(&["show", &db, id, "--format", form])
        );
    }
    let several = refused(&["show", &db, "7f628ad"]);
    assert!(
        several.err.contains("several traces begin with") && several.err.contains(id),
        "{several:?}"
    );
}

#[test]
fn a_database_is_not_left_behind_for_nothing() {
    let desk = Desk::new();
    let new = desk.path("new.traces").to_str().unwrap().to_string();
    let photo = desk.file(
        "photo.jpg",
        &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F'],
    );
    let before = fs::read_dir(desk.path("")).unwrap().count();
    refused(&["import", &new, &photo]);
    assert_ne!(tracehouse(&["import", &new, &photo, "--strict"]).code, 0);
    refused(&["import", &new, desk.path("nowhere.jsonl").to_str().unwrap()]);
    assert!(!Path::new(&new).exists());
    assert_eq!(
        fs::read_dir(desk.path("")).unwrap().count(),
        before,
        "nor anything else"
    );
    // One that was there stays, and so does one with something in it.
    refused(&["import", &desk.db(), &photo]);
    desk.assert_intact(&Ended {
        code: 2,
        out: String::new(),
        err: String::new(),
    });
    done(&["dataset", "create", &new, "d"]);
    refused(&["import", &new, &photo]);
    assert!(done(&["dataset", "list", &new]).contains('d'));
    let set = desk.path("set.traces").to_str().unwrap().to_string();
    refused(&["import", &set, &photo, "--redact", "emails"]);
    assert!(Path::new(&set).exists(), "a setting is something");
}

#[test]
fn a_database_that_may_not_be_read_is_not_a_missing_one() {
    let desk = Desk::new();
    let shut = |mode| fs::set_permissions(desk.db(), fs::Permissions::from_mode(mode)).unwrap();
    fs::set_permissions(desk.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    shut(0o000);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"));
    command.args(["stats", &desk.db()]);
    if is_root() {
        // Whom rights do not hold back is someone else for once.
        command.uid(65_534).gid(65_534);
    }
    let ran = command.output();
    shut(0o700);
    let Ok(ran) = ran else {
        return say("rights were not tested: the binary may not be run by others");
    };
    let message = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{message}");
    assert!(
        message.contains("Permission denied") && !message.contains("no database"),
        "{message}"
    );
}

#[test]
fn files_for_others_follow_the_umask() {
    let desk = Desk::new();
    let folder = desk.path("tables");
    done(&["export", &desk.db(), folder.to_str().unwrap()]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let plain = desk.path("plain");
    fs::create_dir(&plain).unwrap();
    File::create(plain.join("file")).unwrap();
    assert_eq!(mode(&folder), mode(&plain));
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), mode(&plain.join("file")));
    }
    assert_eq!(
        mode(&desk.path("desk.traces")),
        0o700,
        "a database is its owner's"
    );
}

#[test]
fn columns_of_a_search_are_chosen() {
    let desk = Desk::new();
    let db = desk.db();
    let filter = "trace_id = 'a0000000000000000000000000000000'";
    done(&[
        "tag",
        &db,
        "a0000000000000000000000000000000",
        "env=prod",
        "f==1+1",
    ]);
    let chosen = |filter: &str, columns: &str, format: &str| {
        done(&[
            "search",
            &db,
            filter,
            "--columns",
            columns,
            "--format",
            format,
        ])
    };
    let columns = "trace_id,tags.env,tags.f,tags.none,duration";
    let csv = chosen(filter, columns, "csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "trace_id,tags.env,tags.f,tags.none,duration_ns");
    assert!(
        lines[1].starts_with("a0000000000000000000000000000000,prod,'=1+1,,"),
        "{csv}"
    );
    assert!(
        lines[1].rsplit(',').next().unwrap().parse::<i64>().is_ok(),
        "{csv}"
    );
    let lines = chosen(filter, "state,tags.env", "jsonl");
    let row: Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(
        (row.as_object().unwrap().len(), row["tags.env"].as_str()),
        (2, Some("prod"))
    );
    let page = report(&tracehouse(&[
        "search",
        &db,
        "--columns",
        "state",
        "--json",
        "--limit",
        "2",
    ]));
    assert_eq!(page["traces"].as_array().unwrap().len(), 2);
    assert!(page["next_page_token"].is_string());
    let table = done(&["search", &db, filter, "--columns", columns]);
    assert!(
        table.starts_with("trace_id") && table.lines().next().unwrap().ends_with("duration"),
        "{table}"
    );
    let all = done(&["search", &db, "--format", "csv", "--limit", "3"]);
    assert!(all.starts_with("trace_id,experiment_id,"), "{all}");
    assert_eq!(chosen("state = 'nothing'", "state", "csv"), "state\n");
    assert!(
        refused(&["search", &db, "--columns", "nmae"])
            .err
            .contains("nmae")
    );
}

/// A window of time. The traces begin at 2025-03-01T00:00:00Z, most of them one a minute.
const FROM: &str = "2025-03-01T00:02:00Z";
const TO: &str = "2025-03-01 00:05:00";
const WINDOW: [&str; 4] = ["--from", FROM, "--to", TO];
/// The same as a filter.
const IN_WINDOW: &str =
    "timestamp >= '2025-03-01T00:02:00Z' AND timestamp <= '2025-03-01 00:05:00'";

/// How many traces a search finds.
fn count(db: &str, more: &[&str]) -> u64 {
    done(&[&["search", db, "--count"][..], more].concat())
        .trim()
        .parse::<u64>()
        .unwrap()
}

/// What a command says as JSON, with more arguments.
fn told(arguments: &[&str], more: &[&str]) -> Value {
    report(&tracehouse(&[arguments, more].concat()))
}

#[test]
fn times_are_options_of_a_search() {
    let desk = Desk::new();
    let db = desk.db();
    let count = |more: &[&str]| count(&db, more);
    let all = count(&[]);
    let some = count(&[IN_WINDOW]);
    assert!(some > 0 && some < all);
    assert_eq!(count(&WINDOW), some);
    assert_eq!(
        count(&["state = 'OK' OR state != 'OK'", "--from", FROM, "--to", TO]),
        some
    );
    assert_eq!(
        (count(&["--since", "1s"]), count(&["--since", "1970-01-01"])),
        (0, all)
    );
    assert_eq!(count(&["--to", "now() - 1d"]), all);
    for wrong in [
        &["--since", "soon"][..],
        &["--from", TO, "--to", FROM],
        &["--since", "1h", "--from", FROM],
    ] {
        refused(&[&["search", &db][..], wrong].concat());
    }
    assert!(
        refused(&["search", &db, "nme = 'x'", "--since", "1h"])
            .err
            .contains("position 1")
    );
}

#[test]
fn times_are_options_of_text_sessions_and_metrics() {
    let desk = Desk::new();
    let db = desk.db();
    let hits = |more: &[&str]| {
        let text = ["text", &db, "refund OR search", "--limit", "500", "--json"];
        told(&text, more).as_array().unwrap().len()
    };
    assert!(hits(&WINDOW) < hits(&[]), "text");
    let sessions = |more: &[&str]| {
        let found = told(&["sessions", &db, "--limit", "500", "--json"], more);
        found["sessions"].as_array().unwrap().len()
    };
    assert!(
        sessions(&WINDOW) < sessions(&[]) && sessions(&["--since", "1h"]) == 0,
        "sessions"
    );
    let traces = |more: &[&str]| {
        let points = told(&["metrics", &db, "traces", "trace_count", "--json"], more);
        points["points"][0]["values"]["COUNT"]
            .as_f64()
            .unwrap_or_default() as u64
    };
    assert_eq!(
        (traces(&WINDOW), traces(&["--since", "1970-01-01"])),
        (count(&db, &[IN_WINDOW]), count(&db, &[]))
    );
    assert!(done(&["metrics", &db, "traces", "latency"]).contains("AVG (ms)"));
}

#[test]
fn times_are_options_of_datasets_and_deletes() {
    let desk = Desk::new();
    let db = desk.db();
    let (all, some) = (count(&db, &[]), count(&db, &[IN_WINDOW]));
    done(&["dataset", "create", &db, "d"]);
    let added = told(
        &["dataset", "add", &db, "d", "--where", "", "--json"],
        &WINDOW,
    );
    let figures = ["inserted", "unchanged", "skipped"].map(|name| added[name].as_u64().unwrap());
    assert_eq!(figures.iter().sum::<u64>(), some, "{added}");
    let plan = told(&["delete", &db, "--dry-run", "--json"], &WINDOW);
    assert_eq!(plan["matched"].as_u64(), Some(some));
    refused(&["delete", &db, "--before", "10y", "--yes"]);
    refused(&[
        "delete",
        &db,
        "a0000000000000000000000000000000",
        "--since",
        "1h",
    ]);
    done(&[&["delete", &db, "--yes"][..], &WINDOW].concat());
    assert_eq!(count(&db, &[]), all - some);
}

#[test]
fn a_merge_says_what_became_of_every_member() {
    let desk = Desk::new();
    let db = desk.db();
    let records = "{\"inputs\":{\"q\":1},\"expected_output\":\"A\",\"score\":1}\n{\"inputs\":{\"q\":2},\"metadata\":{\"k\":1}}\n";
    let file = desk.file("records.jsonl", records.as_bytes());
    done(&["dataset", "create", &db, "d"]);
    let text = done(&["dataset", "merge", &db, "d", &file]);
    assert_eq!(
        text,
        "2 added, 0 updated, 0 unchanged; taken as expectations: expected_output (1); taken as tags: metadata (1); \
         ignored members: score (1): d is version 1 with 2 records\n"
    );
    let again: Value = serde_json::from_str(&with_input(
        &["dataset", "merge", &db, "d", "-", "--json"],
        records,
    ))
    .unwrap();
    assert_eq!(again["unchanged"].as_u64(), Some(2));
    assert_eq!(again["ignored_members"]["score"].as_u64(), Some(1));
    assert_eq!(
        again["taken_members"]["expected_output"]["as"].as_str(),
        Some("expectations")
    );
    for name in ["d.csv", "d.parquet", "d.jsonl"] {
        let path = desk.path(name).to_str().unwrap().to_string();
        done(&["dataset", "export", &db, "d", "--output", &path]);
        let text = done(&["dataset", "merge", &db, "d", &path]);
        assert_eq!(
            text, "0 added, 0 updated, 2 unchanged: d is version 1 with 2 records\n",
            "{name}"
        );
    }
    let csv = with_input(
        &["dataset", "merge", &db, "d", "-", "--format", "csv"],
        "input,expected\n007,42\n",
    );
    assert!(
        csv.starts_with("1 added, 0 updated, 0 unchanged; taken as"),
        "{csv}"
    );
    let export = done(&["dataset", "export", &db, "d"]);
    assert!(
        export
            .contains("\"inputs\":\"007\",\"outputs\":null,\"expectations\":{\"expected\":\"42\"}"),
        "{export}"
    );
    let edited = "{\"inputs\":{\"q\":1},\"expectations\":{\"expected_output\":\"B\",\"n\":12345678901234567890123}}";
    with_input(&["dataset", "merge", &db, "d", "-"], edited);
    let diff = done(&["dataset", "diff", &db, "d"]);
    assert!(
        diff.contains("  {\"q\":1}\n    expectations.expected_output: \"A\" -> \"B\"\n"),
        "{diff}"
    );
    let diff = done(&["dataset", "diff", &db, "d", "--json"]);
    assert!(diff.contains("\"after\":12345678901234567890123"), "{diff}");
    let diff: Value = serde_json::from_str(&diff).unwrap();
    assert_eq!(
        diff["changes"][0]["parts"][0]["after"].as_str(),
        Some("B"),
        "{diff}"
    );
}

#[test]
fn records_are_made_from_spans() {
    let desk = Desk::new();
    let db = desk.db();
    done(&["dataset", "create", &db, "calls"]);
    refused(&["dataset", "add", &db, "calls"]);
    refused(&["dataset", "add", &db, "calls", "--spans", "", "--where", ""]);
    let add = |more: &[&str]| {
        report(&tracehouse(
            &[
                &[
                    "dataset",
                    "add",
                    &db,
                    "calls",
                    "--json",
                    "--spans",
                    "span.type = 'TOOL'",
                ][..],
                more,
            ]
            .concat(),
        ))
    };
    let distinct = done(&[
        "sql",
        &db,
        "SELECT count(DISTINCT inputs) AS n FROM spans WHERE span_type = 'TOOL' AND inputs IS NOT NULL",
        "--format",
        "csv",
    ]);
    let distinct: u64 = distinct.lines().last().unwrap().parse().unwrap();
    assert!(distinct > 2, "{distinct}");
    let sampled = add(&["--sample", "2", "--stratify", "span.tool", "--seed", "3"]);
    assert_eq!(sampled["inserted"].as_u64(), Some(2), "{sampled}");
    assert_eq!(add(&[])["record_count"].as_u64(), Some(distinct));
    let spans = "SELECT count(*) AS n FROM dataset_records r JOIN spans s ON r.source_span_id = s.span_id AND \
                 r.source_trace_id = s.trace_id WHERE s.span_type = 'TOOL'";
    assert_eq!(
        done(&["sql", &db, spans, "--format", "csv"]),
        format!("n\n{distinct}\n")
    );
}

#[test]
fn shells_and_man_are_told_of_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = done(&["completions", shell]);
        assert!(
            script.contains("dataset") && script.contains("stratify"),
            "{shell}"
        );
    }
    let page = done(&["man"]);
    for part in [
        ".TH",
        ".SH \"TRACEHOUSE DATASET ADD\"",
        "\\-\\-stratify",
        ".SH \"TRACEHOUSE SEARCH\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
