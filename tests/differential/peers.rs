//! The other two: a process of `peers.py`, in a virtual environment with DuckDB, that holds the tables and answers one statement at a time.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::compare::Outcome;
use super::statement::Question;
use crate::venv;

/// A running `peers.py`.
pub struct Peers {
    process: Child,
    input: ChildStdin,
    /// Lines that it has written. They are read at once, as it would wait with a full pipe, and we for it.
    lines: Receiver<String>,
}

impl Peers {
    /// Starts one and lets it load `tables`, as `peers.py` describes them.
    pub fn start(python: &Path, tables: &Value) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/peers.py");
        let mut command = Command::new(python);
        let command = command
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut peers = Self {
            process,
            input,
            lines,
        };
        peers.send(&json!({"load": tables}));
        peers.receive();
        peers
    }

    /// Asks, without waiting for the answer.
    pub fn ask(&mut self, question: &Question) {
        self.send(&json!({
            "duckdb": question.duckdb, "sqlite": question.sqlite,
            "types": question.types.iter().map(|of| format!("{of:?}").to_lowercase()).collect::<Vec<_>>(),
        }));
    }

    /// What DuckDB and SQLite said to the oldest question that has no answer yet.
    pub fn answers(&mut self) -> (Outcome, Option<Outcome>) {
        let mut reply = self.receive();
        let sqlite = reply.get_mut("sqlite").map(Value::take).map(outcome);
        (outcome(reply["duckdb"].take()), sqlite)
    }

    fn send(&mut self, message: &Value) {
        self.input
            .write_all(format!("{message}\n").as_bytes())
            .unwrap();
        self.input.flush().unwrap();
    }

    fn receive(&mut self) -> Value {
        let line = self
            .lines
            .recv()
            .unwrap_or_else(|_| panic!("peers.py ended; its error is above"));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn outcome(mut reply: Value) -> Outcome {
    match reply["error"].as_str() {
        Some(error) => Outcome::Error(error.to_string()),
        None => {
            let Value::Array(rows) = reply["rows"].take() else {
                panic!("{reply}")
            };
            let cells = |row: Value| match row {
                Value::Array(cells) => cells,
                other => panic!("{other}"),
            };
            Outcome::Rows(rows.into_iter().map(cells).collect())
        }
    }
}

/// The Python that has DuckDB.
pub fn python() -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/requirements.txt");
    venv::python(&requirements, "differential")
}
