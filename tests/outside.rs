//! A database watched from outside: random operations through the command line, each in a process of its own,
//! compared after each with a model in another language that was written from the description of the tables, the filter
//! language and the text queries, and not from this code (ST-1, ST-3, QU-1).
//!
//! The model is in `tests/outside`: `main.py` carries out and shrinks, `operations.py` says what there is, `model.py` what
//! answers are expected and what was assumed, `rules.py` where description and program differ. It needs `python3` 3.11 or
//! later, without packages; where there is none a notice says so.
//!
//! `TRACEHOUSE_OUTSIDE_SECONDS` sets how long it runs, `TRACEHOUSE_SEED` repeats the choices of a run. On a difference the
//! folder stays, with the operations as a file that `main.py BINARY FOLDER --replay FILE` carries out again.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{say, seed, setting};

const SECONDS: u64 = 60;
/// Databases that live beside each other.
const WORKERS: usize = 2;
/// Prints whether it is new enough.
const VERSION: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

fn has_python() -> bool {
    Command::new("python3")
        .args(["-c", VERSION])
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn every_answer_is_that_of_the_model() {
    if !has_python() {
        say("NOTICE: skipped, as there is no python3 of version 3.11 or later");
        return;
    }
    let seed = seed();
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/main.py");
    let mut command = Command::new("python3");
    // No `__pycache__` beside the sources.
    command
        .arg("-B")
        .arg(program)
        .arg(env!("CARGO_BIN_EXE_tracehouse-under-test"))
        .arg(folder.path());
    command.args([
        "--seconds",
        &setting("TRACEHOUSE_OUTSIDE_SECONDS", SECONDS).to_string(),
    ]);
    command.args([
        "--seed",
        &seed.to_string(),
        "--workers",
        &WORKERS.to_string(),
    ]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let kept = folder.keep();
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!(
            "seed {seed}: the database differs from the model; all of it is in {}\n{text}{errors}",
            kept.display()
        );
    }
    let figures: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(figures.len(), WORKERS, "{text}");
    let sum = |key: &str| {
        figures
            .iter()
            .map(|figures| figures[key].as_u64().unwrap())
            .sum::<u64>()
    };
    let (operations, comparisons) = (sum("operations"), sum("comparisons"));
    say(&format!(
        "outside: {operations} operations, {} kills, {} reads beside, {comparisons} comparisons, {} processes, seed {seed}",
        sum("kills"),
        sum("reads"),
        sum("processes"),
    ));
    assert!(
        operations > 0 && comparisons > operations,
        "nothing was compared: {text}"
    );
}
