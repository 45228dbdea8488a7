//! Completion of dot commands, tables, columns, filter keys and the words of SQL.

use std::collections::BTreeSet;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper, Result};
use tracehouse::Table;

/// Lists the tables and views.
pub const TABLES_SQL: &str = "SELECT table_name, table_type FROM information_schema.tables \
     WHERE table_schema <> 'information_schema' ORDER BY table_name";

const DOT_COMMANDS: [&str; 8] =
    [".help", ".mode", ".quit", ".schema", ".search", ".tables", ".text", ".timer"];

const RELATIONS: [&str; 11] = [
    "datasets",
    "dataset_records",
    "events",
    "messages",
    "metadata",
    "search_text(",
    "segments()",
    "sessions",
    "settings()",
    "tags",
    "matches(",
];

/// Keys of the filter language that are no columns.
const FILTER_KEYS: [&str; 40] = [
    "status",
    "timestamp",
    "timestamp_ms",
    "execution_time",
    "execution_time_ms",
    "end_time_ms",
    "duration_ms",
    "session",
    "user",
    "model",
    "cost",
    "trace.text",
    "tags.",
    "metadata.",
    "resource.",
    "assessment.",
    "feedback.",
    "expectation.",
    "dataset",
    "span.name",
    "span.type",
    "span.status",
    "span.id",
    "span.parent_id",
    "span.kind",
    "span.duration_ms",
    "span.start_time_ms",
    "span.model",
    "span.provider",
    "span.tool",
    "span.input_tokens",
    "span.output_tokens",
    "span.total_tokens",
    "span.cost",
    "span.inputs",
    "span.outputs",
    "span.content",
    "span.attributes.",
    "HAS(",
    "MATCHES",
];

const SQL_WORDS: [&str; 24] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "HAVING",
    "JOIN",
    "LEFT JOIN",
    "AND",
    "OR",
    "NOT",
    "NULL",
    "DISTINCT",
    "COUNT(",
    "SUM(",
    "AVG(",
    "MIN(",
    "MAX(",
    "BETWEEN",
    "LIKE",
    "ILIKE",
    "DESC",
    "EXPLAIN",
];

/// Columns of one table, or of all.
pub fn schema_sql(table: &str) -> String {
    let one = match table {
        "" => String::new(),
        table => format!("AND table_name = '{}'", table.trim_end_matches(';').replace('\'', "''")),
    };
    format!(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns \
         WHERE table_schema <> 'information_schema' {one} ORDER BY table_name, ordinal_position"
    )
}

/// What could stand for the word that ends at `at`: where the word begins, and the candidates.
fn candidates(line: &str, at: usize) -> (usize, Vec<String>) {
    let typed = line.get(..at).unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let word = typed.chars().rev().take_while(|c| is_word(*c)).map(char::len_utf8).sum::<usize>();
    let begin = typed.len() - word;
    let word = typed.get(begin..).unwrap_or_default();
    if word.is_empty() {
        return (begin, Vec::new());
    }
    let mut found = BTreeSet::new();
    let mut offer = |name: &str| {
        let starts = name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if starts && name.len() > word.len() {
            found.insert(name.to_string());
        }
    };
    if begin == 0 && word.starts_with('.') {
        DOT_COMMANDS.iter().for_each(|name| offer(name));
        return (begin, found.into_iter().collect());
    }
    for table in Table::ALL {
        offer(table.name());
        table.public_schema().fields().iter().for_each(|field| offer(field.name()));
    }
    RELATIONS.iter().chain(&FILTER_KEYS).chain(&SQL_WORDS).for_each(|name| offer(name));
    (begin, found.into_iter().collect())
}

/// The line editor's helper.
#[derive(Debug)]
pub struct Completion;

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let (begin, names) = candidates(line, at);
        let pairs = names.into_iter().map(|name| Pair { display: name.clone(), replacement: name });
        Ok((begin, pairs.collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        candidates(line, line.len()).1
    }

    #[test]
    fn words_are_completed_where_they_begin() {
        assert_eq!(candidates("SELECT total_t", 14), (7, vec!["total_tokens".to_string()]));
        assert_eq!(found(".sch"), [".schema"]);
        assert!(found(".search span.too").contains(&"span.tool".to_string()));
        assert!(found("sel").contains(&"SELECT".to_string()));
        assert!(found("SELECT * FROM sess").contains(&"sessions".to_string()));
        assert!(found("SELECT ").is_empty());
        assert!(found("é").is_empty());
    }

    #[test]
    fn table_names_are_quoted() {
        assert!(schema_sql("a'b").contains("'a''b'"));
    }
}
