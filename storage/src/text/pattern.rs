//! What is looked up in an index for a pattern: the literals that every match holds, cut into parts of
//! tokens. Which language the pattern is in, and whether a row really matches, is not known here.
//!
//! Invariants:
//! 1. A string that holds the literals holds, for each part, a token that the part fits.

use super::fold::{Tokens, folded};
use super::letters::is_spaceless;

/// Longest part that is looked up, bytes; of a longer one a piece is. Far enough below the kept beginning
/// of long tokens that this is found by what is left of them.
const PART_BYTES_MAX: usize = 128;

/// Text that every match holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The text, in any case.
    pub text: String,
    /// Whether matching strings begin with it.
    pub starts: bool,
    /// Whether matching strings end with it.
    pub ends: bool,
}

/// What the strings that match a pattern hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextPattern {
    literals: Vec<Literal>,
    names: Vec<Literal>,
    attribute: Option<String>,
}

/// A value of an attribute, as an equality names it.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexedValue {
    /// A string, or the JSON text of anything else.
    Text(String),
    /// A number, however it is written.
    Number(f64),
    /// A boolean.
    Bool(bool),
}

/// A piece of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) text: String,
    /// Whether the token begins with it.
    pub(super) begins: bool,
    /// Whether the token ends with it.
    pub(super) ends: bool,
}

impl TextPattern {
    /// A pattern on the raw strings of a span: some string of a match holds all literals.
    pub fn on_strings(literals: Vec<Literal>) -> Self {
        Self {
            literals,
            ..Self::default()
        }
    }

    /// The pattern that is matched as well where the span's type, or the name of an attribute, holds all of these.
    pub fn or_names(mut self, literals: Vec<Literal>) -> Self {
        self.names = literals;
        self
    }

    /// A pattern on the value of an attribute, or on those of attributes after it.
    pub fn on_attribute(key: &str, literals: Vec<Literal>) -> Self {
        Self {
            literals,
            attribute: Some(key.to_owned()),
            ..Self::default()
        }
    }

    /// What one string of a match holds.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// The attribute that a match has.
    pub(super) fn attribute(&self) -> Option<&str> {
        self.attribute.as_deref()
    }

    /// The parts, those that fit the fewest tokens first.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut token = String::new();
        for literal in &self.literals {
            let mut tokens = Tokens::new(&literal.text);
            while let Some(range) = tokens.next(&mut token) {
                let is_alone = token.chars().next().is_some_and(is_spaceless);
                let begins = is_alone || range.start > 0 || literal.starts;
                let ends = is_alone || range.end < literal.text.len() || literal.ends;
                parts.push(
                    Part {
                        text: token.clone(),
                        begins,
                        ends,
                    }
                    .clipped(),
                );
            }
        }
        let rank = |part: &Part| {
            (
                !(part.begins && part.ends),
                !part.begins,
                usize::MAX - part.text.len(),
            )
        };
        debug_assert!(
            parts
                .iter()
                .all(|part| !part.text.is_empty() && part.text.len() <= PART_BYTES_MAX),
            "a part can be looked up"
        );
        parts.sort_by_key(rank);
        parts.dedup();
        parts
    }

    /// Whether names count at all.
    pub(super) fn counts_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether a folded name may match.
    pub(super) fn fits_name(&self, name: &str) -> bool {
        self.names.iter().all(|literal| {
            let text = folded(&literal.text);
            match (literal.starts, literal.ends) {
                (true, true) => name == text,
                (true, false) => name.starts_with(&text),
                (false, true) => name.ends_with(&text),
                (false, false) => name.contains(&text),
            }
        })
    }
}

impl Part {
    fn clipped(mut self) -> Self {
        let excess = self.text.len().saturating_sub(PART_BYTES_MAX);
        if excess == 0 {
            return self;
        }
        if self.begins || !self.ends {
            self.text
                .truncate(self.text.floor_char_boundary(PART_BYTES_MAX));
            self.ends = false;
        } else {
            self.text.drain(..self.text.ceil_char_boundary(excess));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, starts: bool, ends: bool) -> Vec<(String, bool, bool)> {
        let literal = Literal {
            text: text.to_owned(),
            starts,
            ends,
        };
        let parts = TextPattern::on_strings(vec![literal]).parts();
        parts
            .into_iter()
            .map(|part| (part.text, part.begins, part.ends))
            .collect()
    }

    #[test]
    fn literals_are_cut_where_tokens_end() {
        let part = |text: &str, begins, ends| (text.to_owned(), begins, ends);
        assert_eq!(
            parts("Lo wOr", false, false),
            [part("wor", true, false), part("lo", false, true)]
        );
        assert_eq!(
            parts("a-bb c", true, false),
            [
                part("bb", true, true),
                part("a", true, true),
                part("c", true, false)
            ]
        );
        assert_eq!(parts("x", false, false), [part("x", false, false)]);
        assert_eq!(parts("-x_1!", false, false), [part("x_1", true, true)]);
        assert_eq!(parts("?!", true, true), []);
        assert_eq!(
            parts("b東", false, false),
            [part("東", true, true), part("b", false, true)]
        );
    }

    #[test]
    fn long_parts_are_clipped_to_what_an_index_keeps() {
        let long = format!("{}é{}", "a".repeat(127), "b".repeat(300));
        assert_eq!(parts(&long, true, true), [("a".repeat(127), true, false)]);
        assert_eq!(
            parts(&long, false, false),
            [("a".repeat(127), false, false)]
        );
        assert_eq!(parts(&long, false, true), [("b".repeat(128), false, true)]);
    }
}
