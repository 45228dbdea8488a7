//! Attribute values as received, and the JSON text they are stored as.
//!
//! The text is lossless and typed; it is read back as follows:
//! * string, `true`, `false`, `null` (unset value), array: themselves;
//! * a number without `.` and exponent: a 64-bit integer; with one: a double (shortest text that
//!   reads back to the same bits, `3.0` not `3`, `-0.0`);
//! * an object with one key: `{"$double": "NaN" | "Infinity" | "-Infinity"}` is that double,
//!   `{"$bytes": base64}` is bytes; any other single key that starts with `$$` is a key-value list
//!   whose key has one `$` less;
//! * any other object: a key-value list.
//!
//! Key order is as received. A key sent twice keeps its first position and its last value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

pub(crate) use tracehouse_storage::json::write_string;

use super::base64;

/// One attribute value. Texts borrow from the request where they can.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Value<'a> {
    /// No value was set.
    #[default]
    Unset,
    String(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Cow<'a, [u8]>),
    Array(Vec<Value<'a>>),
    /// Keys are unique.
    KeyValues(Vec<KeyValue<'a>>),
}

/// An attribute: a key and its value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct KeyValue<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: Value<'a>,
}

/// Up to this many keys are compared pairwise for duplicates, which needs no memory.
const PAIRWISE_KEYS_MAX: usize = 32;

/// Makes keys unique: the last value wins, at the place of the first.
pub(crate) fn unique_keys(mut pairs: Vec<KeyValue<'_>>) -> Vec<KeyValue<'_>> {
    if !has_duplicates(&pairs) {
        return pairs;
    }
    let mut place: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(pairs.len());
    let mut unique: Vec<KeyValue<'_>> = Vec::with_capacity(pairs.len());
    for pair in pairs.drain(..) {
        match place.get(&pair.key).and_then(|&i| unique.get_mut(i)) {
            Some(earlier) => earlier.value = pair.value,
            None => {
                place.insert(pair.key.clone(), unique.len());
                unique.push(pair);
            }
        }
    }
    unique
}

fn has_duplicates(pairs: &[KeyValue<'_>]) -> bool {
    if pairs.len() > PAIRWISE_KEYS_MAX {
        let mut seen = std::collections::HashSet::with_capacity(pairs.len());
        return pairs.iter().any(|pair| !seen.insert(&*pair.key));
    }
    let mut rest = pairs;
    while let Some((pair, others)) = rest.split_first() {
        if others.iter().any(|other| other.key == pair.key) {
            return true;
        }
        rest = others;
    }
    false
}

/// The attributes as JSON object text.
pub(crate) fn object_text(pairs: &[KeyValue<'_>]) -> String {
    let mut out =
        String::with_capacity(2 + pairs.iter().map(|pair| pair.key.len() + 24).sum::<usize>());
    write_members(pairs, &mut out);
    out
}

fn write_members(pairs: &[KeyValue<'_>], out: &mut String) {
    out.push('{');
    for (i, pair) in pairs.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(&pair.key, out);
        out.push(':');
        write_value(&pair.value, out);
    }
    out.push('}');
}

/// Appends a value as JSON text.
pub(crate) fn write_value(value: &Value<'_>, out: &mut String) {
    match value {
        Value::Unset => out.push_str("null"),
        Value::String(text) => write_string(text, out),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(number) => write_int(*number, out),
        Value::Double(number) => write_double(*number, out),
        Value::Bytes(bytes) => {
            out.push_str("{\"$bytes\":\"");
            base64::encode(bytes, out);
            out.push_str("\"}");
        }
        Value::Array(items) => write_array(items, out),
        Value::KeyValues(pairs) => write_key_values(pairs, out),
    }
}

// Writing to a String cannot fail.

fn write_int(number: i64, out: &mut String) {
    let _ = write!(out, "{number}");
}

fn write_double(number: f64, out: &mut String) {
    let special = if number.is_nan() {
        "NaN"
    } else if number == f64::INFINITY {
        "Infinity"
    } else if number == f64::NEG_INFINITY {
        "-Infinity"
    } else {
        // The debug form is the shortest round-trip text and always has `.` or an exponent.
        let _ = write!(out, "{number:?}");
        return;
    };
    let _ = write!(out, "{{\"$double\":\"{special}\"}}");
}

fn write_array(items: &[Value<'_>], out: &mut String) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_value(item, out);
    }
    out.push(']');
}

fn write_key_values(pairs: &[KeyValue<'_>], out: &mut String) {
    match pairs {
        [only] if only.key.starts_with('$') => {
            out.push('{');
            write_string(&format!("${}", only.key), out);
            out.push(':');
            write_value(&only.value, out);
            out.push('}');
        }
        _ => write_members(pairs, out),
    }
}

impl<'a> Value<'a> {
    /// The string inside, if it is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as plain text: a string itself, anything else as JSON; unset and empty are absent.
    pub(crate) fn to_text(&self) -> Option<String> {
        match self {
            Value::Unset => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.to_string()),
            other => {
                let mut out = String::new();
                write_value(other, &mut out);
                Some(out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair<'a>(key: &'a str, value: Value<'a>) -> KeyValue<'a> {
        KeyValue {
            key: key.into(),
            value,
        }
    }

    fn json(value: Value<'_>) -> String {
        let mut out = String::new();
        write_value(&value, &mut out);
        out
    }

    #[test]
    fn every_type_has_its_own_text() {
        assert_eq!(json(Value::Unset), "null");
        assert_eq!(json(Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(json(Value::Int(9_007_199_254_740_993)), "9007199254740993");
        for (number, text) in [
            (3.0, "3.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1.5e300, "1.5e300"),
            (1e16, "1e16"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(json(Value::Double(number)), text);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
        }
        assert_eq!(json(Value::Double(f64::NAN)), r#"{"$double":"NaN"}"#);
        assert_eq!(
            json(Value::Double(f64::NEG_INFINITY)),
            r#"{"$double":"-Infinity"}"#
        );
        assert_eq!(
            json(Value::Bytes(vec![1, 2, 3].into())),
            r#"{"$bytes":"AQID"}"#
        );
        assert_eq!(
            json(Value::Array(vec![Value::Bool(true), Value::Unset])),
            "[true,null]"
        );
    }

    #[test]
    fn single_dollar_keys_are_doubled_so_that_nothing_is_ambiguous() {
        let list = |key| Value::KeyValues(vec![pair(key, Value::String("NaN".into()))]);
        assert_eq!(json(list("$double")), r#"{"$$double":"NaN"}"#);
        assert_eq!(json(list("$$double")), r#"{"$$$double":"NaN"}"#);
        assert_eq!(json(list("double")), r#"{"double":"NaN"}"#);
        let two = Value::KeyValues(vec![pair("$a", Value::Int(1)), pair("b", Value::Int(2))]);
        assert_eq!(json(two), r#"{"$a":1,"b":2}"#);
        assert_eq!(json(Value::KeyValues(Vec::new())), "{}");
    }

    #[test]
    fn strings_read_back_as_they_were() {
        for text in [
            "",
            "plain",
            "q\" b\\ n\n t\t r\r nul\0 esc\u{1b} \u{8}\u{c}",
            "héllo 世界 🚀",
            "\u{7f}\u{2028}",
        ] {
            let literal = json(Value::String(text.into()));
            assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        }
    }

    #[test]
    fn the_last_of_equal_keys_wins_at_the_place_of_the_first() {
        let pairs = vec![
            pair("k", Value::Int(1)),
            pair("a", Value::Int(2)),
            pair("k", Value::Int(3)),
        ];
        assert_eq!(object_text(&unique_keys(pairs)), r#"{"k":3,"a":2}"#);
        let keys: Vec<String> = (0..100).map(|i| format!("k{}", i % 60)).collect();
        let many = keys
            .iter()
            .map(|key| pair(key, Value::Bool(true)))
            .collect();
        assert_eq!(unique_keys(many).len(), 60);
    }
}
