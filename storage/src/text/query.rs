//! What a text query means: terms over fields, joined by AND, OR and NOT. Made by `parse`, answered by
//! `evaluate`.
//!
//! Invariants:
//! 1. A [`TextTerm`] has at least one slot; several slots are a phrase: they match consecutive words
//!    of one string.
//! 2. The words in slots are as `tokenizer` makes them.

use std::fmt;

/// Where a term is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextField {
    /// The span's inputs.
    Inputs,
    /// The span's outputs.
    Outputs,
    /// Everything searchable that is neither.
    Other,
    /// All of the above.
    Any,
}

impl TextField {
    /// The word for it in results.
    pub fn name(self) -> &'static str {
        match self {
            TextField::Inputs => "inputs",
            TextField::Outputs => "outputs",
            TextField::Other => "other",
            TextField::Any => "any",
        }
    }

    /// Which of inputs, outputs and other text it covers.
    pub(super) fn covers(self) -> [bool; 3] {
        match self {
            TextField::Inputs => [true, false, false],
            TextField::Outputs => [false, true, false],
            TextField::Other => [false, false, true],
            TextField::Any => [true, true, true],
        }
    }

    /// The name used in queries, with its colon; empty for [`TextField::Any`].
    fn prefix(self) -> &'static str {
        match self {
            TextField::Inputs => "inputs:",
            TextField::Outputs => "outputs:",
            TextField::Other => "other:",
            TextField::Any => "",
        }
    }
}

/// One word of a term.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The word itself.
    Word(String),
    /// Every word that begins so.
    Prefix(String),
    /// Every word at most this many edits away (insert, delete, replace, swap of neighbours).
    Fuzzy(String, u8),
}

impl Slot {
    /// Whether a word fits.
    pub(super) fn fits(&self, word: &str) -> bool {
        match self {
            Slot::Word(wanted) => word == wanted,
            Slot::Prefix(prefix) => word.starts_with(prefix.as_str()),
            Slot::Fuzzy(wanted, distance) => is_near(wanted, word, usize::from(*distance)),
        }
    }
}

/// A word, phrase, prefix or fuzzy word in a field. The unit of ranking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextTerm {
    /// Where to look.
    pub field: TextField,
    /// Consecutive words.
    pub slots: Vec<Slot>,
}

/// A text query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextQuery {
    /// The span has this term.
    Term(TextTerm),
    /// All of them.
    And(Vec<TextQuery>),
    /// At least one of them.
    Or(Vec<TextQuery>),
    /// The span does not match.
    Not(Box<TextQuery>),
}

impl TextQuery {
    /// The terms that can raise a score: those outside NOT, each once, sorted.
    pub fn positive_terms(&self) -> Vec<&TextTerm> {
        let mut terms = Vec::new();
        self.collect_positive(&mut terms);
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    fn collect_positive<'a>(&'a self, terms: &mut Vec<&'a TextTerm>) {
        match self {
            TextQuery::Term(term) => terms.push(term),
            TextQuery::And(children) | TextQuery::Or(children) => {
                children
                    .iter()
                    .for_each(|child| child.collect_positive(terms));
            }
            TextQuery::Not(_) => {}
        }
    }

    /// Whether it can only be answered by "all spans but ...".
    pub(super) fn is_purely_negative(&self) -> bool {
        match self {
            TextQuery::Term(_) => false,
            TextQuery::Not(_) => true,
            TextQuery::And(children) => children.iter().all(TextQuery::is_purely_negative),
            TextQuery::Or(children) => children.iter().any(TextQuery::is_purely_negative),
        }
    }
}

impl fmt::Display for TextTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.prefix())?;
        if let [slot] = self.slots.as_slice() {
            return write!(f, "{slot}");
        }
        // Inside quotes a `*` is nothing special: a phrase that ends with a prefix is written as one word.
        let is_plain = self.slots.iter().all(|slot| matches!(slot, Slot::Word(_)));
        let (quote, gap) = if is_plain { ("\"", " ") } else { ("", "-") };
        f.write_str(quote)?;
        for (i, slot) in self.slots.iter().enumerate() {
            write!(f, "{}{slot}", if i == 0 { "" } else { gap })?;
        }
        f.write_str(quote)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slot::Word(word) => f.write_str(word),
            Slot::Prefix(prefix) => write!(f, "{prefix}*"),
            Slot::Fuzzy(word, distance) => write!(f, "{word}~{distance}"),
        }
    }
}

impl fmt::Display for TextQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (children, joint) = match self {
            TextQuery::Term(term) => return write!(f, "{term}"),
            // `--word` is `-word`.
            TextQuery::Not(child) if matches!(**child, TextQuery::Not(_)) => {
                return write!(f, "-({child})");
            }
            TextQuery::Not(child) => return write!(f, "-{child}"),
            TextQuery::And(children) => (children, " "),
            TextQuery::Or(children) => (children, " OR "),
        };
        f.write_str("(")?;
        for (i, child) in children.iter().enumerate() {
            write!(f, "{}{child}", if i == 0 { "" } else { joint })?;
        }
        f.write_str(")")
    }
}

/// Whether two words are at most `limit` edits apart, a swap of neighbours counting one.
pub(super) fn is_near(wanted: &str, word: &str, limit: usize) -> bool {
    if wanted.len().abs_diff(word.len()) > limit * 4 {
        return false;
    }
    let wanted: Vec<char> = wanted.chars().collect();
    let word: Vec<char> = word.chars().collect();
    if wanted.len().abs_diff(word.len()) > limit {
        return false;
    }
    // Rows of the edit table for the two previous characters of `wanted` and the current one.
    let mut older = vec![usize::MAX; word.len() + 1];
    let mut old: Vec<usize> = (0..=word.len()).collect();
    for (i, &a) in wanted.iter().enumerate() {
        let mut row = Vec::with_capacity(word.len() + 1);
        let mut left = i + 1;
        row.push(left);
        for (j, &b) in word.iter().enumerate() {
            let at = |row: &[usize], j: usize| {
                debug_assert!(
                    j < row.len(),
                    "a row of the table has one entry more than the word has characters"
                );
                row.get(j).copied().unwrap_or(usize::MAX)
            };
            let mut best = (at(&old, j) + usize::from(a != b))
                .min(at(&old, j + 1) + 1)
                .min(left + 1);
            let swapped =
                i > 0 && j > 0 && wanted.get(i - 1) == Some(&b) && word.get(j - 1) == Some(&a);
            if swapped {
                best = best.min(at(&older, j - 1) + 1);
            }
            row.push(best);
            left = best;
        }
        debug_assert_eq!(row.len(), old.len(), "the table has rows of one length");
        older = std::mem::replace(&mut old, row);
    }
    old.last().is_some_and(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_with_swaps() {
        let cases = [
            ("flight", "flight", 0),
            ("flight", "fligth", 1),
            ("flight", "fligh", 1),
            ("flight", "xlights", 2),
            ("ab", "ba", 1),
            ("ca", "abc", 3),
            ("é", "e", 1),
            ("", "ab", 2),
            ("abcd", "badc", 2),
        ];
        for (a, b, distance) in cases {
            for limit in 0..4 {
                assert_eq!(is_near(a, b, limit), distance <= limit, "{a} {b} {limit}");
                assert_eq!(is_near(b, a, limit), distance <= limit, "{b} {a} {limit}");
            }
        }
    }
}
