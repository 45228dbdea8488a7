//! What the producer said a payload is, as far as it matters: a text that is a number, a word such as `true`,
//! or a string in quotes may be JSON or just that text. Objects and arrays are JSON whoever sent them.
//!
//! MLflow's attributes are JSON by definition, OpenInference's have a media type beside them, and a value that was
//! sent as a number or a boolean is one. Where nothing is said, a text stays a text, but for a JSON string, which is
//! the text that it quotes.

use super::json::{Members, begins_structure, compact, compact_lenient, members, quoted};

/// Which payload of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    Inputs,
    Outputs,
}

/// What a payload was said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Json,
    Text,
    Nothing,
}

/// Whether it depends on the attributes of the span what a payload is.
pub(super) fn is_doubtful(text: &str) -> bool {
    !begins_structure(text) && compact(text).is_some()
}

/// A payload as JSON; `None` when it is JSON's null, which says as little as none. `attributes` are those of its
/// span, needed when it [`is_doubtful`].
pub(super) fn payload_json(
    text: &str,
    payload: Payload,
    attributes: Option<&str>,
) -> Option<String> {
    let json = match compact_lenient(text) {
        None => return Some(quoted(text)),
        Some(json) if begins_structure(&json) => return Some(json),
        Some(json) => json,
    };
    let said = attributes.map_or(Said::Nothing, |attributes| said(text, payload, attributes));
    let is_json = match said {
        Said::Json => true,
        Said::Text => false,
        Said::Nothing => json.starts_with('"'),
    };
    if is_json {
        Some(json).filter(|json| json != "null")
    } else {
        Some(quoted(text))
    }
}

fn said(text: &str, payload: Payload, attributes: &str) -> Said {
    let Some(attributes) = members(attributes) else {
        return Said::Nothing;
    };
    let (mlflow, value, media_type) = match payload {
        Payload::Inputs => ("mlflow.spanInputs", "input.value", "input.mime_type"),
        Payload::Outputs => ("mlflow.spanOutputs", "output.value", "output.mime_type"),
    };
    let string = |key: &str| string_of(&attributes, key);
    if string(mlflow).as_deref() == Some(text) {
        return Said::Json;
    }
    if string(value).as_deref() == Some(text) {
        let media_type = string(media_type).unwrap_or_default();
        let essence = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        return match essence.as_str() {
            "application/json" => Said::Json,
            word if word.ends_with("+json") => Said::Json,
            word if word.starts_with("text/") => Said::Text,
            _ => Said::Nothing,
        };
    }
    let is_string = attributes
        .keys()
        .any(|key| string(key).as_deref() == Some(text));
    let is_value = attributes.values().any(|value| value.get() == text);
    if is_value && !is_string {
        Said::Json
    } else {
        Said::Nothing
    }
}

fn string_of(attributes: &Members<'_>, key: &str) -> Option<String> {
    let raw = attributes.get(key)?.get();
    if raw.starts_with('"') {
        serde_json::from_str(raw).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(text: &str, attributes: &str) -> Option<String> {
        assert!(is_doubtful(text));
        payload_json(text, Payload::Outputs, Some(attributes))
    }

    #[test]
    fn a_scalar_in_text_stays_text_unless_the_producer_says_json() {
        for text in [
            "42",
            "true",
            "null",
            "12345678901234567890123",
            "-1.50",
            "\"quoted\"",
        ] {
            let string = quoted(text);
            let value = format!(r#""output.value":{string}"#);
            let plain = format!(r#"{{{value},"output.mime_type":"text/plain"}}"#);
            assert_eq!(outputs(text, &plain), Some(string.clone()), "{text}");
            let json = Some(text.to_string()).filter(|text| text != "null");
            let typed =
                format!(r#"{{{value},"output.mime_type":"application/json; charset=utf-8"}}"#);
            assert_eq!(outputs(text, &typed), json, "{text}");
            assert_eq!(
                outputs(text, &format!(r#"{{"mlflow.spanOutputs":{string}}}"#)),
                json,
                "{text}"
            );
            let untold = if text.starts_with('"') {
                Some(text.to_string())
            } else {
                Some(string.clone())
            };
            for attributes in [
                format!(r#"{{{value}}}"#),
                format!(r#"{{"gen_ai.completion":{string}}}"#),
                // The inputs' type says nothing of the outputs, nor another attribute's of this one.
                format!(r#"{{{value},"input.mime_type":"application/json"}}"#),
                format!(r#"{{"gen_ai.completion":{string},"mlflow.spanOutputs":"{{}}"}}"#),
                "{}".to_string(),
            ] {
                assert_eq!(outputs(text, &attributes), untold, "{text} {attributes}");
            }
        }
        assert_eq!(
            outputs("42", r#"{"output.value":42}"#).as_deref(),
            Some("42"),
            "sent as a number"
        );
        assert_eq!(
            outputs("42", r#"{"other":42,"output.value":"42"}"#).as_deref(),
            Some(r#""42""#)
        );
    }

    #[test]
    fn structure_is_parsed_and_other_text_is_not() {
        for (text, json) in [
            (
                "{\"n\": 12345678901234567890123}",
                "{\"n\":12345678901234567890123}",
            ),
            (" [1, 2]", "[1,2]"),
            ("{\"loss\": NaN}", "{\"loss\":null}"),
            ("[-Infinity", "\"[-Infinity\""),
            ("007", "\"007\""),
            ("", "\"\""),
            ("{broken", "\"{broken\""),
        ] {
            assert!(!is_doubtful(text));
            assert_eq!(
                payload_json(text, Payload::Inputs, None).as_deref(),
                Some(json)
            );
        }
    }
}
