//! What the index holds of a row besides its words, so that patterns and equality on attributes find it:
//! the tokens of its raw strings that no word of it is, and the values of its attributes.
//!
//! Words come from decoded JSON, patterns speak of the text as it was sent: keys, escapes (`\u00e9`),
//! words glued to an escape (`\nword` holds the token `nword`). Only the difference is kept.
//!
//! ```text
//! field raw:     tokens of raw strings, names of attributes, the span's type
//! field values:  tokens of attribute values that are no strings; pairs (attribute, value)
//! ```
//!
//! Invariants:
//! 1. Every token of a raw string is a term of the row in one of the fields of words or in `raw`; every
//!    token of an attribute's value is one there or in `values`. A token longer than
//!    [`LONG_WORD_BYTES`] is a term by its beginning alone, and its row has the term [`LONG`].
//! 2. Every attribute whose key [`is_pairable`] and whose value has a text of at most
//!    [`PAIR_VALUE_BYTES_MAX`] bytes is a pair; of several attributes of one name the first.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use memchr::memchr;
use twox_hash::XxHash3_128;

use super::fold::{Tokens, fold, folded};
use super::json::{Piece, python_number};
use super::leaves::{StringList, looks_like_json};
use super::letters::is_word;
use super::row_text::{RowString, RowText};
use super::scanned::{Scanned, is_wrapper};
use super::tokenizer::{LONG_WORD_BYTES, LONG_WORD_KEPT_BYTES};

/// The row has a token that is too long to be a term.
pub(super) const LONG: &str = "\u{1}";
/// Before the folded name of an attribute, or the span's type.
pub(super) const NAME: char = '\u{2}';
/// The first byte of a term that is a token.
pub(super) const FIRST_TOKEN_BYTE: u8 = b'0';

/// Longest value of a pair, bytes.
const PAIR_VALUE_BYTES_MAX: usize = 128;
/// Longest name of an attribute in a term, bytes.
const NAME_BYTES_MAX: usize = 256;
/// Largest set of terms that is kept for the next row.
const KNOWN_KEPT: usize = 1 << 16;

/// How a pair's value is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairKind {
    /// The value's text: a string's, or the JSON text of anything else.
    Text,
    /// The shortest text of a number that is written in another way.
    Number,
    /// What the value's text stands for when it is a quoted JSON string itself.
    Inner,
}

/// The term of an attribute and its value; `None` when no row has such a term.
pub(super) fn pair(kind: PairKind, key: &str, value: &str) -> Option<String> {
    let mark = match kind {
        PairKind::Text => '\u{4}',
        PairKind::Number => '\u{5}',
        PairKind::Inner => '\u{6}',
    };
    (is_pairable(key) && value.len() <= PAIR_VALUE_BYTES_MAX).then(|| format!("{mark}{key}\0{value}"))
}

/// Whether attributes of this name are pairs.
pub(super) fn is_pairable(key: &str) -> bool {
    key.len() <= NAME_BYTES_MAX && !key.contains('\0')
}

/// The term of an attribute's name; `None` when it is too long to be one.
pub(super) fn name_term(name: &str) -> Option<String> {
    (name.len() <= NAME_BYTES_MAX).then(|| format!("{NAME}{}", folded(name)))
}

/// The shortest text of the number that `text` writes.
pub(super) fn shortest_number(text: &str) -> Option<String> {
    let begins = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let value: f64 = text.parse().ok().filter(|value: &f64| begins && value.is_finite())?;
    Some(if value == 0.0 { "0".to_owned() } else { value.to_string() })
}

/// Hashes are not hashed again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let low = bytes.first_chunk().copied().unwrap_or_default();
        self.0 = u64::from_le_bytes(low);
    }
}

/// The terms of one row.
#[derive(Debug, Clone, Default)]
pub(super) struct RowTerms {
    pub(super) raw: StringList,
    pub(super) values: StringList,
    /// Hashes of the row's terms so far.
    known: HashSet<u128, BuildHasherDefault<Hashed>>,
    token: String,
}

/// Which list a term goes to.
#[derive(Clone, Copy)]
enum To {
    Raw,
    Values,
}

