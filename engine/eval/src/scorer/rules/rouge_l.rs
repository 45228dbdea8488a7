//! ROUGE-L: how much of two texts is a common subsequence of words, as Python's `rouge_score` 0.1.2 counts it (`rougeL`,
//! f-measure, its default tokenizer, no stemmer).
//!
//! 1. Words are the runs of `a-z0-9` in the lower-cased text. All other letters part words: a text in another script has
//!    no words and a score of 0.
//! 2. Precision is the longest common subsequence by the answer's words, recall by the expected ones; the score is their
//!    harmonic mean, 0 when either text has no words.
//!
//! There is no stemmer: that of `rouge_score` is NLTK's variant of Porter's, which no kept crate has.
//!
//! Invariant: equal to the Python package's result to the last bits (fixtures of it are in the tests).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::longest_common::longest_common;
use super::words::Vocabulary;
use super::{TEXTS, check_threshold, graded};
use crate::{Item, Needs, Score, ScoreError};

/// ROUGE-L of the answer and what was expected; of a list of texts, the best. Value: from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RougeL {
    /// The least value that passes; without it the score only measures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Name of the expectation, or a JSON pointer into all of them.
    pub expectation: String,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Default for RougeL {
    fn default() -> Self {
        Self::new(None)
    }
}

impl RougeL {
    /// The measure against `expected_response`.
    pub fn new(threshold: Option<f64>) -> Self {
        Self {
            threshold,
            expectation: answer::expected_response(),
            field: None,
        }
    }

    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        answer::check_expectation(&self.expectation)?;
        check_threshold(self.threshold)?;
        Ok(Box::new(self.clone()))
    }
}

impl Check for RougeL {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let expected = answer::expected_texts(item, &self.expectation)?;
        let text = answer::text(item, self.field.as_deref())?;
        let each = expected.iter().map(|expected| rouge_l(expected, &text));
        Ok(graded(each.fold(0.0, f64::max), self.threshold))
    }
}

/// ROUGE-L of an expected text and an answer, from 0 to 1.
///
/// ```
/// let score = tracehouse_eval::scorer::rules::rouge_l("the cat sat", "The cat slept.");
/// assert!((score - 2.0 / 3.0).abs() < 1e-12);
/// ```
pub fn rouge_l(expected: &str, answer: &str) -> f64 {
    let (expected, answer) = (lowered(expected), lowered(answer));
    let mut vocabulary = Vocabulary::with_capacity(expected.len() / 8);
    let rows: Vec<u32> = words(&expected).map(|word| vocabulary.add(word)).collect();
    let mut answer_words = 0usize;
    let mut columns = Vec::with_capacity(answer.len() / 6);
    for word in words(&answer) {
        answer_words += 1;
        // A word of the answer only is in no common subsequence.
        columns.extend(vocabulary.get(word));
    }
    if rows.is_empty() || answer_words == 0 {
        return 0.0;
    }
    let common = longest_common(&rows, &columns, vocabulary.len()) as f64;
    let precision = common / answer_words as f64;
    let recall = common / rows.len() as f64;
    match precision + recall > 0.0 {
        true => 2.0 * precision * recall / (precision + recall),
        false => 0.0,
    }
}

/// The text in lower case as far as words see it: letters outside ASCII part words, but for the two whose lower case has
/// an ASCII letter, the sign of Kelvin and the I with a dot (whose dot parts words).
fn lowered(text: &str) -> Cow<'_, str> {
    let mut lowered = Cow::Borrowed(text);
    if !text.is_ascii() && text.contains(['\u{212A}', '\u{130}']) {
        lowered = Cow::Owned(text.replace('\u{212A}', "k").replace('\u{130}', "i "));
    }
    if lowered.bytes().any(|byte| byte.is_ascii_uppercase()) {
        lowered.to_mut().make_ascii_lowercase();
    }
    lowered
}

fn words(lowered: &str) -> impl Iterator<Item = &[u8]> {
    let bytes = lowered.as_bytes();
    let runs = bytes.split(|byte| !(byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    runs.filter(|run| !run.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_characters_have_an_ascii_letter_in_lower_case() {
        let found: Vec<char> = ('\u{80}'..=char::MAX)
            .filter(|c| c.to_lowercase().any(|lower| lower.is_ascii()))
            .collect();
        assert_eq!(found, ['\u{130}', '\u{212A}']);
    }

    #[test]
    fn texts_without_words_score_nothing() {
        assert_eq!(rouge_l("", ""), 0.0);
        assert_eq!(rouge_l("東京", "東京"), 0.0);
        assert_eq!(rouge_l("a", "b"), 0.0);
        assert_eq!(rouge_l("\u{212A}m", "km"), 1.0);
    }
}
