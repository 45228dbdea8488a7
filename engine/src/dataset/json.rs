//! JSON text without loss: compact, canonical, merged. Numbers keep their digits and keys their order,
//! so nothing is decoded into values; only the canonical form, which is compared, sorts keys. Letters that
//! were written as `\uXXXX` are letters in what is kept and shown, so that people read them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tracehouse_storage::json::{Tokens, escaped_character, nulled};
use twox_hash::XxHash3_128;

/// Canonical JSON sorts keys down to this depth and takes what is deeper as it is written.
const CANONICAL_DEPTH_MAX: usize = 64;

/// The members of a JSON object, values as text.
pub(crate) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// `text` without the white space between tokens, its letters readable; `None` when it is not JSON.
pub(crate) fn compact(text: &str) -> Option<String> {
    let raw = serde_json::from_str::<&RawValue>(text).ok()?;
    let compact = compact_json(raw.get());
    Some(match readable(&compact) {
        Cow::Borrowed(_) => compact,
        Cow::Owned(readable) => readable,
    })
}

/// As [`compact`]; of a structure also where Python wrote numbers into it that JSON does not have.
pub(crate) fn compact_lenient(text: &str) -> Option<String> {
    compact(text).or_else(|| compact(&nulled(text).filter(|_| begins_structure(text))?))
}

/// JSON text with the characters themselves where it has `\uXXXX`, unless they are controls, separators of
/// lines, what JSON must escape, or half a pair.
pub(crate) fn readable(json: &str) -> Cow<'_, str> {
    if memchr::memmem::find(json.as_bytes(), b"\\u").is_none() {
        return Cow::Borrowed(json);
    }
    let (mut out, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        // A backslash is only found inside a string, with the character that it is for.
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (character, len) = escaped_character(escape);
        match character.filter(|c| escape.starts_with("\\u") && !stays_escaped(*c)) {
            Some(character) => out.push(character),
            None => out.push_str(escape.get(..len).unwrap_or(escape)),
        }
        rest = escape.get(len..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn stays_escaped(character: char) -> bool {
    character.is_control() || matches!(character, '"' | '\\' | '\u{2028}' | '\u{2029}')
}

/// The compact form of text that is known to be JSON.
fn compact_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    // Tokens without white space between them are appended at once.
    let mut run = 0..0;
    for token in Tokens::of(json) {
        if token.range.start > run.end {
            out.push_str(json.get(run).unwrap_or_default());
            run = token.range;
        } else {
            run.end = token.range.end;
        }
    }
    out.push_str(json.get(run).unwrap_or_default());
    out
}

/// Whether a text begins as a JSON object or array does.
pub(crate) fn begins_structure(text: &str) -> bool {
    text.trim_ascii_start().starts_with(['{', '['])
}

/// Whether two JSON texts say the same.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    a == b || content_hash(a) == content_hash(b)
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JSON value as a word: a text without its quotes, anything else as JSON; `None` for null.
pub(super) fn plain(json: &str) -> Option<String> {
    match json.trim() {
        "null" => None,
        json => Some(serde_json::from_str(json).unwrap_or_else(|_| json.to_string())),
    }
}

/// The members of a JSON object; `None` when it is something else. Of a repeated key the last counts.
pub(crate) fn members(json: &str) -> Option<Members<'_>> {
    if json.starts_with('{') {
        serde_json::from_str(json).ok()
    } else {
        None
    }
}

/// A compact JSON object of these members, keys sorted.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a String, &'a str)>) -> String {
    let mut out = String::from("{");
    for (key, value) in members {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&quoted(key));
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

/// The object `base` with the members of `over` laid on it; one that says the same stays as it is written.
pub(crate) fn updated(base: &str, over: &str) -> String {
    let mut merged = members(base).unwrap_or_default();
    for (key, value) in members(over).unwrap_or_default() {
        if merged
            .get(&key)
            .is_none_or(|known| !is_same(known.get(), value.get()))
        {
            merged.insert(key, value);
        }
    }
    object(merged.iter().map(|(key, value)| (key, value.get())))
}

/// Hash of the canonical form: equal for texts that differ in key order, white space, string escapes
/// or the way a fraction is written.
pub(crate) fn content_hash(json: &str) -> u128 {
    let mut canonical = String::with_capacity(json.len());
    write_canonical(json, 0, &mut canonical);
    XxHash3_128::oneshot(canonical.as_bytes())
}

fn write_canonical(json: &str, depth: usize, out: &mut String) {
    let json = json.trim_ascii();
    let done = match json.as_bytes().first() {
        _ if depth > CANONICAL_DEPTH_MAX => None,
        Some(b'{') => write_object(json, depth, out),
        Some(b'[') => write_array(json, depth, out),
        Some(b'"') => serde_json::from_str::<String>(json)
            .ok()
            .map(|text| out.push_str(&quoted(&text))),
        _ => {
            out.push_str(&number(json));
            Some(())
        }
    };
    if done.is_none() {
        out.push_str(&compact_json(json));
    }
}

fn write_object(json: &str, depth: usize, out: &mut String) -> Option<()> {
    if let Some(members) = members(json) {
        let named = members.iter().map(|(name, value)| (quoted(name), *value));
        write_members(named, depth, out);
        return Some(());
    }
    let members: BTreeMap<WrittenName, &RawValue> = serde_json::from_str(json).ok()?;
    let named = members.into_iter().map(|(name, value)| (name.0, value));
    write_members(named, depth, out);
    Some(())
}

