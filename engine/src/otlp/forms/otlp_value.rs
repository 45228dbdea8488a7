//! OTLP/JSON from ordinary JSON: attribute values, and times as nanoseconds.

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use serde_json::{Map, Value as Json, json};

use super::super::error::DecodeError;

/// `{"key": ..., "value": AnyValue}` for each member of an object.
pub(super) fn attributes(members: Option<&Json>) -> Json {
    let pair = |(key, value): (&String, &Json)| json!({ "key": key, "value": any_value(value) });
    Json::Array(
        members
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
            .map(pair)
            .collect(),
    )
}

/// The `AnyValue` of a JSON value.
pub(super) fn any_value(value: &Json) -> Json {
    match value {
        Json::Null => json!({}),
        Json::Bool(flag) => json!({ "boolValue": flag }),
        Json::Number(number) if number.is_i64() => json!({ "intValue": number }),
        Json::Number(number) => json!({ "doubleValue": number }),
        Json::String(text) => json!({ "stringValue": text }),
        Json::Array(items) => {
            json!({ "arrayValue": { "values": items.iter().map(any_value).collect::<Vec<_>>() } })
        }
        Json::Object(_) => json!({ "kvlistValue": { "values": attributes(Some(value)) } }),
    }
}

/// The nanoseconds since 1970 of an RFC 3339 time, as a text; `"0"` when there is none.
///
/// # Errors
/// When the member is there and is no such time.
pub(super) fn time_ns(members: &Map<String, Json>, key: &str) -> Result<String, DecodeError> {
    match members.get(key) {
        None | Some(Json::Null) => Ok("0".to_string()),
        Some(Json::String(text)) => match string_to_timestamp_nanos(text) {
            Ok(time) if time >= 0 => Ok(time.to_string()),
            _ => Err(DecodeError::new(format!(
                "{key} {text:?} is no RFC 3339 time since 1970"
            ))),
        },
        Some(other) => Err(DecodeError::new(format!(
            "{key} {other} is no RFC 3339 time"
        ))),
    }
}

/// A text member, empty when it is not there.
pub(super) fn text<'j>(members: Option<&'j Json>, key: &str) -> &'j str {
    members
        .and_then(|members| members.get(key))
        .and_then(Json::as_str)
        .unwrap_or_default()
}
