//! The command line as a process: exit codes, messages, and what is left in the database (bad input
//! through the library is in `bad_input`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tracehouse_storage::store::FORMAT_VERSION;

use crate::data;

/// A folder with a filled database and room for files.
pub struct Desk {
    folder: TempDir,
    spans: u64,
}

/// What a command did.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the command line.
pub fn tracehouse(arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

impl Desk {
    pub fn new() -> Self {
        let mut desk = Self {
            folder: tempfile::tempdir().unwrap(),
            spans: 0,
        };
        let file = desk.file("good.jsonl", data::lines().join("\n").as_bytes());
        let done = tracehouse(&["--json", "import", &desk.db(), &file]);
        assert_eq!(done.code, 0, "{done:?}");
        desk.spans = report(&done)["spans"].as_u64().unwrap();
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn db(&self) -> String {
        self.path("desk.traces").to_str().unwrap().to_string()
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name).to_str().unwrap().to_string()
    }

    /// Nothing that was stored is gone.
    pub fn assert_intact(&self, what: &Ended) {
        let done = tracehouse(&[
            "--json",
            "sql",
            &self.db(),
            "SELECT count(*) AS n FROM spans",
        ]);
        let rows: Value =
            serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{done:?} after {what:?}"));
        assert!(
            rows[0]["n"].as_u64() >= Some(self.spans),
            "{rows} after {what:?}"
        );
    }
}

pub fn report(done: &Ended) -> Value {
    serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_that_are_no_traces_exit_with_2() {
    let desk = Desk::new();
    let noise: Vec<u8> = (0..50_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect();
    let whole = gzip(data::lines().join("\n").as_bytes());
    for (name, bytes) in [
        (
            "picture.png",
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".as_slice(),
        ),
        ("noise.bin", &noise),
        (
            "letter.txt",
            b"Dear reader,\nthis is a letter.\n".as_slice(),
        ),
        ("cut.jsonl.gz", &whole[..whole.len() / 2]),
    ] {
        let done = tracehouse(&["import", &desk.db(), &desk.file(name, bytes)]);
        assert_eq!(done.code, 2, "{name}: {done:?}");
        assert!(done.err.contains(name), "{name}: {done:?}");
        desk.assert_intact(&done);
    }
    let done = tracehouse(&[
        "import",
        &desk.db(),
        desk.path("missing.jsonl").to_str().unwrap(),
    ]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.err.contains("missing.jsonl"), "{done:?}");
    desk.assert_intact(&done);
}

#[test]
fn a_bad_line_is_reported_with_its_place() {
    let desk = Desk::new();
    let mut lines = data::corrections();
    lines.insert(1, "{\"resourceSpans\": [".into());
    let file = desk.file("mixed.jsonl", lines.join("\n").as_bytes());
    let done = tracehouse(&["--json", "import", &desk.db(), &file]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = report(&done);
    assert_eq!(report["rejected"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(
        (
            report["rejected"][0]["line"].clone(),
            report["spans"].clone()
        ),
        (2.into(), 1.into()),
        "{report}"
    );
    assert_eq!(report["rejected"][0]["file"].as_str(), Some(file.as_str()));
    desk.assert_intact(&done);
    let done = tracehouse(&["import", "--strict", &desk.db(), &file]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.err.contains("mixed.jsonl:2"), "{done:?}");
    desk.assert_intact(&done);
}

#[test]
fn an_import_in_vain_exits_with_2() {
    let desk = Desk::new();
    let verdict = desk.file(
        "verdict.jsonl",
        b"{\"trace_id\":\"abcd\",\"name\":\"score\",\"value\":1}\n",
    );
    let spans = desk.file(
        "spans.jsonl",
        b"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"no id\"}]}]}]}\n",
    );
    for arguments in [
        &["--assessments", &verdict][..],
        &[&spans],
        &[&spans, "--assessments", &verdict],
    ] {
        let done = tracehouse(&[&["import", &desk.db()], arguments].concat());
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains("nothing was kept"), "{done:?}");
        desk.assert_intact(&done);
    }
    let whole = desk.file("whole.jsonl", data::lines().join("\n").as_bytes());
    let done = tracehouse(&["import", &desk.db(), &whole, "--assessments", &verdict]);
    assert_eq!(done.code, 0, "only a part was rejected: {done:?}");
    let nothing = desk.file("nothing.jsonl", b"{\"resourceSpans\":[]}\n");
    let done = tracehouse(&["import", &desk.db(), &nothing]);
    assert_eq!(
        done.code, 0,
        "a request without spans is no error: {done:?}"
    );
}

#[test]
fn databases_that_cannot_be_opened_are_named() {
    let desk = Desk::new();
    let missing = desk.path("nowhere.traces").to_str().unwrap().to_string();
    for arguments in [
        &["search", missing.as_str()][..],
        &["sql", &missing, "SELECT 1"],
        &["stats", &missing],
    ] {
        let done = tracehouse(arguments);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains("nowhere.traces"), "{done:?}");
        assert!(!Path::new(&missing).exists(), "{done:?} made it");
    }
    let other = desk.path("photos");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("cat.jpg"), b"meow").unwrap();
    let done = tracehouse(&[
        "import",
        other.to_str().unwrap(),
        &desk.file("empty.jsonl", b"{}\n"),
    ]);
    assert_eq!(done.code, 2, "{done:?}");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1, "{done:?}");

    let format = desk.path("desk.traces").join("FORMAT");
    let old = fs::read_to_string(&format).unwrap();
    let least = format!("_version_min\":{FORMAT_VERSION}");
    assert!(old.contains(&least), "{old}");
    fs::write(&format, old.replace(&least, "_version_min\":99")).unwrap();
    for arguments in [
        &["stats", &desk.db()][..],
        &["import", &desk.db(), &desk.file("empty.jsonl", b"{}\n")],
    ] {
        let done = tracehouse(arguments);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(
            done.err.contains("99") && done.err.contains("desk.traces"),
            "{done:?}"
        );
    }
    fs::write(&format, old).unwrap();
    desk.assert_intact(&Ended {
        code: 0,
        out: String::new(),
        err: String::new(),
    });
}

#[test]
fn wrong_questions_exit_with_2_and_say_where() {
    let desk = Desk::new();
    let db = desk.db();
    for (arguments, word) in [
        (&["search", &db, "nme = 'x'"][..], "nme"),
        (&["search", &db, "state ="], "position"),
        (&["sql", &db, "DROP TABLE traces"], "read-only"),
        (&["sql", &db, "SELECT nope FROM traces"], "nope"),
        (&["text", &db, "\"open"], "not closed"),
        (&["show", &db, "ffff"], "ffff"),
        (&["tag", &db, "ffff", "k=v"], "ffff"),
        (&["frobnicate", &db], "frobnicate"),
    ] {
        let done = tracehouse(arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
        assert!(done.err.contains(word), "{arguments:?}: {done:?}");
        assert!(done.out.is_empty(), "{arguments:?}: {done:?}");
    }
}

#[test]
fn damage_is_found_and_repaired_with_exit_codes() {
    let desk = Desk::new();
    let db = desk.db();
    assert_eq!(tracehouse(&["compact", &db]).code, 0);
    let done = tracehouse(&["--json", "check", &db, "--deep"]);
    assert_eq!(
        (done.code, report(&done)["clean"].clone()),
        (0, true.into()),
        "{done:?}"
    );
    assert_eq!(tracehouse(&["repair", &db, "--apply"]).code, 0);
    let segment = fs::read_dir(desk.path("desk.traces/seg"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = segment.join("assessments.parquet");
    fs::write(segment.join("traces.parquet"), b"nonsense").unwrap();
    assert!(!file.exists(), "no assessments were imported");
    let done = tracehouse(&["--json", "check", &db]);
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(
        report(&done)["findings"][0]["severity"].as_str(),
        Some("damage"),
        "{done:?}"
    );
    assert!(
        done.out.contains("traces.parquet") && done.err.contains("repair"),
        "{done:?}"
    );
    let plan = tracehouse(&["repair", &db]);
    assert_eq!(plan.code, 1, "{plan:?}");
    assert!(
        plan.out.contains("would be lost") && plan.err.contains("--apply"),
        "{plan:?}"
    );
    let done = tracehouse(&["repair", &db, "--apply"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("quarantine/"), "{done:?}");
    assert_eq!(tracehouse(&["check", &db, "--deep"]).code, 0);
    // The rows of traces are made again from the spans, which are all there.
    desk.assert_intact(&done);
    for command in ["check", "repair"] {
        let done = tracehouse(&[command, desk.path("nowhere.traces").to_str().unwrap()]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains("nowhere.traces"), "{done:?}");
    }
}

#[test]
fn copies_are_made_once_and_exports_have_a_file_for_each_table() {
    let desk = Desk::new();
    let (db, copy) = (
        desk.db(),
        desk.path("copy.traces").to_str().unwrap().to_string(),
    );
    let done = tracehouse(&["--json", "backup", &db, &copy]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(report(&done)["bytes"].as_u64() > Some(0), "{done:?}");
    let count =
        |db: &str| tracehouse(&["--json", "sql", db, "SELECT count(*) AS n FROM spans"]).out;
    assert_eq!(count(&copy), count(&db));
    let done = tracehouse(&["backup", &db, &copy]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("not empty"), "{done:?}");
    let folder = desk.path("tables");
    let done = tracehouse(&["--json", "export", &db, folder.to_str().unwrap()]);
    assert_eq!(
        (done.code, report(&done)["rows"]["spans"].as_u64()),
        (0, Some(desk.spans)),
        "{done:?}"
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
}

#[test]
fn retention_and_erase_say_what_they_did() {
    let desk = Desk::new();
    let db = desk.db();
    assert_eq!(tracehouse(&["retain", &db]).code, 2, "no limit");
    let plan = report(&tracehouse(&[
        "--json",
        "retain",
        &db,
        "--max-traces",
        "3",
        "--dry-run",
    ]));
    assert_eq!(
        (plan["kept"].as_u64(), plan["dry_run"].as_bool()),
        (Some(3), Some(true)),
        "{plan}"
    );
    desk.assert_intact(&Ended {
        code: 0,
        out: String::new(),
        err: String::new(),
    });
    let victim = plan["trace_ids"][0].as_str().unwrap();
    let receipt = report(&tracehouse(&[
        "--json", "delete", &db, victim, "--erase", "--yes",
    ]));
    assert_eq!(
        (receipt["deleted"].as_u64(), receipt["complete"].as_bool()),
        (Some(1), Some(true)),
        "{receipt}"
    );
    assert_eq!(receipt["trace_ids"][0].as_str(), Some(victim));
    let again = report(&tracehouse(&[
        "--json", "delete", &db, victim, "--erase", "--yes",
    ]));
    assert_eq!(
        (again["deleted"].as_u64(), again["complete"].as_bool()),
        (Some(0), Some(true)),
        "{again}"
    );
    let done = report(&tracehouse(&[
        "--json",
        "retain",
        &db,
        "--max-traces",
        "3",
        "--yes",
    ]));
    let gone = plan["trace_ids"].as_array().unwrap().len() - 1;
    assert_eq!(done["trace_ids"].as_array().unwrap().len(), gone, "{done}");
}

#[test]
fn deleting_needs_a_yes_where_nobody_can_be_asked() {
    let desk = Desk::new();
    let (db, all) = (desk.db(), "timestamp < now() + 1d");
    let count = tracehouse(&["search", &db, all, "--count"]).out;
    for more in [
        &["--where", all][..],
        &["--before", "2100-01-01", "--erase"],
        &["--json", "--where", all],
    ] {
        let done = tracehouse(&[&["delete", db.as_str()], more].concat());
        assert_eq!(done.code, 2, "{done:?}");
        let needed = format!("{} traces", count.trim());
        assert!(
            done.err.contains("--yes") && done.err.contains(&needed),
            "{done:?}"
        );
        assert!(done.out.is_empty(), "{done:?}");
        desk.assert_intact(&done);
    }
    // A text that is no time is none above all of them.
    let done = tracehouse(&["delete", &db, "--where", "timestamp < 'tomorrow'", "--yes"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.err.contains("Expected a time"), "{done:?}");
    desk.assert_intact(&done);
    let done = tracehouse(&[
        "delete",
        &db,
        "--where",
        "timestamp < '1960-01-01'",
        "--yes",
    ]);
    assert_eq!(done.code, 0, "{done:?}");
    desk.assert_intact(&done);
}

#[test]
fn what_a_terminal_or_a_spreadsheet_would_obey_is_written_out() {
    let desk = Desk::new();
    let id = tracehouse(&[
        "search",
        &desk.db(),
        "--limit",
        "1",
        "--format",
        "ids",
        "--quiet",
    ])
    .out
    .trim()
    .to_string();
    let evil = "=1+1\u{1b}[31m\u{9b}\u{202e}\u{200f}\u{e0041}";
    let tag = format!("evil={evil}");
    assert_eq!(tracehouse(&["tag", &desk.db(), &id, &tag]).code, 0);
    let statement = "SELECT value FROM tags WHERE key = 'evil'";
    let shown = |more: &[&str]| {
        let done = tracehouse(&[&["sql", &desk.db(), statement][..], more].concat());
        assert_eq!(done.code, 0, "{done:?}");
        done.out
    };
    assert_eq!(
        shown(&["--format", "csv", "--raw"]),
        format!("value\n{evil}\n")
    );
    assert!(shown(&["--format", "csv"]).starts_with("value\n'=1+1\\u001b[31m\\u009b"));
    let json: Value = serde_json::from_str(&shown(&["--format", "json"])).unwrap();
    assert_eq!(json[0]["value"].as_str(), Some(evil));
    let texts = [
        shown(&["--format", "table"]),
        shown(&["--format", "json"]),
        tracehouse(&["show", &desk.db(), &id]).out,
        tracehouse(&["show", &desk.db(), &id, "--format", "json"]).out,
        tracehouse(&[
            "search",
            &desk.db(),
            &format!("tags.evil = '{evil}'"),
            "--explain",
        ])
        .out,
        tracehouse(&["search", &desk.db(), evil]).err,
        tracehouse(&["show", &desk.db(), evil]).err,
    ];
    for text in texts {
        let found = text
            .chars()
            .find(|c| evil.contains(*c) && !matches!(c, ' '..='~'));
        assert_eq!(found, None, "{text:?}");
    }
}

#[test]
fn every_value_can_be_written_in_every_form() {
    let desk = Desk::new();
    for value in [
        "attributes -> 'gen_ai.request.model'",
        "json_get(attributes, 'none')",
        "array_agg(attributes -> 'gen_ai.request.model')",
        "named_struct('a', attributes -> 'x', 'b', [1, 2])",
        "MAP {'a': 1, 'b': 2}",
        "MAP {1: 'x'}",
        "[MAP {DATE '2026-01-31': INTERVAL '1 day'}]",
        "named_struct('a', [INTERVAL '1 day'])",
        "[[1], [], NULL]",
        "[named_struct('time', start_time)]",
        "events",
        "INTERVAL '90 minutes'",
        "start_time - start_time",
        "DATE '2026-01-31'",
        "CAST('12:30:00' AS TIME)",
        "CAST(1.50 AS DECIMAL(10, 2))",
        "CAST('ab' AS BYTEA)",
        "arrow_cast('a', 'Dictionary(Int32, Utf8)')",
        "NULL",
        "CAST('NaN' AS DOUBLE)",
        "true",
    ] {
        let statement = format!("SELECT {value} AS v, 1 AS n FROM spans GROUP BY ALL LIMIT 3");
        let plain = format!("SELECT {value} AS v, 1 AS n FROM spans LIMIT 3");
        let statement = if value.starts_with("array_agg") {
            plain
        } else {
            statement
        };
        for format in ["table", "csv", "json", "jsonl", "parquet", "arrow"] {
            let file = desk
                .path(&format!("out.{format}"))
                .to_str()
                .unwrap()
                .to_string();
            let arguments = [
                "sql",
                &desk.db(),
                &statement,
                "--format",
                format,
                "--output",
                &file,
            ];
            let done = tracehouse(&arguments);
            assert_eq!(done.code, 0, "{value} as {format}: {done:?}");
            assert!(
                fs::metadata(&file).unwrap().len() > 0,
                "{value} as {format}"
            );
            fs::remove_file(&file).unwrap();
        }
    }
    let model = "SELECT attributes -> 'gen_ai.request.model' AS v FROM spans WHERE model IS NOT NULL LIMIT 1";
    let done = tracehouse(&["sql", &desk.db(), model, "--format", "jsonl"]);
    assert!(
        serde_json::from_str::<Value>(&done.out).unwrap()["v"].is_string(),
        "{done:?}"
    );
}
