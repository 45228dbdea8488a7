//! The answer has at most so many words.
//!
//! What is a word: a piece between white space that has a letter or a digit, so `don't`, `state-of-the-art` and `3.14` are
//! one, a dash or an emoji by itself is none. Chinese characters, Hiragana and Katakana are written without spaces: each
//! of them is a word by itself, and what stands between them is a word when it has a letter or a digit. Korean has
//! spaces and is counted by them. Thai, Lao, Khmer and Burmese have none and would need a dictionary: a run is one word.
//!
//! Invariant: for ASCII text the count is the pieces of white space that have a letter or digit.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::TEXTS;
use crate::{Item, Needs, Score, ScoreError};

/// Whether the answer is short enough. Value: the count of words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxWords {
    /// The most that passes.
    pub max: u64,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl MaxWords {
    /// A limit on the answer's words.
    pub fn new(max: u64) -> Self {
        Self { max, field: None }
    }

    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        Ok(Box::new(self.clone()))
    }
}

/// How many words a text has, as the head of this file says.
pub fn word_count(text: &str) -> u64 {
    if text.is_ascii() {
        return ascii_word_count(text);
    }
    let mut count = 0;
    let mut in_word = false;
    for character in text.chars() {
        if is_unspaced(character) {
            count += 1 + u64::from(in_word);
            in_word = false;
        } else if character.is_whitespace() {
            count += u64::from(in_word);
            in_word = false;
        } else if character.is_alphanumeric() {
            in_word = true;
        }
    }
    count + u64::from(in_word)
}

fn ascii_word_count(text: &str) -> u64 {
    let mut count = 0;
    let mut in_word = false;
    for byte in text.bytes() {
        // The vertical tab is white space of Unicode and not of `is_ascii_whitespace`.
        let space = matches!(byte, b' ' | b'\t'..=b'\r');
        count += u64::from(space && in_word);
        in_word = !space && (in_word || byte.is_ascii_alphanumeric());
    }
    count + u64::from(in_word)
}

/// Characters of scripts without spaces where each is counted: Han, Hiragana, Katakana.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{3005}'..='\u{3007}'       // marks of repetition, closing mark, zero
        | '\u{3041}'..='\u{3096}'     // Hiragana
        | '\u{309D}'..='\u{309F}'     // and its marks of repetition
        | '\u{30A1}'..='\u{30FA}'     // Katakana
        | '\u{30FC}'..='\u{30FF}'     // and its long mark, marks of repetition
        | '\u{31F0}'..='\u{31FF}'     // Katakana, small
        | '\u{3400}'..='\u{4DBF}'     // Han, extension A
        | '\u{4E00}'..='\u{9FFF}'     // Han
        | '\u{F900}'..='\u{FAFF}'     // Han, compatibility
        | '\u{FF66}'..='\u{FF9D}'     // Katakana, half width
        | '\u{20000}'..='\u{323AF}'   // Han, extensions B to I
    )
}

impl Check for MaxWords {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let text = answer::text(item, self.field.as_deref())?;
        let count = word_count(&text);
        let over = || format!("{count} words, at most {} are asked for", self.max);
        Ok(Score {
            value: json!(count),
            ..Score::verdict(count <= self.max, over)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, count) in [
            ("", 0),
            ("  \n", 0),
            ("one", 1),
            ("don't use state-of-the-art - 3.14 …", 4),
            ("a\u{b}b", 2),
            ("naïve café", 2),
            ("東京は大きい", 6),
            ("東京 is big。", 4),
            ("GPTは賢い", 4),
            ("コーヒー", 4),
            ("안녕 세상", 2),
            ("สวัสดีชาวโลก", 1),
            ("🎉 party 🎉", 1),
            ("a\u{a0}b", 2),
        ] {
            assert_eq!(word_count(text), count, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn ascii_is_pieces_with_a_letter_or_digit(text in "[ -~\t\n\u{b}\r]{0,60}") {
            let pieces = text.split_whitespace();
            let count = pieces.filter(|piece| piece.chars().any(char::is_alphanumeric)).count();
            proptest::prop_assert_eq!(word_count(&text), count as u64);
            let wide = format!("{text}\u{2026}");
            proptest::prop_assert_eq!(word_count(&wide), count as u64);
        }
    }
}