impl RowTerms {
    /// Replaces the terms by those of a row and its strings.
    pub(super) fn fill(&mut self, row: &RowText<'_>, strings: &[RowString<'_>]) {
        self.raw.clear();
        self.values.clear();
        if self.known.capacity() > KNOWN_KEPT {
            self.known = HashSet::default();
        }
        self.known.clear();
        for string in strings {
            self.add_raw(string.text, string.json.as_ref());
        }
        row.each_attribute_name(&mut |name| self.add_name(name));
        row.span_type.into_iter().for_each(|name| self.add_name(name));
        if let Some(attributes) = &row.attributes {
            self.add_values(attributes);
        }
    }

    fn add_name(&mut self, name: &str) {
        match name_term(name) {
            Some(term) => self.add(To::Raw, &term),
            None => self.add(To::Raw, LONG),
        }
    }

    /// Adds the tokens of a raw string that are no words of its leaves.
    fn add_raw(&mut self, string: &str, json: Option<&Scanned<'_>>) {
        let Some(json) = json else { return self.add_changed(To::Raw, string) };
        for part in json.parts() {
            match part.piece {
                Piece::Text(escaped) => self.add_escaped(escaped, part.plain),
                piece => self.add_bare(To::Raw, piece),
            }
        }
    }

    /// Adds the tokens of a string inside JSON that are no words of its leaves.
    fn add_escaped(&mut self, escaped: &str, plain: &str) {
        self.add_changed(To::Raw, escaped);
        if escaped.len() != plain.len() {
            self.add_glued(To::Raw, escaped);
        }
        if looks_like_json(plain) {
            let json = Some(Scanned::new(plain)).filter(Scanned::is_json);
            self.add_raw(plain, json.as_ref());
        }
    }

    /// Adds the tokens of a key, of a literal, and of a number that is no word as it is written.
    fn add_bare(&mut self, to: To, piece: Piece<'_>) {
        match piece {
            Piece::Key(text) | Piece::Literal(text) => self.add_tokens(to, text),
            Piece::Number(text) if matches!(to, To::Values) || python_number(text) != text => {
                self.add_tokens(to, text);
            }
            _ => {}
        }
    }

    /// Adds the tokens of a text that differ from its words, and notes long ones.
    fn add_changed(&mut self, to: To, text: &str) {
        if text.is_ascii() {
            if has_long_token(text) {
                self.add(to, LONG);
            }
            return;
        }
        self.add_tokens_if(to, text, |token, source| token.len() > LONG_WORD_BYTES || is_changed(source));
    }

    /// Adds the tokens that an escape is part of, or ends: in `caf\u00e9\nbar` all three.
    fn add_glued(&mut self, to: To, escaped: &str) {
        let mut at = 0;
        while let Some(found) = memchr(b'\\', escaped.as_bytes().get(at..).unwrap_or_default()) {
            let escape = at + found;
            at = escape + 2;
            let kind = escaped.as_bytes().get(escape + 1);
            if matches!(kind, Some(b'b' | b'f' | b'n' | b'r' | b't' | b'u')) {
                self.add_first_token(to, escaped.get(escape + 1..).unwrap_or_default());
            }
            if kind == Some(&b'u') {
                let before = escaped.get(..escape).unwrap_or_default();
                let start = before.trim_end_matches(|c| is_word(fold(c))).len();
                self.add_first_token(to, before.get(start..).unwrap_or_default());
            }
        }
    }

    fn add_first_token(&mut self, to: To, text: &str) {
        let mut token = std::mem::take(&mut self.token);
        if Tokens::new(text).next(&mut token).is_some() {
            self.add_token(to, &mut token);
        }
        self.token = token;
    }

    fn add_tokens(&mut self, to: To, text: &str) {
        self.add_tokens_if(to, text, |_, _| true);
    }

    /// Adds the tokens for which `wanted` holds of the token and its source.
    fn add_tokens_if(&mut self, to: To, text: &str, wanted: impl Fn(&str, &str) -> bool) {
        let mut token = std::mem::take(&mut self.token);
        let mut tokens = Tokens::new(text);
        while let Some(range) = tokens.next(&mut token) {
            if wanted(&token, text.get(range).unwrap_or_default()) {
                self.add_token(to, &mut token);
            }
        }
        self.token = token;
    }

    fn add_token(&mut self, to: To, token: &mut String) {
        if token.len() > LONG_WORD_BYTES {
            self.add(to, LONG);
            token.truncate(token.floor_char_boundary(LONG_WORD_KEPT_BYTES));
        }
        self.add(to, token);
    }

    fn add(&mut self, to: To, term: &str) {
        let list = match to {
            To::Raw => &mut self.raw,
            To::Values => &mut self.values,
        };
        // The mark of long tokens is one of each field.
        if self.known.insert(hash(term)) || (term == LONG && !list.iter().any(|known| known == LONG)) {
            list.push(term);
        }
    }

    /// Adds what a span's attributes hold.
    fn add_values(&mut self, attributes: &Scanned<'_>) {
        let mut key = "";
        let mut container_start = 0;
        let mut in_wrapper = false;
        for part in attributes.parts() {
            match (part.piece, part.depth) {
                (Piece::Key(_), 1) => key = part.plain,
                (Piece::Text(_), 1) => {
                    self.add_inner(part.plain);
                    self.add_pair(key, part.plain, true);
                }
                (Piece::Number(scalar) | Piece::Literal(scalar), 1) => {
                    self.add_tokens(To::Values, scalar);
                    self.add_pair(key, scalar, false);
                }
                (Piece::BeginObject | Piece::BeginArray, 2) => container_start = part.end - 1,
                (Piece::End, 1) => {
                    let raw = attributes.text().get(container_start..part.end).unwrap_or_default();
                    self.add_pair(key, raw, false);
                }
                (Piece::Text(escaped), _) => {
                    if in_wrapper {
                        self.add_tokens(To::Values, escaped);
                        self.add_tokens(To::Values, part.plain);
                    }
                    self.add_inner(part.plain);
                    self.add_glued(To::Values, escaped);
                    self.add_changed(To::Values, escaped);
                }
                (piece, _) => self.add_bare(To::Values, piece),
            }
            in_wrapper = matches!(part.piece, Piece::Key(key) if is_wrapper(key));
        }
    }

    /// Adds the tokens of what a string stands for when it is a quoted JSON string itself, unless they are
    /// those of the string.
    fn add_inner(&mut self, text: &str) {
        if let Some(inner) = inner_string(text) {
            let mut tokens = Tokens::new(text);
            while tokens.next(&mut self.token).is_some() {
                self.known.insert(hash(&self.token));
            }
            self.add_tokens(To::Values, &inner);
        }
    }

    fn add_pair(&mut self, key: &str, text: &str, is_string: bool) {
        // Of attributes of one name the first counts.
        let is_first = self.known.insert(!hash(key));
        if !is_first || (text == "null" && !is_string) {
            return;
        }
        if let Some(term) = pair(PairKind::Text, key, text) {
            self.add(To::Values, &term);
        }
        if let Some(number) = shortest_number(text).filter(|number| number != text)
            && let Some(term) = pair(PairKind::Number, key, &number)
        {
            self.add(To::Values, &term);
        }
        if is_string
            && let Some(inner) = inner_string(text)
            && let Some(term) = pair(PairKind::Inner, key, &inner)
        {
            self.add(To::Values, &term);
        }
    }
}

