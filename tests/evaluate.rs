//! The evaluation loop by the command line: what it stores, what it says of it, and that both are the same. Every
//! figure that a command shows is also asked of SQL.

mod datasets;
mod erased;
mod judge_server;
mod judges;
mod killed;
mod mistakes;
mod monitor;
mod page;
mod people;
mod real_traces;
mod runs;
mod traces;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::{Ended, report, tracehouse};

/// A folder with a database of the made-up traces and room for files.
struct Bench {
    folder: TempDir,
}

impl Bench {
    /// With all traces and what is said of them.
    fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let lines = bench.file("traces.jsonl", &traces::lines());
        let said = bench.file("said.jsonl", &traces::assessments());
        bench.done(&["import", &bench.db(), &lines, "--assessments", &said]);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn db(&self) -> String {
        self.path("app.traces").to_str().unwrap().to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_string()
    }

    /// What a command printed that has to succeed.
    fn done(&self, arguments: &[&str]) -> String {
        let ended = tracehouse(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended.out
    }

    /// The JSON of a command that has to succeed; the words before the database's path, then the others.
    fn json(&self, command: &str, arguments: &[&str]) -> Value {
        let db = self.db();
        let words: Vec<&str> = command.split(' ').collect();
        let ended = tracehouse(&[&["--json"], &words[..], &[&db], arguments].concat());
        assert_eq!(ended.code, 0, "{command} {arguments:?}: {ended:?}");
        report(&ended)
    }

    /// How a command ended that has to fail with a code.
    fn fails(&self, code: i32, command: &str, arguments: &[&str]) -> Ended {
        let db = self.db();
        let words: Vec<&str> = command.split(' ').collect();
        let ended = tracehouse(&[&words[..], &[&db], arguments].concat());
        assert_eq!(ended.code, code, "{command} {arguments:?}: {ended:?}");
        ended
    }

    /// The rows of a statement.
    fn rows(&self, statement: &str) -> Vec<Value> {
        let out = self.done(&["sql", &self.db(), statement, "--format", "json"]);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{statement}: {error}: {out}"))
    }

    /// The only row of a statement.
    fn row(&self, statement: &str) -> Value {
        let rows = self.rows(statement);
        assert_eq!(rows.len(), 1, "{statement}: {rows:?}");
        rows[0].clone()
    }

    /// The column `n` of the only row of a statement.
    fn count(&self, statement: &str) -> u64 {
        let row = self.row(statement);
        row["n"]
            .as_u64()
            .unwrap_or_else(|| panic!("{statement}: {row}"))
    }

    /// A dataset of what `dataset add` adds.
    fn dataset(&self, name: &str, arguments: &[&str]) -> Value {
        self.done(&["dataset", "create", &self.db(), name]);
        self.json("dataset add", &[&[name], arguments].concat())
    }

    /// The id of a finished run over traces or a dataset.
    fn run(&self, arguments: &[&str]) -> String {
        let run = self.json("eval run", arguments);
        assert_eq!(run["state"], "DONE", "{run}");
        text(&run["run_id"])
    }
}

/// A command line that asks judges of a server.
fn asking(url: &str, arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .args(arguments)
        .env("OPENAI_BASE_URL", url)
        .env("OPENAI_API_KEY", "none")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_string()
}

/// Numbers that two ways of adding up give.
fn assert_close(what: &str, got: &Value, want: &Value) {
    let (Some(got), Some(want)) = (got.as_f64(), want.as_f64()) else {
        assert_eq!(got, want, "{what}");
        return;
    };
    assert!(
        (got - want).abs() <= 1e-9 * want.abs().max(1.0),
        "{what}: {got} is not {want}"
    );
}
