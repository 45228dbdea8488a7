//! SQL: a statement is refused, or planned in time; nothing that writes is ever planned, and nothing is executed.

use std::time::Duration;

use tracehouse::{Error, ErrorKind, SqlQuery};

use super::world::WORLD;

const BYTES_MAX: usize = 4_096;
const TIMEOUT: Duration = Duration::from_secs(20);
/// What a statement that is let through begins with.
const BEGINNINGS: [&str; 10] = [
    "SELECT", "WITH", "VALUES", "FROM", "TABLE", "EXPLAIN", "SHOW", "DESCRIBE", "DESC", "(",
];

/// Statements, one a line.
pub fn statements() -> Vec<Vec<u8>> {
    super::lines(include_str!("../corpus/sql.txt"))
}

/// A statement.
pub fn statement(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = &text[..text.floor_char_boundary(BYTES_MAX)];
    let begins_well = BEGINNINGS.iter().any(|word| begins_with(text, word));
    if text
        .trim_start()
        .starts_with(|c: char| c.is_ascii_alphabetic())
        && !begins_well
    {
        let error = run(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}: {error}");
    }
    // Explained, a statement is planned and not executed.
    if !text.to_ascii_uppercase().contains("ANALYZE") {
        let explained = ["EXPLAIN", "SHOW", "DESC"]
            .iter()
            .any(|word| begins_with(text, word));
        let text = if explained {
            text.to_string()
        } else {
            format!("EXPLAIN {text}")
        };
        if let Err(error) = run(&text) {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}: {error}");
        }
    }
}

fn begins_with(text: &str, word: &str) -> bool {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
    start
        .get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn run(text: &str) -> Result<(), Error> {
    WORLD
        .sealed
        .query(SqlQuery::from(text), Some(TIMEOUT))
        .map(drop)
        .inspect_err(|error| {
            assert!(!error.to_string().is_empty());
        })
}
