//! The error of the filter language, and the nearest valid spelling of a mistyped word.

use std::fmt;

/// The error code of every filter error, as MLflow spells it.
pub const INVALID_PARAMETER_VALUE: &str = "INVALID_PARAMETER_VALUE";

/// Edit distances beyond this are not worth a suggestion.
const SUGGESTION_DISTANCE_MAX: usize = 3;

/// Why a filter or an `order_by` was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Always [`INVALID_PARAMETER_VALUE`].
    pub code: &'static str,
    /// Names the offending token, its position and, for a key, the nearest valid one. Begins as
    /// MLflow's message does where MLflow has one.
    pub message: String,
    /// Position of the offending token in the text: characters, from 1.
    pub position: usize,
}

impl FilterError {
    /// An error about the text at byte `offset` of `source`; the message names `token`.
    pub(super) fn at(source: &str, offset: usize, message: impl FnOnce(usize) -> String) -> Self {
        let position = source.get(..offset).unwrap_or(source).chars().count() + 1;
        Self { code: INVALID_PARAMETER_VALUE, message: message(position), position }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for FilterError {}

impl From<FilterError> for tracehouse_storage::Error {
    fn from(error: FilterError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

/// ` Did you mean 'X'?` for the candidate nearest to `word`, or nothing when none is near.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, candidates) {
        Some(candidate) => format!(" Did you mean '{candidate}'?"),
        None => String::new(),
    }
}

fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = SUGGESTION_DISTANCE_MAX.min(word.chars().count().div_ceil(3));
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and substitutions that turn `a` into `b`. Words far longer than any key
/// are not compared: their distance is their length.
fn edit_distance(a: &str, b: &str) -> usize {
    const CHARS_MAX: usize = 64;
    let a: Vec<char> = a.chars().take(CHARS_MAX + 1).collect();
    let b: Vec<char> = b.chars().collect();
    if a.len() > CHARS_MAX {
        return a.len();
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(from != to)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshtein() {
        for (a, b, distance) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("status", "statsu", 2), ("a", "a", 0)]
        {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn far_words_get_no_suggestion() {
        assert_eq!(did_you_mean("statuss", ["status", "name"]), " Did you mean 'status'?");
        assert_eq!(did_you_mean("xyzzy", ["status", "name"]), "");
        assert_eq!(did_you_mean("Trace", ["trace", "tags"]), " Did you mean 'trace'?");
    }
}
