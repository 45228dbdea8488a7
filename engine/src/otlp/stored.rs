//! Attributes as they are stored, read back: the other direction of `value::object_text`.

use std::borrow::Cow;

use tracehouse_storage::json::{Fault, Grammar, Scanner};

use super::base64;
use super::value::{KeyValue, Value};

/// Deepest nesting that is read; what is deeper is left out.
const DEPTH_MAX: usize = 80;

/// The attributes of an object text; none when it is no object text.
pub(crate) fn read_object(text: &str) -> Vec<KeyValue<'_>> {
    let mut scanner = Scanner::new(text, Grammar::Lenient);
    if scanner.peek() != Some(b'{') {
        return Vec::new();
    }
    members(&mut scanner, 0).unwrap_or_default()
}

fn members<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Result<Vec<KeyValue<'a>>, Fault> {
    let mut pairs = Vec::new();
    let mut first = true;
    scanner.open_object()?;
    while let Some(key) = scanner.next_key(&mut first)? {
        pairs.push(KeyValue {
            key,
            value: value(scanner, depth + 1)?,
        });
    }
    Ok(pairs)
}

fn value<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Result<Value<'a>, Fault> {
    if depth > DEPTH_MAX {
        return scanner.value().map(|_| Value::Unset);
    }
    Ok(match scanner.peek() {
        Some(b'"') => Value::String(scanner.decoded()?),
        Some(b'{') => object(members(scanner, depth)?),
        Some(b'[') => {
            let (mut items, mut first) = (Vec::new(), true);
            scanner.open_array()?;
            while scanner.next_item(&mut first)? {
                items.push(value(scanner, depth + 1)?);
            }
            Value::Array(items)
        }
        Some(b'-' | b'0'..=b'9') => number(scanner.number()?),
        Some(b'n') if scanner.null() => Value::Unset,
        _ => Value::Bool(scanner.boolean()?),
    })
}

fn number(text: &str) -> Value<'static> {
    let is_double = text.contains(['.', 'e', 'E']);
    match text.parse() {
        Ok(whole) if !is_double => Value::Int(whole),
        _ => text.parse().map_or(Value::Unset, Value::Double),
    }
}

/// The value of an object: one with a single key that begins with a `$` stands for something else.
fn object(mut pairs: Vec<KeyValue<'_>>) -> Value<'_> {
    if let [only] = pairs.as_mut_slice() {
        match (only.key.strip_prefix('$'), &only.value) {
            (Some("double"), Value::String(text)) => {
                return Value::Double(match text.as_ref() {
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    _ => f64::NAN,
                });
            }
            (Some("bytes"), Value::String(text)) => {
                return Value::Bytes(Cow::Owned(base64::decode(text).unwrap_or_default()));
            }
            (Some(key), _) if key.starts_with('$') => only.key = Cow::Owned(key.to_string()),
            _ => {}
        }
    }
    Value::KeyValues(pairs)
}

#[cfg(test)]
mod tests {
    use super::super::value::object_text;
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        for text in [
            "{}",
            r#"{"b":"x\n\"","a":[1,-2.0,null,true,{"z":1,"y":{}}],"i":-9223372036854775808}"#,
            r#"{"d":{"$double":"-Infinity"},"n":{"$double":"NaN"},"b":{"$bytes":"AQID"},"k":{"$$double":"NaN"},"two":{"$a":1,"b":2}}"#,
        ] {
            assert_eq!(object_text(&read_object(text)), text);
        }
        for damaged in ["", "[1]", "{\"a\":", "nothing"] {
            assert_eq!(read_object(damaged), []);
        }
    }
}