/// Whether the tokens of a text are not its words, lower-cased as a whole.
fn is_changed(source: &str) -> bool {
    source.chars().any(|c| c == 'Σ' || !c.to_lowercase().eq([fold(c)]))
}

/// The string that a text stands for when it is the JSON text of one.
fn inner_string(text: &str) -> Option<String> {
    if !(text.len() >= 2 && text.starts_with('"') && text.ends_with('"')) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// A long token covers one of the bytes looked at, which lie one more than its least length apart.
fn has_long_token(ascii: &str) -> bool {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = ascii.as_bytes();
    let run = |at: usize| {
        let (before, after) = bytes.split_at(at);
        let left = before.iter().rev().take_while(|byte| is_inside(byte)).take(LONG_WORD_BYTES + 1).count();
        left + after.iter().take_while(|byte| is_inside(byte)).take(LONG_WORD_BYTES + 1).count()
    };
    (LONG_WORD_BYTES..bytes.len()).step_by(LONG_WORD_BYTES + 1).any(|at| run(at) > LONG_WORD_BYTES)
}

fn hash(term: &str) -> u128 {
    XxHash3_128::oneshot(term.as_bytes())
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
    fn numbers_have_one_shortest_text() {
        let shortest = |text| shortest_number(text);
        assert_eq!(shortest("5.00").as_deref(), Some("5"));
        assert_eq!(shortest("-0").as_deref(), Some("0"));
        assert_eq!(shortest("1e2").as_deref(), Some("100"));
        assert_eq!(shortest("0.5").as_deref(), Some("0.5"));
        assert_eq!(shortest("nan"), None);
        assert_eq!(shortest("1e999"), None);
    }

    #[test]
    fn what_words_lack_is_added() {
        let added = |string: &str| {
            let mut terms = RowTerms::default();
            let json = looks_like_json(string).then(|| Scanned::new(string)).filter(Scanned::is_json);
            terms.add_raw(string, json.as_ref());
            terms.raw.iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(added("plain text with words").is_empty());
        assert_eq!(added(r#"{"key":"a word","n":1.50,"ok":true}"#), ["key", "n", "1", "50", "ok", "true"]);
        let escapes = r#"["one\\two","three\nfour","caf\\u00e9 caf\u00e9s"]"#;
        assert_eq!(added(escapes), ["nfour", "u00e9s", "caf"]);
        assert_eq!(added("ΑΣ ſtop naïve"), ["ασ", "stop"]);
        assert_eq!(added(r#"{"a":"{\"b\": \"c\\nd\"}"}"#), ["a", "b", "nd"]);
    }
}
