//! The value of an attribute, as programs give it.

use crate::otlp::value::{KeyValue, Value, object_text, unique_keys};

/// The value of an attribute, one of OTLP's. Texts, numbers, truth values and lists of these become one by themselves:
/// see [`SpanBuilder::attribute`](crate::SpanBuilder::attribute).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A text; what producers send as JSON (messages, arguments) is the JSON's text.
    String(String),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number, also infinite or none.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<AttributeValue>),
    /// Names and values; of two with one name the later counts.
    Object(Vec<(String, AttributeValue)>),
}

impl AttributeValue {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::String(text) => Value::String(text.into()),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes.into()),
            Self::Array(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(members) => Value::KeyValues(pairs(members)),
        }
    }

    /// The value, when it is a text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

fn pairs(members: &[(String, AttributeValue)]) -> Vec<KeyValue<'_>> {
    let pairs = members.iter().map(|(key, value)| KeyValue {
        key: key.into(),
        value: value.to_value(),
    });
    unique_keys(pairs.collect())
}

/// Attributes as they are stored, in their order.
pub(crate) fn attributes_text(attributes: &[(String, AttributeValue)]) -> String {
    object_text(&pairs(attributes))
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_string())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for AttributeValue {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for AttributeValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for AttributeValue {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for AttributeValue {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<f64> for AttributeValue {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl<T: Into<AttributeValue>> From<Vec<T>> for AttributeValue {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_stored_as_otlp_stores_them() {
        let attributes: Vec<(String, AttributeValue)> = vec![
            ("z".into(), "text".into()),
            ("a".into(), 1.into()),
            ("n".into(), f64::NAN.into()),
            ("d".into(), 2.0.into()),
            ("b".into(), AttributeValue::Bytes(vec![1, 2, 3])),
            ("l".into(), vec![true, false].into()),
            (
                "o".into(),
                AttributeValue::Object(vec![("$double".into(), "NaN".into())]),
            ),
            ("z".into(), "later".into()),
        ];
        let text = r#"{"z":"later","a":1,"n":{"$double":"NaN"},"d":2.0,"b":{"$bytes":"AQID"},"l":[true,false],"o":{"$$double":"NaN"}}"#;
        assert_eq!(attributes_text(&attributes), text);
    }
}
