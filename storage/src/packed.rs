//! The stored form of a JSON object text that repeats what other columns of its row hold: marks stand for the
//! repetitions. Attributes of spans are stored so (`columns::packing`), and the hints of roots.
//!
//! A packed text begins with U+0001, which no JSON text does (attributes and hints are JSON object text), so
//! other texts need no escape. Packing is a plain substitution of bytes and only done when no mark can occur in
//! the text, which makes it invertible whatever the JSON looks like.

use crate::json::{literal_len, write_string};

/// The attributes of spans as a source has them: texts that `inputs` and `outputs` hold already are left out;
/// [`stored_members`] reads it. Cheaper to read than `attributes`.
pub const STORED_ATTRIBUTES: &str = "_stored_attributes";

/// What a packed text begins with.
pub(crate) const PACKED: char = '\u{1}';
/// What each mark begins with. JSON text has no such byte: a text that does is not packed.
const MARK_START: u8 = 2;
/// Column and mark.
pub(crate) const SOURCES: [(&str, &str); 2] = [("inputs", "\u{2}i"), ("outputs", "\u{2}o")];
/// Shorter texts are left alone: a mark would save nothing.
const TEXT_BYTES_MIN: usize = 24;
/// Texts up to this are read back when they are packed, in debug builds.
const READ_BACK_BYTES_MAX: usize = 8 << 10;

/// Attributes as they are stored; `None` when they stay as they are.
pub(crate) fn packed_attributes(
    attributes: &str,
    inputs: Option<&str>,
    outputs: Option<&str>,
) -> Option<String> {
    if attributes.starts_with(PACKED) {
        return None;
    }
    let stored = packed(attributes, [inputs, outputs])?;
    debug_assert!(
        attributes.len() > READ_BACK_BYTES_MAX
            || whole_attributes(&stored, inputs, outputs).as_deref() == Some(attributes),
        "what is packed reads back byte for byte"
    );
    Some(stored)
}

/// A JSON object text with marks for the literals of these texts; `None` when it has none of them, or what could be
/// taken for a mark.
pub(crate) fn packed(json: &str, texts: [Option<&str>; 2]) -> Option<String> {
    if memchr::memchr(MARK_START, json.as_bytes()).is_some() {
        return None;
    }
    Some(format!("{PACKED}{}", marked(json, texts)?))
}

/// What a value in [`stored_members`] has where a text is left out that only `inputs` or `outputs` have.
pub const ABSENT_TEXT: char = MARK_START as char;

/// Stored attributes as JSON object text, but for the marks that stand for values; `None` when a mark
/// stands for a key, so that they must be made whole to be read.
pub fn stored_members(stored: &str) -> Option<&str> {
    let Some(packed) = stored.strip_prefix(PACKED) else {
        return Some(stored);
    };
    // A mark is two bytes; what only begins like one, at the very end, has nothing after it.
    let after_mark = |at| packed.get(at + SOURCES[0].1.len()..);
    let is_key = |at| after_mark(at).is_some_and(|after: &str| after.trim_start().starts_with(':'));
    let mut marks = memchr::memchr_iter(MARK_START, packed.as_bytes());
    (!marks.any(is_key)).then_some(packed)
}

/// The marks that may stand for strings in what [`stored_members`] tells: for the inputs, for the outputs.
pub const MARKS: [&str; 2] = [SOURCES[0].1, SOURCES[1].1];

/// Stored attributes of a row as they were before they were packed; `None` when they are not.
pub fn whole_attributes(
    stored: &str,
    inputs: Option<&str>,
    outputs: Option<&str>,
) -> Option<String> {
    unpacked(stored, [inputs, outputs])
}

/// What was given to [`packed`] with the same texts.
pub(crate) fn unpacked(stored: &str, texts: [Option<&str>; 2]) -> Option<String> {
    let packed = stored.strip_prefix(PACKED)?;
    Some(unmarked(packed, texts).unwrap_or_else(|| packed.to_string()))
}

/// `text` with some of its parts replaced, from left to right; `None` when there is none. `part` tells how long a
/// part is that a text begins with, and what stands for it. Every part begins with the byte `start`, which is ASCII.
fn replace<'a>(
    text: &str,
    start: u8,
    part: impl Fn(&str) -> Option<(usize, &'a str)>,
) -> Option<String> {
    let (mut replaced, mut done, mut looked) = (String::new(), 0, 0);
    while let Some(at) = memchr::memchr(start, text.as_bytes().get(looked..)?).map(|at| looked + at)
    {
        looked = at + 1;
        if let Some((len, other)) = text.get(at..).and_then(&part) {
            if done == 0 {
                replaced.reserve(text.len());
            }
            replaced.push_str(text.get(done..at)?);
            replaced.push_str(other);
            (done, looked) = (at + len, at + len);
        }
    }
    if done == 0 {
        return None;
    }
    replaced.push_str(text.get(done..)?);
    Some(replaced)
}

/// `json` with marks for the literals of these texts, if it has any.
fn marked(json: &str, texts: [Option<&str>; 2]) -> Option<String> {
    let texts: Vec<(&str, &str)> = worth_packing(texts).collect();
    let mark = |literal: &str| {
        texts
            .iter()
            .find_map(|(mark, text)| Some((literal_len(literal, text)?, *mark)))
    };
    replace(json, b'"', mark)
}

/// What was given to [`marked`] with the same texts.
fn unmarked(packed: &str, texts: [Option<&str>; 2]) -> Option<String> {
    let literals = worth_packing(texts).map(|(mark, text)| {
        let mut literal = String::new();
        write_string(text, &mut literal);
        (mark, literal)
    });
    let literals: Vec<(&str, String)> = literals.collect();
    replace(packed, MARK_START, |marked| {
        let found = literals.iter().find(|(mark, _)| marked.starts_with(mark));
        found.map(|(mark, literal)| (mark.len(), literal.as_str()))
    })
}

/// The texts that are long enough, with their marks.
fn worth_packing(texts: [Option<&str>; 2]) -> impl Iterator<Item = (&'static str, &str)> {
    let is_long = |text: &&str| text.len() >= TEXT_BYTES_MIN;
    MARKS
        .into_iter()
        .zip(texts)
        .filter_map(move |(mark, text)| Some((mark, text.filter(is_long)?)))
}
