//! What real producers send (`tests/producers/recorded`, see the README there) and what is made of it.
//!
//! `tests/producers/filled.txt` says for each span of each recording which columns are filled;
//! `UPDATE_GOLDENFILES=1` writes it anew, and the difference is to be read like code. The list of keys
//! in `docs/producers.md` is compared with the tables, and written by the same variable.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tracehouse::ImportOptions;

use crate::support::{file_name, in_memory, rows, without_computed_costs};

/// Longest text of a cell.
const CELL_CHARS_MAX: usize = 48;

/// What stands around the list of keys on the page.
const LIST_BEGINS: &str = "<!-- keys -->\n";

fn at(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Compares a file with what it should be, or writes it.
fn compare(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(path, wanted).unwrap();
    }
    let found = fs::read_to_string(path).unwrap();
    let different = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "{}: {different:#?}; UPDATE_GOLDENFILES=1 writes it anew", path.display());
}

#[test]
fn recorded_spans_fill_these_columns() {
    let mut recordings: Vec<PathBuf> =
        fs::read_dir(at("producers/recorded")).unwrap().map(|entry| entry.unwrap().path()).collect();
    recordings.retain(|path| file_name(path).ends_with(".jsonl") && !file_name(path).contains(".native."));
    recordings.sort();
    assert!(recordings.len() > 40, "{} recordings", recordings.len());
    let mut filled = String::new();
    for path in &recordings {
        recording(path, &mut filled);
    }
    compare(&at("producers/filled.txt"), &filled);
}

fn recording(path: &Path, out: &mut String) {
    let db = in_memory();
    without_computed_costs(&db);
    let report = db.import_otlp_json_lines(File::open(path).unwrap(), &ImportOptions::default()).unwrap();
    let rejected = report.rejected.first().map(|rejected| rejected.error.as_str());
    assert_eq!(rejected, None, "{}", path.display());
    writeln!(out, "# {}", file_name(path).trim_end_matches(".jsonl")).unwrap();
    for trace in rows(
        &db,
        "SELECT name, state, session_id, user_id, request_preview, response_preview FROM traces ORDER BY request_time, trace_id",
    ) {
        let cells = ["name", "state", "session_id", "user_id", "request_preview", "response_preview"];
        writeln!(out, "trace | {}", line(&trace, &cells)).unwrap();
    }
    let spans = "SELECT span_type, name, model, provider, input_tokens AS i, output_tokens AS o, cache_read_input_tokens AS r, \
                 cache_creation_input_tokens AS w, cost_usd AS c, tool_name, inputs, outputs FROM spans \
                 ORDER BY start_time, name, span_id";
    for span in rows(&db, spans) {
        let cells = [
            "span_type",
            "name",
            "model",
            "provider",
            "i",
            "o",
            "r",
            "w",
            "c",
            "tool_name",
            "inputs",
            "outputs",
        ];
        writeln!(out, "  {}", line(&span, &cells)).unwrap();
    }
}

/// The cells of a row; of a long text its beginning, and nothing of ids that differ from run to run.
fn line(row: &Value, cells: &[&str]) -> String {
    let cell = |name: &&str| match &row[*name] {
        Value::Null => "-".to_string(),
        Value::String(text) => {
            let short: String = text.chars().take(CELL_CHARS_MAX).collect();
            short.replace(['\n', '|'], " ")
        }
        other => other.to_string(),
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(" | ")
}

#[test]
fn the_page_of_producers_lists_all_keys() {
    let path = at("../docs/producers.md");
    let page = fs::read_to_string(&path).unwrap();
    let head = page.split_once(LIST_BEGINS).unwrap().0;
    let mut wanted = format!("{head}{LIST_BEGINS}");
    let mut producer = "";
    for row in tracehouse::conventions() {
        if row.producer != producer {
            producer = row.producer;
            writeln!(wanted, "\n## {producer}\n\n<{}>\n\n| key | fills |\n|---|---|", row.source).unwrap();
        }
        writeln!(wanted, "| `{}` | {} |", row.key, row.fills).unwrap();
    }
    compare(&path, &wanted);
}
