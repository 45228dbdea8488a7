//! What the index holds of a row besides its words, so that patterns and equality on attributes find it:
//! the tokens of its raw strings that no word of it is, and the values of its attributes.
//!
//! Words come from decoded JSON as it is read (`reading`), patterns speak of the text as it was sent and as JSON
//! decodes it: keys, escapes (`\u00e9`), words glued to an escape (`\nword` holds the token `nword`) or to a colour
//! (`31merror`). Only the difference is kept.
//!
//! ```text
//! field raw:     tokens of raw strings, names of attributes, the span's type
//! field values:  tokens of attribute values that are no strings; pairs (attribute, value), or their hashes
//! ```
//!
//! Invariants:
//! 1. Every token of a raw string, and of each string that JSON in it stands for, is a term of the row in the
//!    field of words or in `raw`; every token of an attribute's value is one there or in `values`. A token longer than
//!    [`LONG_WORD_BYTES`] is a term by its beginning alone, and its row has the term [`LONG`].
//! 2. As `row_values` says of values.

use memchr::memchr;

use super::attribute_terms::name_term;
use super::cut::{cut, items};
use super::fold::{Tokens, fold};
use super::leaves::scanned_json;
use super::letters::is_joined;
use super::python_number::python_number;
use super::reading::is_read_as_it_is;
use super::row_text::{RowString, RowText};
use super::scanned::Scanned;
use super::term_ids::TermIds;
use super::tokenizer::{LONG_WORD_BYTES, LONG_WORD_KEPT_BYTES, Words};
use crate::Result;
use crate::json::JsonPiece;

/// The row has a token that is too long to be a term.
pub(super) const LONG: &str = "\u{1}";
/// The first byte of a term that is a token.
pub(super) const FIRST_TOKEN_BYTE: u8 = b'0';

/// The terms of one row, by number.
#[derive(Debug, Default)]
pub(super) struct RowTerms {
    /// Of all rows and both fields.
    pub(super) terms: TermIds,
    pub(super) raw: Vec<u32>,
    pub(super) values: Vec<u32>,
    /// For each term the last row that had it.
    last_rows: Vec<u32>,
    /// Names of attributes, and what is known of them.
    keys: TermIds,
    pub(super) known_keys: Vec<Key>,
    /// Rows so far.
    pub(super) row: u32,
    /// Which of the fields have [`LONG`].
    has_long: [bool; 2],
    pub(super) token: String,
    pub(super) pair: Vec<u8>,
}

/// The name of an attribute.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Key {
    /// Its term, once it was asked for; none when it is too long to have one.
    name: Option<u32>,
    /// The last row with a pair of it.
    pub(super) last_row: u32,
}

/// Which list a term goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Raw,
    Values,
}

