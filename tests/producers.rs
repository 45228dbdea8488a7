//! What real producers send (`tests/producers/recorded`, see the README there) and what is made of it.
//!
//! `tests/producers/filled.txt` says for each span of each recording which columns are filled;
//! `UPDATE_GOLDENFILES=1` writes it anew, and the difference is to be read like code. The list of keys
//! in `docs/producers.md` is compared with the tables, and written by the same variable.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tracehouse::model::Span;
use tracehouse::{ImportOptions, Search, decode_otlp};

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
    let different = found
        .lines()
        .zip(wanted.lines())
        .find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "{}: {different:#?}; UPDATE_GOLDENFILES=1 writes it anew",
        path.display()
    );
}

fn recordings() -> Vec<PathBuf> {
    let mut recordings: Vec<PathBuf> = fs::read_dir(at("producers/recorded"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    recordings.retain(|path| {
        file_name(path).ends_with(".jsonl") && !file_name(path).contains(".native.")
    });
    recordings.sort();
    assert!(recordings.len() > 40, "{} recordings", recordings.len());
    recordings
}

#[test]
fn recorded_spans_fill_these_columns() {
    let mut filled = String::new();
    for path in &recordings() {
        recording(path, &mut filled);
    }
    compare(&at("producers/filled.txt"), &filled);
}

/// Claude Code counts in a log record for each request.
#[test]
fn counts_of_several_records_add_up_and_so_does_their_total() {
    for name in ["claude-agent-sdk", "claude-agent-sdk-detailed"] {
        let db = in_memory();
        let recorded = File::open(at(&format!("producers/recorded/{name}.jsonl"))).unwrap();
        db.import_otlp_json_lines(recorded, &ImportOptions::default())
            .unwrap();
        let counts = "SELECT input_tokens, output_tokens, total_tokens FROM spans WHERE name = 'claude_code.interaction'";
        let counts = &rows(&db, counts)[0];
        assert_eq!(counts["total_tokens"], 370, "{name}: {counts:?}");
    }
}

/// A program that gives a span as a row has what an import of the same span has.
#[test]
fn spans_given_as_rows_are_those_of_an_import() {
    let mut compared = 0;
    for path in recordings() {
        let (imported, given) = (in_memory(), in_memory());
        for line in fs::read_to_string(&path).unwrap().lines() {
            let decoded = decode_otlp(line.as_bytes(), "0").unwrap();
            // Log records tell of spans, too, and no row is given for them.
            if !decoded.spans.is_empty() {
                imported
                    .import_otlp(line.as_bytes(), &ImportOptions::default())
                    .unwrap();
                given
                    .append(&decoded.spans.iter().map(bare).collect::<Vec<_>>())
                    .unwrap();
            }
        }
        for trace in imported.iter_traces(&Search::new("")) {
            let id = trace.unwrap().trace_id;
            let (imported, given) = (
                imported.get_trace(&id).unwrap(),
                given.get_trace(&id).unwrap(),
            );
            for (imported, given) in imported.spans.iter().zip(&given.spans) {
                assert_eq!(imported, given, "{}", path.display());
            }
            assert_eq!(imported, given, "{}", path.display());
            compared += imported.spans.len();
        }
    }
    assert!(compared > 300, "{compared} spans");
}

/// The span as its producer sent it, without the columns that are made of that.
fn bare(span: &Span) -> Span {
    let span = span.clone();
    Span {
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent_span_id: span.parent_span_id,
        experiment_id: span.experiment_id,
        name: span.name,
        kind: span.kind,
        status: span.status,
        status_message: span.status_message,
        start_time_ns: span.start_time_ns,
        end_time_ns: span.end_time_ns,
        scope_name: span.scope_name,
        scope_version: span.scope_version,
        attributes: span.attributes,
        resource: span.resource,
        extra: span.extra,
        events: span.events,
        links: span.links,
        ..Span::default()
    }
}

fn recording(path: &Path, out: &mut String) {
    let db = in_memory();
    without_computed_costs(&db);
    let report = db
        .import_otlp_json_lines(File::open(path).unwrap(), &ImportOptions::default())
        .unwrap();
    let rejected = report
        .rejected
        .first()
        .map(|rejected| rejected.error.as_str());
    assert_eq!(rejected, None, "{}", path.display());
    writeln!(out, "# {}", file_name(path).trim_end_matches(".jsonl")).unwrap();
    for trace in rows(
        &db,
        "SELECT name, state, session_id, user_id, request_preview, response_preview FROM traces ORDER BY request_time, trace_id",
    ) {
        let cells = [
            "name",
            "state",
            "session_id",
            "user_id",
            "request_preview",
            "response_preview",
        ];
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
            writeln!(
                wanted,
                "\n## {producer}\n\n<{}>\n\n| key | fills |\n|---|---|",
                row.source
            )
            .unwrap();
        }
        writeln!(wanted, "| `{}` | {} |", row.key, row.fills).unwrap();
    }
    compare(&path, &wanted);
}
