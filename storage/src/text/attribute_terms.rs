//! The terms of attributes in an index: their names, and pairs of name and value.
//!
//! Invariants:
//! 1. Equal pairs have equal terms, others have others: two that are hashed share a hash once in 10^13
//!    indexes of a million.

use twox_hash::XxHash3_128;

use super::fold::folded;

/// Before the folded name of an attribute, or the span's type.
pub(super) const NAME: char = '\u{2}';
/// Longest value of a pair, bytes.
const PAIR_VALUE_BYTES_MAX: usize = 128;
/// Longer values are in a pair by a hash of the pair: most are ids, which differ from each other to the end
/// and made up the most of the dictionary.
const PAIR_VALUE_KEPT_MAX: usize = 24;
/// Bytes of that hash, of seven bits each, so that it is text: of a million pairs two have the same once in
/// 10^13 indexes.
const PAIR_HASH_BYTES: u32 = 12;
/// Before that hash.
const HASHED_PAIR: u8 = 7;
/// Longest name of an attribute in a term, bytes.
const NAME_BYTES_MAX: usize = 256;

/// How a pair's value is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairKind {
    /// The value's text: a string's, or the JSON text of anything else.
    Text,
    /// The shortest text of a number that is written in another way.
    Number,
    /// What the value's text stands for when it is a quoted JSON string itself.
    Inner,
    /// The value is a list; without a value.
    List,
    /// The value is a list with elements that have no pairs; without a value.
    LongList,
}

/// The term of an attribute and its value; `None` when no row has such a term.
pub(super) fn pair(kind: PairKind, key: &str, value: &str) -> Option<Vec<u8>> {
    let mut term = Vec::new();
    write_pair(&mut term, kind, key, value).then_some(term)
}

/// Replaces `term` by that of an attribute and its value; whether there is one.
pub(super) fn write_pair(term: &mut Vec<u8>, kind: PairKind, key: &str, value: &str) -> bool {
    if !is_pairable(key) || value.len() > PAIR_VALUE_BYTES_MAX {
        return false;
    }
    term.clear();
    term.push(match kind {
        PairKind::Text => 4,
        PairKind::Number => 5,
        PairKind::Inner => 6,
        PairKind::List => 8,
        PairKind::LongList => 9,
    });
    term.extend_from_slice(key.as_bytes());
    term.push(0);
    term.extend_from_slice(value.as_bytes());
    if value.len() > PAIR_VALUE_KEPT_MAX {
        let hash = XxHash3_128::oneshot(term);
        term.clear();
        term.push(HASHED_PAIR);
        term.extend((0..PAIR_HASH_BYTES).map(|at| (hash >> (7 * at)).to_le_bytes()[0] & 0x7f));
    }
    debug_assert!(
        term.len() <= NAME_BYTES_MAX + PAIR_VALUE_KEPT_MAX + 2,
        "the terms of pairs are short"
    );
    true
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
    let value: f64 = text
        .parse()
        .ok()
        .filter(|value: &f64| begins && value.is_finite())?;
    Some(if value == 0.0 {
        "0".to_owned()
    } else {
        value.to_string()
    })
}

/// What a double is called that JSON cannot write, of the object that stands for it.
pub fn special_double(raw: &str) -> Option<&'static str> {
    match raw {
        r#"{"$double":"NaN"}"# => Some("NaN"),
        r#"{"$double":"Infinity"}"# => Some("Infinity"),
        r#"{"$double":"-Infinity"}"# => Some("-Infinity"),
        _ => None,
    }
}

/// The string that a text stands for when it is the JSON text of one.
pub(super) fn inner_string(text: &str) -> Option<String> {
    if !(text.len() >= 2 && text.starts_with('"') && text.ends_with('"')) {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn pairs_are_told_apart_and_their_terms_are_short() {
        let values = [
            "",
            "x",
            &"k".repeat(24),
            &"k".repeat(25),
            &"long".repeat(32),
        ];
        let mut terms = Vec::new();
        for kind in [PairKind::Text, PairKind::Number, PairKind::Inner] {
            for key in ["k", "key\u{1}", "a much longer name of an attribute"] {
                for value in values {
                    let term = pair(kind, key, value).unwrap();
                    assert!(
                        term.len() <= key.len() + 2 + PAIR_VALUE_KEPT_MAX
                            && std::str::from_utf8(&term).is_ok()
                    );
                    terms.push(term);
                }
            }
        }
        let count = terms.len();
        terms.sort_unstable();
        terms.dedup();
        assert_eq!(terms.len(), count);
        assert_eq!(pair(PairKind::Text, "k", &"long".repeat(33)), None);
        assert_eq!(pair(PairKind::Text, "k\0", "x"), None);
    }
}
