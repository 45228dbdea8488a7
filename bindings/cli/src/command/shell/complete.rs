//! Completion of dot commands, tables, aliases, columns, functions, filter keys, names of feedback and the words
//! of SQL. What the database has is asked for once, when something is first completed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper, Result};
use tracehouse::{Database, Table};

/// Lists the tables and views.
pub const TABLES_SQL: &str = "SELECT table_name, table_type FROM information_schema.tables \
     WHERE table_schema <> 'information_schema' ORDER BY table_name";

const DOT_COMMANDS: [&str; 14] = [
    ".exit", ".help", ".mode", ".output", ".quit", ".read", ".schema", ".search", ".show",
    ".stats", ".tables", ".text", ".timer", ".width",
];

/// Longest time that looking for names may keep a user waiting.
const NAMES_LIMIT: Duration = Duration::from_millis(500);
const FUNCTIONS_SQL: &str = "SELECT function_name FROM functions()";
const COLUMNS_SQL: &str = "SELECT table_name, column_name FROM information_schema.columns \
     WHERE table_schema <> 'information_schema'";
const ASSESSED_SQL: &str = "SELECT DISTINCT type, name FROM assessments LIMIT 1000";

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
        table => format!(
            "AND table_name = '{}'",
            table.trim_end_matches(';').replace('\'', "''")
        ),
    };
    format!(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns \
         WHERE table_schema <> 'information_schema' {one} ORDER BY table_name, ordinal_position"
    )
}

/// Names that are looked up once, and again when the shell forgets them.
pub type SharedNames = Rc<RefCell<Option<Names>>>;

/// Names that the database has.
#[derive(Debug, Default)]
pub struct Names {
    functions: Vec<String>,
    /// Each with the table it is in.
    columns: Vec<(String, String)>,
    /// As keys of the filter language.
    assessed: Vec<String>,
}

impl Names {
    /// What can be found out soon; the rest is not offered.
    fn of(db: &Database) -> Self {
        let db = db.with_timeout(NAMES_LIMIT);
        let rows = |statement| {
            db.sql(statement)
                .map(|batches| texts(&batches))
                .unwrap_or_default()
        };
        let pair = |row: Vec<String>| <[String; 2]>::try_from(row).ok();
        let assessed = rows(ASSESSED_SQL).into_iter().filter_map(pair);
        let assessed = assessed.map(|[kind, name]| match is_plain(&name) {
            true => format!("{}.{name}", kind.to_lowercase()),
            false => format!("{}.`{name}`", kind.to_lowercase()),
        });
        Self {
            assessed: assessed.collect(),
            functions: rows(FUNCTIONS_SQL)
                .into_iter()
                .flatten()
                .map(|name| format!("{name}("))
                .collect(),
            columns: rows(COLUMNS_SQL)
                .into_iter()
                .filter_map(pair)
                .map(|[a, b]| (a, b))
                .collect(),
        }
    }
}

fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The rows of a result of texts.
fn texts(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .filter_map(|column| cast(column, &DataType::Utf8).ok());
        let columns: Vec<_> = columns.collect();
        for row in 0..batch.num_rows() {
            let cells = columns
                .iter()
                .map(|column| column.as_string::<i32>().value(row).to_string());
            rows.push(cells.collect());
        }
    }
    rows
}

/// The aliases of a statement, each with its table.
fn aliases(statement: &str) -> Vec<(String, String)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let apart = statement.replace(',', " , ");
    let words: Vec<&str> = apart
        .split_whitespace()
        .map(|word| word.trim_matches(|c| !is_word(c) && c != ','))
        .collect();
    let mut found = Vec::new();
    let mut in_from = false;
    for (at, word) in words.iter().enumerate() {
        let opens = ["from", "join"]
            .iter()
            .any(|opening| word.eq_ignore_ascii_case(opening));
        in_from |= opens;
        in_from &= !["where", "on", "select", "group", "order"]
            .iter()
            .any(|end| word.eq_ignore_ascii_case(end));
        if !(opens || in_from && *word == ",") {
            continue;
        }
        let after_as = words
            .get(at + 2)
            .is_some_and(|word| word.eq_ignore_ascii_case("as"));
        let alias = words.get(at + if after_as { 3 } else { 2 });
        if let (Some(table), Some(alias)) = (words.get(at + 1), alias)
            && !alias.is_empty()
            && alias.chars().all(is_word)
            && !FOLLOWS_TABLE
                .iter()
                .any(|word| word.eq_ignore_ascii_case(alias))
        {
            found.push(((*alias).to_string(), table.to_lowercase()));
        }
    }
    found
}

