//! JSON as answers have it: its size in bytes, beginnings of long texts, and no character that hides.
//!
//! Texts of traces are written by strangers. Control characters, those that turn the direction of writing, and those
//! without a shape (which can carry words that only a model reads) are written as escapes: the text that is decoded from
//! them is exact, and what a terminal or a person sees is honest.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value, json};
use tracehouse::arrow::temporal_conversions::timestamp_ns_to_datetime;

/// The members of an object.
pub(super) type Fields = Map<String, Value>;

/// The JSON text of a value.
pub(super) fn text(value: &Value) -> String {
    let mut bytes = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut bytes, Visible));
    // Memory takes every byte, and what is written is UTF-8.
    match (written, String::from_utf8(bytes)) {
        (Ok(()), Ok(text)) => text,
        _ => value.to_string(),
    }
}

/// The bytes of its JSON text.
pub(super) fn bytes(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    let written = value.serialize(&mut Serializer::with_formatter(&mut counter, Visible));
    // What cannot be written is never small enough.
    written.map_or(usize::MAX, |()| counter.0)
}

/// The bytes of the longest beginning of `text` whose JSON text, without quotes, has at most `bytes_max`.
pub(super) fn fitting(text: &str, bytes_max: usize) -> usize {
    let mut used = 0_usize;
    for (at, c) in text.char_indices() {
        used = used.saturating_add(escaped_bytes(c));
        if used > bytes_max {
            return at;
        }
    }
    text.len()
}

/// A text as a whole, or, when it is longer than `bytes_max`, its beginning and its length.
pub(super) fn preview(text: &str, bytes_max: usize) -> Value {
    if text.len() <= bytes_max {
        return Value::from(text);
    }
    let end = text.floor_char_boundary(bytes_max);
    let beginning = text.get(..end).unwrap_or_default();
    json!({"preview": beginning, "bytes": text.len()})
}

/// Any value, of which long texts are beginnings; a list or object that is long is the beginning of its JSON text.
pub(super) fn cell(value: Value, bytes_max: usize) -> Value {
    match value {
        Value::String(text) => preview(&text, bytes_max),
        Value::Array(_) | Value::Object(_) => match bytes(&value) > bytes_max {
            true => preview(&value.to_string(), bytes_max),
            false => value,
        },
        _ => value,
    }
}

/// Adds a member, when there is a value for it.
pub(super) fn put<T: Into<Value>>(fields: &mut Fields, name: &str, value: Option<T>) {
    if let Some(value) = value {
        fields.insert(name.to_string(), value.into());
    }
}

/// Unix nanoseconds as RFC 3339; a time that the calendar does not have stays a number.
pub(super) fn time(ns: i64) -> Value {
    timestamp_ns_to_datetime(ns).map_or(Value::from(ns), |time| {
        Value::from(time.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string())
    })
}

/// Nanoseconds as milliseconds.
pub(super) fn milliseconds(ns: i64) -> Value {
    Value::from(ns as f64 / 1e6)
}

/// Writes characters that hide as escapes.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            let (before, after) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Characters that JSON lets through and nobody sees, or that change how others are seen.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e01ef}'
    )
}

/// Bytes of a character inside a JSON text.
fn escaped_bytes(c: char) -> usize {
    /// `\u` and four digits.
    const ESCAPE_BYTES: usize = 6;
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => ESCAPE_BYTES,
        _ if is_hidden(c) => ESCAPE_BYTES * c.len_utf16(),
        _ => c.len_utf8(),
    }
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escapes_and_decode_to_themselves() {
        let hostile = "a\u{1b}[2J\u{202e}b\u{e0041}c\u{9b}\u{7f}\u{200b}\"\\\n\u{0}é天";
        let value = json!({"k\u{200b}": [hostile]});
        let written = text(&value);
        assert!(!written.chars().any(|c| is_hidden(c) || c.is_control()));
        assert!(written.contains(r"\udb40\udc41"), "{written}");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        assert_eq!(bytes(&value), written.len());
    }

    #[test]
    fn the_size_of_each_character_is_the_size_that_is_written() {
        for c in (0..0x3000)
            .chain(0xfe00..0x10_000)
            .chain(0xe_0000..0xe_0200)
        {
            let Some(c) = char::from_u32(c) else { continue };
            let written = text(&Value::from(c.to_string()));
            assert_eq!(escaped_bytes(c), written.len() - 2, "{c:?}");
        }
    }

    #[test]
    fn beginnings_end_between_characters() {
        assert_eq!(fitting("ab\n天", 4), 3);
        assert_eq!(fitting("ab\n天", 7), 6);
        assert_eq!(preview("天気", 4), json!({"preview": "天", "bytes": 6}));
        assert_eq!(preview("天気", 6), json!("天気"));
        let list = json!(["long enough to be cut"]);
        assert_eq!(cell(list, 6), json!({"preview": "[\"long", "bytes": 25}));
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(
            time(1_700_000_000_120_000_000),
            json!("2023-11-14T22:13:20.120Z")
        );
        assert_eq!(time(0), json!("1970-01-01T00:00:00Z"));
    }
}
