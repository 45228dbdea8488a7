//! The JSON object in a model's text, read leniently.
//!
//! What is repaired, and nothing else:
//! 1. text before and after the object, code fences among it;
//! 2. a block `<think>...</think>` at the beginning, with whatever it holds;
//! 3. commas before a closing bracket;
//! 4. line ends, tabs and other control letters as they are inside of strings.
//!
//! Invariants:
//! 1. Of several objects with the wanted key, the last is taken: models think first and answer last.
//! 2. The time is bounded by the length times [`DEPTH_MAX`], whatever the text: a letter that JSON does not have outside
//!    of strings ends an attempt, so a string of one attempt ends where that of the next begins.

use serde_json::{Map, Value};

/// Brackets in brackets; answers have two levels, and serde_json reads as many as this.
const DEPTH_MAX: usize = 120;

/// The last object in the text that has the key.
pub(crate) fn last_object_with(text: &str, key: &str) -> Result<Map<String, Value>, String> {
    let text = without_thoughts(text.trim_start_matches('\u{feff}').trim());
    let mut found = None;
    let mut other = false;
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let (_, from) = rest.split_at(start);
        match object_at(from) {
            Some((object, length)) => {
                other |= !object.contains_key(key);
                if object.contains_key(key) {
                    found = Some(object);
                }
                rest = from.get(length..).unwrap_or_default();
            }
            None => rest = from.get(1..).unwrap_or_default(),
        }
    }
    found.ok_or_else(|| match other {
        true => format!("its JSON object has no {key:?}"),
        false => "it has no JSON object".to_owned(),
    })
}

fn without_thoughts(text: &str) -> &str {
    match text.strip_prefix("<think>") {
        Some(thoughts) => thoughts
            .split_once("</think>")
            .map_or(text, |(_, after)| after),
        None => text,
    }
}

/// The object that begins the text, and its length in bytes.
fn object_at(text: &str) -> Option<(Map<String, Value>, usize)> {
    let (json, length) = balanced(text)?;
    match serde_json::from_str(&json) {
        Ok(Value::Object(object)) => Some((object, length)),
        _ => None,
    }
}

/// The text up to where its first bracket closes, with repairs 3 and 4, and its length in bytes before them.
fn balanced(text: &str) -> Option<(String, usize)> {
    let mut json = String::new();
    let mut string = StringState::Outside;
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        if string == StringState::Outside {
            match letter {
                '{' | '[' => depth += 1,
                '}' | ']' => {
                    depth = depth.checked_sub(1)?;
                    drop_comma(&mut json);
                }
                '"' | ':' | ',' | '+' | '-' | '.' => {}
                other if other.is_ascii_alphanumeric() || other.is_ascii_whitespace() => {}
                _ => return None,
            }
            json.push(letter);
        } else {
            push_in_string(&mut json, letter);
        }
        string = string.after(letter);
        if depth == 0 {
            return Some((json, at + letter.len_utf8()));
        }
        if depth > DEPTH_MAX {
            return None;
        }
    }
    None
}

fn drop_comma(json: &mut String) {
    let kept = json.trim_end();
    if let Some(before) = kept.strip_suffix(',') {
        json.truncate(before.len());
    }
}

fn push_in_string(json: &mut String, letter: char) {
    match letter {
        '\n' => json.push_str("\\n"),
        '\r' => json.push_str("\\r"),
        '\t' => json.push_str("\\t"),
        control if u32::from(control) < 0x20 => {
            json.push_str(&format!("\\u{:04x}", u32::from(control)));
        }
        letter => json.push(letter),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StringState {
    Outside,
    Inside,
    /// After a backslash.
    Escape,
}

impl StringState {
    fn after(self, letter: char) -> Self {
        match (self, letter) {
            (Self::Outside, '"') | (Self::Escape, _) => Self::Inside,
            (Self::Outside, _) | (Self::Inside, '"') => Self::Outside,
            (Self::Inside, '\\') => Self::Escape,
            (Self::Inside, _) => Self::Inside,
        }
    }
}
