//! Token F1: how many words two texts share, as the evaluation script of SQuAD 2.0 counts it.
//!
//! 1. Both texts are put in lower case, ASCII punctuation is removed (what stood around it joins), the words `a`, `an`,
//!    `the` between Python's word boundaries are removed (what stood around them parts), and white space parts words.
//! 2. Precision is the shared words (each as often as both have it) by the answer's words, recall by the expected ones; the
//!    score is their harmonic mean. When a text has no words left, it is 1 if neither has, else 0.
//!
//! Invariant: equal to the Python script's result to the last bits (fixtures of it are in the tests), for characters
//! that Python's version of Unicode knows.

use std::ops::Range;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::words::Vocabulary;
use super::{TEXTS, check_threshold, graded};
use crate::{Item, Needs, Score, ScoreError};

/// Token F1 of the answer and what was expected; of a list of texts, the best. Value: from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenF1 {
    /// The least value that passes; without it the score only measures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Name of the expectation, or a JSON pointer into all of them.
    pub expectation: String,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Default for TokenF1 {
    fn default() -> Self {
        Self::new(None)
    }
}

impl TokenF1 {
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

impl Check for TokenF1 {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let expected = answer::expected_texts(item, &self.expectation)?;
        let text = answer::text(item, self.field.as_deref())?;
        let each = expected.iter().map(|expected| token_f1(expected, &text));
        Ok(graded(each.fold(0.0, f64::max), self.threshold))
    }
}

/// Token F1 of an expected text and an answer, from 0 to 1.
///
/// ```
/// let score = tracehouse_eval::scorer::rules::token_f1("the Eiffel Tower", "Eiffel tower, Paris");
/// assert!((score - 0.8).abs() < 1e-12);
/// ```
pub fn token_f1(expected: &str, answer: &str) -> f64 {
    let (expected, answer) = (Words::of(expected), Words::of(answer));
    let (expected_count, answer_count) = (expected.count(), answer.count());
    if expected_count == 0 || answer_count == 0 {
        return f64::from(u8::from(expected_count == answer_count));
    }
    let mut vocabulary = Vocabulary::with_capacity(expected_count);
    let mut left: Vec<u32> = Vec::with_capacity(expected_count);
    for word in expected.iter() {
        let number = vocabulary.add(word) as usize;
        match left.get_mut(number) {
            Some(count) => *count += 1,
            None => left.push(1),
        }
    }
    let mut shared = 0;
    for number in answer.iter().filter_map(|word| vocabulary.get(word)) {
        if let Some(count) = left.get_mut(number as usize).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    if shared == 0 {
        return 0.0;
    }
    let precision = f64::from(shared) / answer_count as f64;
    let recall = f64::from(shared) / expected_count as f64;
    2.0 * precision * recall / (precision + recall)
}

/// What becomes of a byte of ASCII.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// A letter or digit.
    Letter,
    /// Punctuation.
    Removed,
    /// White space of Python, which has the separators of files, groups, records and units in it.
    Space,
    /// A control character: a part of a word, and a border of runs.
    Other,
}

fn class(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => Class::Letter,
        b' ' | b'\t'..=b'\r' | 0x1c..=0x1f => Class::Space,
        byte if byte.is_ascii_punctuation() => Class::Removed,
        _ => Class::Other,
    }
}

/// The words of a text.
struct Words {
    bytes: Vec<u8>,
    /// Where each word is in the bytes.
    ranges: Vec<Range<usize>>,
    /// Where the word that is being written starts.
    word: usize,
    /// Where the run of ASCII letters and digits at its end starts.
    run: usize,
    /// The character before the run, when it is none of ASCII and in the same word.
    before: Option<char>,
}