/// The name of a member by how it is written: one with half of a surrogate pair is no text, and has its place all the
/// same.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "Box<RawValue>")]
struct WrittenName(String);

impl From<Box<RawValue>> for WrittenName {
    fn from(name: Box<RawValue>) -> Self {
        Self(readable(name.get()).into_owned())
    }
}

fn write_members<'a>(
    members: impl Iterator<Item = (String, &'a RawValue)>,
    depth: usize,
    out: &mut String,
) {
    out.push('{');
    for (at, (name, value)) in members.enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&name);
        out.push(':');
        write_canonical(value.get(), depth + 1, out);
    }
    out.push('}');
}

fn write_array(json: &str, depth: usize, out: &mut String) -> Option<()> {
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    out.push('[');
    for (at, value) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_canonical(value.get(), depth + 1, out);
    }
    out.push(']');
    Some(())
}

/// Whole numbers and words as they are, fractions in their shortest form: `1.50` is `1.5`, but not `1`.
fn number(json: &str) -> String {
    let is_fraction = json.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && json.contains(['.', 'e', 'E']);
    let shortest = |value: f64| {
        value
            .is_finite()
            .then(|| serde_json::Value::from(value).to_string())
    };
    match json.parse::<f64>().ok().and_then(shortest) {
        Some(text) if is_fraction => text,
        _ => json.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form_ignores_order_space_and_escapes_but_no_value() {
        let same = [
            (
                r#"{"a":1,"b":[1.50,"é"]}"#,
                "{ \"b\" : [1.5, \"\\u00e9\"],\n \"a\" : 1}",
            ),
            (r#"{"x":{"p":1,"q":2}}"#, r#"{"x":{"q":2,"p":1}}"#),
            ("1e2", "100.0"),
            (
                r#"{"\ud83d":{"b":1,"a":2},"\u00e9":3}"#,
                r#"{"é":3,"\ud83d":{"a":2,"b":1}}"#,
            ),
        ];
        for (left, right) in same {
            assert_eq!(content_hash(left), content_hash(right), "{left} {right}");
        }
        let different = [
            ("1", "1.0"),
            ("1", "\"1\""),
            ("[1,2]", "[2,1]"),
            ("36893488147419103232", "36893488147419103233"),
            ("\"a b\"", "\"ab\""),
            ("{}", "[]"),
            ("{}", "null"),
            (r#"{"\ud83d":1}"#, r#"{"\ud83e":1}"#),
        ];
        for (left, right) in different {
            assert_ne!(content_hash(left), content_hash(right), "{left} {right}");
        }
    }

    #[test]
    fn deep_nesting_is_no_recursion() {
        let deep = |tail: &str| format!("{}{tail}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_ne!(content_hash(&deep("1")), content_hash(&deep("2")));
        assert_eq!(content_hash(&deep("1")), content_hash(&deep(" 1 ")));
        assert_eq!(compact(&deep(" 1 ")), Some(deep("1")));
    }

    #[test]
    fn compact_keeps_strings_and_numbers() {
        assert_eq!(
            compact(" { \"a b\" : \"x \\\" y\" , \"n\": 1.50 } ").unwrap(),
            r#"{"a b":"x \" y","n":1.50}"#
        );
        assert_eq!(
            compact("[ \"a \\\\\" , \"\" ,\n\"é \" ] ").unwrap(),
            "[\"a \\\\\",\"\",\"é \"]"
        );
        assert_eq!(compact("hello"), None);
    }

    #[test]
    fn letters_are_readable_and_what_json_needs_stays_escaped() {
        for (json, shown) in [
            (r#"{"\u6771":"sch\u00f6n \u0041"}"#, "{\"東\":\"schön A\"}"),
            (r#""\ud83d\uDE00 \u200d""#, "\"😀 \u{200d}\""),
            (r#""\\u0041 \\\u0041""#, r#""\\u0041 \\A""#),
            (
                r#""\u0022 \u005c \u000a \u001b \u009b \u2028 \n""#,
                r#""\u0022 \u005c \u000a \u001b \u009b \u2028 \n""#,
            ),
        ] {
            assert_eq!(readable(json), shown);
            assert_eq!(compact(json).unwrap(), shown);
            let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
            assert_eq!(value(json), value(shown));
            assert_eq!(content_hash(json), content_hash(shown));
        }
        // Half a pair is no character, alone or before another escape.
        for json in [r#""\ud83d""#, r#""\ude00\ud83d""#, r#""\ud83d\u0041""#] {
            assert_eq!(readable(json).replace('A', "\\u0041"), json);
        }
    }

    #[test]
    fn objects_merge_member_by_member() {
        assert_eq!(
            updated(r#"{"b":1,"a":{"x":1}}"#, r#"{"a":2,"c":null}"#),
            r#"{"a":2,"b":1,"c":null}"#
        );
        assert_eq!(
            updated(r#"{"a":{"x":1.50,"y":2}}"#, r#"{"a":{"y":2,"x":1.5}}"#),
            r#"{"a":{"x":1.50,"y":2}}"#
        );
    }
}
