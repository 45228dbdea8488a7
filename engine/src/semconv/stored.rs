//! Attributes as they are stored (see `otlp::value`), read back.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::otlp::base64;
use crate::otlp::value::{KeyValue, Value};

/// Levels of structure that are read; what lies deeper is no tag.
const DEPTH_MAX: usize = 64;

/// The attributes of a stored span; none when the text is no JSON object.
pub(super) fn attributes(text: &str) -> Vec<KeyValue<'_>> {
    serde_json::from_str(text)
        .map(|members: Members<'_>| members.pairs(0))
        .unwrap_or_default()
}

/// The members of a JSON object, in their order.
pub(crate) struct Members<'t>(pub(crate) Vec<(Cow<'t, str>, &'t RawValue)>);

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

impl<'t> Members<'t> {
    fn pairs(self, depth: usize) -> Vec<KeyValue<'t>> {
        let pairs = self.0.into_iter();
        pairs
            .map(|(key, json)| KeyValue {
                key,
                value: value(json.get(), depth),
            })
            .collect()
    }
}

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'t> Visitor<'t> for InOrder {
            type Value = Members<'t>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(InOrder)
    }
}

fn value(json: &str, depth: usize) -> Value<'_> {
    read(json, depth).unwrap_or_default()
}

/// The value that a JSON text stands for; `None` for `null`.
fn read(json: &str, depth: usize) -> Option<Value<'_>> {
    if depth > DEPTH_MAX {
        return None;
    }
    Some(match json.as_bytes().first()? {
        b'"' => Value::String(serde_json::from_str::<Text<'_>>(json).ok()?.0),
        b't' | b'f' => Value::Bool(json == "true"),
        b'n' => return None,
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            Value::Array(
                items
                    .into_iter()
                    .map(|item| value(item.get(), depth + 1))
                    .collect(),
            )
        }
        b'{' => object(serde_json::from_str(json).ok()?, depth + 1),
        _ => match json.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Double(json.parse().ok()?),
        },
    })
}

fn object(members: Members<'_>, depth: usize) -> Value<'_> {
    let mut pairs = members.pairs(depth);
    if let [KeyValue { key, value }] = pairs.as_mut_slice() {
        match (&**key, &value) {
            ("$double", Value::String(text)) => {
                return Value::Double(text.parse().unwrap_or(f64::NAN));
            }
            ("$bytes", Value::String(text)) => {
                return Value::Bytes(base64::decode(text).unwrap_or_default().into());
            }
            (name, _) if name.starts_with("$$") => {
                *key = Cow::Owned(name.get(1..).unwrap_or_default().to_string());
            }
            _ => {}
        }
    }
    Value::KeyValues(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::value::object_text;

    #[test]
    fn what_is_read_back_is_written_as_it_was() {
        for text in [
            "{}",
            r#"{"b":"x","a":"y\n\u001b","c":""}"#,
            r#"{"t":true,"f":false,"n":null,"i":-9007199254740993,"d":3.0,"e":1e300,"z":-0.0}"#,
            r#"{"nan":{"$double":"NaN"},"inf":{"$double":"-Infinity"},"bytes":{"$bytes":"AQID"}}"#,
            r#"{"o":{"$$double":"NaN"},"p":{"$$$x":1},"q":{"$a":1,"b":[1,"2",{"k":[]}]}}"#,
        ] {
            assert_eq!(object_text(&attributes(text)), text);
        }
        assert!(attributes("[1]").is_empty() && attributes("{broken").is_empty());
        let deep = format!("{{\"k\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(attributes(&deep).len(), 1);
    }
}