/// Words after a table that are no alias of it.
const FOLLOWS_TABLE: [&str; 19] = [
    "where",
    "on",
    "join",
    "left",
    "right",
    "full",
    "inner",
    "cross",
    "natural",
    "using",
    "group",
    "order",
    "having",
    "limit",
    "union",
    "except",
    "intersect",
    "offset",
    "window",
];

/// What could stand for the word that ends at `at`: where the word begins, and the candidates. `earlier` has the
/// lines of the statement before this one.
fn candidates(earlier: &str, line: &str, at: usize, names: &Names) -> (usize, Vec<String>) {
    let typed = line.get(..at).unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let word = typed
        .chars()
        .rev()
        .take_while(|c| is_word(*c))
        .map(char::len_utf8)
        .sum::<usize>();
    let begin = typed.len() - word;
    let word = typed.get(begin..).unwrap_or_default();
    if word.is_empty() {
        return (begin, Vec::new());
    }
    let mut found = BTreeSet::new();
    let mut offer = |name: &str| {
        let starts = name
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word));
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
        table
            .public_schema()
            .fields()
            .iter()
            .for_each(|field| offer(field.name()));
    }
    for (alias, table) in aliases(&format!("{earlier}\n{line}")) {
        offer(&alias);
        for (_, column) in names.columns.iter().filter(|(other, _)| *other == table) {
            offer(&format!("{alias}.{column}"));
        }
    }
    for (table, column) in &names.columns {
        offer(table);
        offer(column);
        offer(&format!("{table}.{column}"));
    }
    names
        .functions
        .iter()
        .chain(&names.assessed)
        .for_each(|name| offer(name));
    RELATIONS
        .iter()
        .chain(&FILTER_KEYS)
        .chain(&SQL_WORDS)
        .for_each(|name| offer(name));
    (begin, found.into_iter().collect())
}

/// The line editor's helper.
#[derive(Debug)]
pub struct Completion {
    db: Database,
    names: SharedNames,
    earlier: Rc<RefCell<String>>,
}

impl Completion {
    /// Names of `db`, looked up when there are none; `earlier` has what was typed before of the statement.
    pub fn new(db: Database, names: SharedNames, earlier: Rc<RefCell<String>>) -> Self {
        Self { db, names, earlier }
    }
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let mut names = self.names.borrow_mut();
        let names = names.get_or_insert_with(|| Names::of(&self.db));
        let (begin, names) = candidates(&self.earlier.borrow(), line, at, names);
        let pairs = names.into_iter().map(|name| Pair {
            display: name.clone(),
            replacement: name,
        });
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
        candidates("", line, line.len(), &Names::default()).1
    }

    #[test]
    fn names_of_the_database_and_of_the_statement_are_offered() {
        let db = Database::in_memory().unwrap();
        db.start_trace(&tracehouse::TraceStart::new("t1", 1))
            .unwrap();
        db.log_feedback("t1", "helpful", "true").unwrap();
        let names = Names::of(&db);
        let found = |earlier: &str, line: &str| candidates(earlier, line, line.len(), &names).1;
        assert_eq!(found("", ".search feedback.hel"), ["feedback.helpful"]);
        assert_eq!(
            found("FROM spans AS sp JOIN traces t", "WHERE sp.total_tok"),
            ["sp.total_tokens"]
        );
        assert_eq!(
            found("FROM spans AS sp, traces t", "WHERE t.request_prev"),
            ["t.request_preview"]
        );
        assert!(found("", "SELECT date_tru").contains(&"date_trunc(".to_string()));
        assert!(found("", "SELECT sessions.sess").contains(&"sessions.session_id".to_string()));
        assert_eq!(
            aliases("SELECT a, b FROM spans WHERE x IN (SELECT 1 FROM tags t)"),
            [("t".into(), "tags".into())]
        );
    }

    #[test]
    fn words_are_completed_where_they_begin() {
        assert_eq!(
            candidates("", "SELECT total_t", 14, &Names::default()),
            (7, vec!["total_tokens".to_string()])
        );
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
