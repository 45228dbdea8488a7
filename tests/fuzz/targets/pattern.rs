//! `LIKE`, `ILIKE` and `RLIKE`: a pattern is refused, or matches what a plain reading of it matches, and
//! finds the same traces with and without an index.
//!
//! An input is an operator, a space, a pattern, and after a line end the text it is put to.

use std::collections::HashMap;

use tracehouse::{Database, Search};
use tracehouse_query::predicate::Pattern;
use tracehouse_query::predicate::PatternKind;

use super::world::WORLD;

const BYTES_MAX: usize = 1_024;
/// Longest pattern and text that are compared with the plain reading, which takes their product.
const CHARS_MAX: usize = 64;

/// Patterns and texts; `¶` stands for the line end between them.
pub fn patterns() -> Vec<Vec<u8>> {
    include_str!("../corpus/pattern.txt")
        .lines()
        .map(|line| line.replace('¶', "\n").into_bytes())
        .collect()
}

/// A pattern and a text.
pub fn pattern(data: &[u8]) {
    let input = String::from_utf8_lossy(data);
    let input = &input[..input.floor_char_boundary(BYTES_MAX)];
    let (pattern, text) = input.split_once('\n').unwrap_or((input, ""));
    let (operator, pattern) = pattern.split_once(' ').unwrap_or(("LIKE", pattern));
    let (operator, kind) = match operator {
        "RLIKE" => ("RLIKE", PatternKind::RLike),
        "ILIKE" => ("ILIKE", PatternKind::ILike),
        _ => ("LIKE", PatternKind::Like),
    };
    match Pattern::new(kind, pattern) {
        Ok(compiled) => check_match(&compiled, text),
        Err(message) => assert!(!message.is_empty()),
    }
    let filter = format!("trace.text {operator} '{}'", pattern.replace('\'', "''"));
    assert_eq!(
        answer(&WORLD.fresh, &filter),
        answer(&WORLD.sealed, &filter),
        "{filter:?}"
    );
}

/// The traces that a filter finds, or why it was refused.
fn answer(db: &Database, filter: &str) -> Result<Vec<String>, String> {
    let page = db
        .search_traces(&Search::new(filter).limit(1_000))
        .map_err(|error| {
            assert_eq!(
                error.kind(),
                tracehouse::ErrorKind::InvalidInput,
                "{filter:?}: {error}"
            );
            error.to_string()
        })?;
    Ok(page
        .traces
        .into_iter()
        .map(|trace| trace.trace_id)
        .collect())
}

fn check_match(compiled: &Pattern, text: &str) {
    let is_match = compiled.is_match(text);
    let piece = compiled.required_piece(|c| !c.is_alphanumeric());
    assert!(
        !is_match || piece.is_none_or(|piece| piece.is_in(text)),
        "{compiled:?} has a piece that {text:?} lacks"
    );
    let (pattern, text) = (chars(compiled.text()), chars(text));
    let is_short = pattern.len().max(text.len()) <= CHARS_MAX;
    if compiled.kind() != PatternKind::RLike && is_short {
        let ignores_case = compiled.kind() == PatternKind::ILike;
        assert_eq!(
            is_match,
            matches_plainly(&pattern, &text, ignores_case),
            "{compiled:?} on {text:?}"
        );
    }
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// LIKE as its definition says it: `ends[at]` is whether the pattern so far matches the first `at` characters.
fn matches_plainly(pattern: &[char], text: &[char], ignores_case: bool) -> bool {
    let mut folds = HashMap::new();
    let mut ends: Vec<bool> = (0..=text.len()).map(|at| at == 0).collect();
    for &wanted in pattern {
        let mut next = vec![false; ends.len()];
        for at in 0..ends.len() {
            next[at] = match wanted {
                '%' => ends[..=at].contains(&true),
                '_' => at > 0 && ends[at - 1],
                _ => {
                    at > 0
                        && ends[at - 1]
                        && is_same(wanted, text[at - 1], ignores_case, &mut folds)
                }
            };
        }
        ends = next;
    }
    ends.last() == Some(&true)
}

/// Whether two characters are one, or one in another case by the simple folding of Unicode.
fn is_same(
    one: char,
    other: char,
    ignores_case: bool,
    folds: &mut HashMap<(char, char), bool>,
) -> bool {
    let by_folding = || {
        let regex = format!(r"(?i)\A{}\z", regex::escape(&one.to_string()));
        regex::Regex::new(&regex)
            .unwrap()
            .is_match(&other.to_string())
    };
    one == other || (ignores_case && *folds.entry((one, other)).or_insert_with(by_folding))
}