impl RowTerms {
    /// Replaces the terms by those of a row and its strings.
    ///
    /// # Errors
    /// `Internal` with more terms than there are numbers.
    pub(super) fn fill(&mut self, row: &RowText<'_>, strings: &[RowString<'_>]) -> Result<()> {
        self.raw.clear();
        self.values.clear();
        self.has_long = [false; 2];
        self.row += 1;
        for string in strings {
            self.add_raw(string.text, string.json.as_ref())?;
        }
        let mut names = Ok(());
        row.each_attribute_name(&mut |name| {
            if names.is_ok() {
                names = self.add_name(name);
            }
        });
        names?;
        row.span_type
            .into_iter()
            .try_for_each(|name| self.add_name(name))?;
        row.attributes
            .iter()
            .try_for_each(|attributes| self.add_values(attributes))
    }

    fn add_name(&mut self, name: &str) -> Result<()> {
        let key = self.key(name)?;
        let known = self.known_keys.get(key).and_then(|key| key.name);
        let term = match known {
            Some(term) => term,
            None => match name_term(name) {
                Some(term) => self.terms.number(term.as_bytes())?,
                None => return self.add(To::Raw, LONG.as_bytes()),
            },
        };
        if let Some(key) = self.known_keys.get_mut(key) {
            key.name = Some(term);
        }
        self.add_number(To::Raw, term);
        Ok(())
    }

    /// Where the name of an attribute is among those known.
    pub(super) fn key(&mut self, name: &str) -> Result<usize> {
        let key = self.keys.number(name.as_bytes())? as usize;
        if key >= self.known_keys.len() {
            self.known_keys.resize(key + 1, Key::default());
        }
        Ok(key)
    }

    /// Adds the tokens of a raw string that are no words of its leaves.
    fn add_raw(&mut self, string: &str, json: Option<&Scanned<'_>>) -> Result<()> {
        let Some(json) = json else {
            return self.add_changed(To::Raw, string);
        };
        json.parts().try_for_each(|part| match part.piece {
            JsonPiece::Text(escaped) => self.add_escaped(escaped, part.plain),
            piece => self.add_bare(To::Raw, piece),
        })
    }

    /// Adds the tokens of a string inside JSON that are no words of its leaves.
    fn add_escaped(&mut self, escaped: &str, plain: &str) -> Result<()> {
        if is_read_as_it_is(plain) {
            self.add_changed(To::Raw, escaped)?;
        } else {
            self.add_tokens(To::Raw, escaped)?;
        }
        if escaped.len() != plain.len() {
            self.add_glued(To::Raw, escaped)?;
            self.add_changed(To::Raw, plain)?;
        }
        match scanned_json(plain) {
            Some(json) => self.add_raw(plain, Some(&json)),
            None => Ok(()),
        }
    }

    /// Adds the tokens of a key, of a literal, and of a number that is no word as it is written.
    pub(super) fn add_bare(&mut self, to: To, piece: JsonPiece<'_>) -> Result<()> {
        match piece {
            JsonPiece::Key(text) | JsonPiece::Literal(text) => self.add_tokens(to, text),
            JsonPiece::Number(text) if to == To::Values || python_number(text) != text => {
                self.add_tokens(to, text)
            }
            _ => Ok(()),
        }
    }

    /// Adds the tokens of a text that differ from its words, and notes long ones.
    pub(super) fn add_changed(&mut self, to: To, text: &str) -> Result<()> {
        if !is_read_as_it_is(text) {
            return self.add_tokens(to, text);
        }
        if text.is_ascii() {
            return if has_long_token(text) {
                self.add(to, LONG.as_bytes())
            } else {
                Ok(())
            };
        }
        self.add_tokens_if(to, text, |token, source| {
            token.len() > LONG_WORD_BYTES || is_changed(source)
        })
    }

    /// Adds the tokens that an escape is part of, or ends: in `caf\u00e9\nbar` all three.
    pub(super) fn add_glued(&mut self, to: To, escaped: &str) -> Result<()> {
        let mut at = 0;
        while let Some(found) = memchr(b'\\', items(escaped.as_bytes(), at..)) {
            let escape = at + found;
            at = escape + 2;
            let kind = escaped.as_bytes().get(escape + 1);
            if matches!(kind, Some(b'b' | b'f' | b'n' | b'r' | b't' | b'u')) {
                self.add_first_token(to, cut(escaped, escape + 1..))?;
            }
            if kind == Some(&b'u') {
                let before = cut(escaped, ..escape);
                let start = before.trim_end_matches(|c| is_joined(fold(c))).len();
                self.add_first_token(to, cut(before, start..))?;
            }
        }
        Ok(())
    }

    fn add_first_token(&mut self, to: To, text: &str) -> Result<()> {
        let mut token = std::mem::take(&mut self.token);
        let added = match Tokens::new(text).next(&mut token) {
            Some(_) => self.add_token(to, &mut token),
            None => Ok(()),
        };
        self.token = token;
        added
    }

    pub(super) fn add_tokens(&mut self, to: To, text: &str) -> Result<()> {
        if text.len() > LONG_WORD_BYTES || !text.is_ascii() {
            return self.add_tokens_if(to, text, |_, _| true);
        }
        // The words of such a text are its tokens.
        let mut words = Words::new(text);
        while let Some(packed) = words.next_packed(&mut self.token) {
            let term = match packed {
                Some(word) => self.terms.packed_number(word)?,
                None => self.terms.number(self.token.as_bytes())?,
            };
            self.add_number(to, term);
        }
        Ok(())
    }

    /// Adds the tokens for which `wanted` holds of the token and its source.
    fn add_tokens_if(
        &mut self,
        to: To,
        text: &str,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<()> {
        let mut token = std::mem::take(&mut self.token);
        let mut tokens = Tokens::new(text);
        while let Some(range) = tokens.next(&mut token) {
            if wanted(&token, cut(text, range)) {
                self.add_token(to, &mut token)?;
            }
        }
        self.token = token;
        Ok(())
    }

    fn add_token(&mut self, to: To, token: &mut String) -> Result<()> {
        if token.len() > LONG_WORD_BYTES {
            self.add(to, LONG.as_bytes())?;
            token.truncate(token.floor_char_boundary(LONG_WORD_KEPT_BYTES));
        }
        debug_assert!(token.len() <= LONG_WORD_BYTES, "a term is no long token");
        self.add(to, token.as_bytes())
    }

    pub(super) fn add(&mut self, to: To, term: &[u8]) -> Result<()> {
        let number = self.terms.number(term)?;
        if term != LONG.as_bytes() {
            self.add_number(to, number);
            return Ok(());
        }
        // The mark of long tokens is one of each field.
        let (list, [in_raw, in_values]) = (to, &mut self.has_long);
        let (list, has_long) = match list {
            To::Raw => (&mut self.raw, in_raw),
            To::Values => (&mut self.values, in_values),
        };
        if !std::mem::replace(has_long, true) {
            list.push(number);
        }
        Ok(())
    }

    pub(super) fn add_number(&mut self, to: To, term: u32) {
        if self.is_new(term) {
            match to {
                To::Raw => self.raw.push(term),
                To::Values => self.values.push(term),
            }
        }
    }

    /// Whether the row did not have the term; it has now.
    pub(super) fn is_new(&mut self, term: u32) -> bool {
        let term = term as usize;
        if term >= self.last_rows.len() {
            self.last_rows.resize(term + 1, 0);
        }
        let row = self.row;
        self.last_rows
            .get_mut(term)
            .is_some_and(|last| std::mem::replace(last, row) != row)
    }
}