impl Words {
    fn of(text: &str) -> Self {
        let lowered = match text.is_ascii() {
            true => text.to_ascii_lowercase(),
            false => text.to_lowercase(),
        };
        let mut words = Self {
            bytes: Vec::with_capacity(lowered.len()),
            ranges: Vec::with_capacity(lowered.len() / 5),
            word: 0,
            run: 0,
            before: None,
        };
        let mut rest = lowered.as_str();
        while !rest.is_empty() {
            let ascii = rest.bytes().take_while(u8::is_ascii).count();
            let (head, tail) = rest.split_at(ascii);
            words.ascii(head.as_bytes());
            let mut characters = tail.chars();
            if let Some(character) = characters.next() {
                words.wide(character);
            }
            rest = characters.as_str();
        }
        words.space();
        words
    }

    fn count(&self) -> usize {
        self.ranges.len()
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let ranges = self.ranges.iter();
        ranges.filter_map(|range| self.bytes.get(range.clone()))
    }

    fn ascii(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            match class(byte) {
                Class::Letter => {
                    let others = tail.iter().position(|byte| class(*byte) != Class::Letter);
                    let (run, after) = rest.split_at(others.map_or(rest.len(), |at| at + 1));
                    self.bytes.extend_from_slice(run);
                    rest = after;
                    continue;
                }
                Class::Removed => {} // what follows joins the run
                Class::Space => self.space(),
                Class::Other => {
                    self.end_run(None);
                    self.bytes.push(byte);
                    self.start_run(None);
                }
            }
            rest = tail;
        }
    }

    fn wide(&mut self, character: char) {
        if character.is_whitespace() {
            self.space();
            return;
        }
        self.end_run(Some(character));
        let mut buffer = [0; 4];
        let encoded = character.encode_utf8(&mut buffer);
        self.bytes.extend_from_slice(encoded.as_bytes());
        self.start_run(Some(character));
    }

    /// Ends the word.
    fn space(&mut self) {
        self.end_run(None);
        self.end_word();
        self.start_run(None);
    }

    fn end_word(&mut self) {
        if self.bytes.len() > self.word {
            self.ranges.push(self.word..self.bytes.len());
        }
        self.word = self.bytes.len();
    }

    fn start_run(&mut self, before: Option<char>) {
        self.run = self.bytes.len();
        self.before = before;
    }

    /// Ends the run: one that is an article by itself becomes a space.
    fn end_run(&mut self, after: Option<char>) {
        let run = self.bytes.get(self.run..).unwrap_or_default();
        if !matches!(run, b"a" | b"an" | b"the") {
            return;
        }
        if self.before.is_some_and(is_word) || after.is_some_and(is_word) {
            return;
        }
        self.bytes.truncate(self.run);
        self.end_word();
    }
}

/// What Python's `\w` takes of characters outside ASCII: letters and numbers, no marks.
fn is_word(character: char) -> bool {
    static WORD: LazyLock<Option<::regex::Regex>> =
        LazyLock::new(|| ::regex::Regex::new(r"^[\p{L}\p{N}]").ok());
    let mut buffer = [0; 4];
    let encoded: &str = character.encode_utf8(&mut buffer);
    WORD.as_ref().is_some_and(|word| word.is_match(encoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let words = Words::of(text);
        let texts = words.iter().map(|word| String::from_utf8(word.to_vec()));
        texts.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn words_as_the_script_has_them() {
        for (text, expected) in [
            ("", vec![]),
            ("The a an", vec![]),
            ("A well-known fact.", vec!["wellknown", "fact"]),
            ("the-a", vec!["thea"]),
            (
                "l\u{2019}a \u{2019}the\u{2019}s",
                vec!["l\u{2019}", "\u{2019}", "\u{2019}s"],
            ),
            ("théa éa aé", vec!["théa", "éa", "aé"]),
            ("a\u{301}", vec!["\u{301}"]), // a mark is no part of Python's words
            ("an\u{1c}b\u{85}c\u{a0}d", vec!["b", "c", "d"]),
            ("a\u{0}the", vec!["\u{0}"]),
            ("ΣΑΣ", vec!["σας"]),
            ("x_a_", vec!["xa"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }
}
