//! What a person reads of a payload: the text of the message that matters, else the payload with its
//! escapes decoded.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::shape::string;
use super::{Content, Message, Side, read};

/// Larger payloads are not looked into for the sake of a line: parsing them costs too much.
const PARSED_BYTES_MAX: usize = 4 << 20;

/// The text of the last message of the side's speaker, else of the last message; the texts of
/// retrieved documents; else the payload itself.
pub fn readable(payload: &str, side: Side) -> Cow<'_, str> {
    if payload.len() > PARSED_BYTES_MAX || !payload.trim_start().starts_with(['{', '[', '"']) {
        return Cow::Borrowed(payload);
    }
    match spoken(&read(payload, side), side).filter(|text| !text.trim().is_empty()) {
        Some(text) => Cow::Owned(text),
        None => decode_unicode_escapes(payload),
    }
}

/// A payload whole, as a person reads it: what a JSON string says, another one with its escapes of letters decoded.
pub fn decoded(payload: &str) -> Cow<'_, str> {
    let said = match payload.trim_start().starts_with('"') {
        true => serde_json::from_str::<&RawValue>(payload)
            .ok()
            .and_then(string),
        false => None,
    };
    said.map_or_else(|| decode_unicode_escapes(payload), Cow::Owned)
}

fn spoken(messages: &[Message], side: Side) -> Option<String> {
    let documents: Vec<&str> = messages
        .iter()
        .filter(|message| message.role == "document")
        .filter_map(|message| Some(message.content.as_ref()?.as_text()))
        .collect();
    if documents.len() == messages.len() && !documents.is_empty() {
        return Some(documents.join("\n"));
    }
    let of_speaker = messages
        .iter()
        .rev()
        .filter(|message| message.role == side.default_role());
    let said = of_speaker
        .chain(messages.iter().rev())
        .filter_map(|message| message.content.as_ref());
    let mut said = said.filter(|content| !content.as_sent().trim().is_empty());
    said.find(|content| !matches!(content, Content::Json(_)))
        .map(|content| content.as_text().to_string())
}

/// The text with each escape of JSON (`\u` and four hex digits) that stands for a letter or sign beyond
/// ASCII replaced by it. Escapes of quotes, backslashes and controls stay, so that JSON stays JSON.
pub fn decode_unicode_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(plain);
        let (decoded, bytes) = match escaped_char(escape) {
            Some(found) => found,
            // Another escape: the backslash and what it escapes go through together.
            None => (None, 1 + escape.chars().nth(1).map_or(0, char::len_utf8)),
        };
        let (sent, after) = escape.split_at_checked(bytes).unwrap_or((escape, ""));
        match decoded {
            Some(letter) => out.push(letter),
            None => out.push_str(sent),
        }
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that a text beginning with `\u` escapes, when it may be shown, and the bytes that
/// its escape takes; `None` when the text begins with no such escape.
fn escaped_char(text: &str) -> Option<(Option<char>, usize)> {
    const UNIT_BYTES: usize = 6;
    let first = escaped_unit(text)?;
    let mut units = vec![first];
    if (0xD800..0xDC00).contains(&first)
        && let Some(second) = text.get(UNIT_BYTES..).and_then(escaped_unit)
    {
        units.push(second);
    }
    let mut decoded = char::decode_utf16(units.iter().copied());
    match decoded.next() {
        Some(Ok(letter)) => {
            let shown = Some(letter).filter(|letter| !letter.is_ascii() && !letter.is_control());
            Some((shown, UNIT_BYTES * letter.len_utf16()))
        }
        _ => Some((None, UNIT_BYTES)),
    }
}

/// The UTF-16 unit that a text beginning with `\u` and four hex digits escapes.
pub(crate) fn escaped_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex {
        u16::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}