/// Whether the tokens of a text are not its words, lower-cased as a whole.
fn is_changed(source: &str) -> bool {
    source
        .chars()
        .any(|c| c == 'Σ' || !c.to_lowercase().eq([fold(c)]))
}

/// A long token covers one of the bytes looked at, which lie one more than its least length apart.
fn has_long_token(ascii: &str) -> bool {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = ascii.as_bytes();
    let run = |at: usize| {
        let (before, after) = bytes.split_at(at);
        let left = before
            .iter()
            .rev()
            .take_while(|byte| is_inside(byte))
            .take(LONG_WORD_BYTES + 1)
            .count();
        left + after
            .iter()
            .take_while(|byte| is_inside(byte))
            .take(LONG_WORD_BYTES + 1)
            .count()
    };
    (LONG_WORD_BYTES..bytes.len())
        .step_by(LONG_WORD_BYTES + 1)
        .any(|at| run(at) > LONG_WORD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tokens_are_seen_wherever_they_begin() {
        for start in 0..600 {
            let text = |length: usize| format!("{} {} tail", "-".repeat(start), "x".repeat(length));
            assert!(has_long_token(&text(LONG_WORD_BYTES + 1)), "{start}");
            assert!(!has_long_token(&text(LONG_WORD_BYTES)), "{start}");
        }
        assert!(has_long_token(&"y".repeat(LONG_WORD_BYTES + 1)));
    }

    #[test]
    fn what_words_lack_is_added() {
        let added = |string: &str| {
            let mut terms = RowTerms::default();
            let json = scanned_json(string);
            terms.row = 1;
            terms.add_raw(string, json.as_ref()).unwrap();
            let term =
                |&number: &u32| String::from_utf8(terms.terms.term(number).to_vec()).unwrap();
            terms.raw.iter().map(term).collect::<Vec<_>>()
        };
        assert!(added("plain text with words").is_empty());
        assert_eq!(
            added(r#"{"key":"a word","n":1.50,"ok":true}"#),
            ["key", "n", "1", "50", "ok", "true"]
        );
        let escapes = r#"["one\\two","three\nfour","caf\\u00e9 caf\u00e9s"]"#;
        assert_eq!(added(escapes), ["nfour", "u00e9s", "caf"]);
        assert_eq!(added("ΑΣ ſtop naïve"), ["ασ", "stop"]);
        assert_eq!(added(r#"{"a":"{\"b\": \"c\\nd\"}"}"#), ["a", "b", "nd"]);
        assert!(added("東京の天気 abc").is_empty());
        assert_eq!(
            added(r#"["\n東京caf\u00e9\u6771x"]"#),
            ["n", "u00e9", "caf", "u6771x"]
        );
        assert_eq!(added("\u{1b}[31mERROR cafe\u{301}"), ["31merror", "cafe"]);
        assert_eq!(
            added(r#"["\u001b[31mERR \u0130x"]"#),
            ["u001b", "31merr", "u0130x", "İx"]
        );
    }
}
