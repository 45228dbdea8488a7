//! What a chat message says, for previews: inputs and outputs of models are lists of messages as JSON.

use serde_json::Value;

/// Larger texts are shown as they are: decoding them for one line is not worth it.
const DECODED_BYTES_MAX: usize = 1 << 20;

/// The content of the last message of a JSON list of messages; any other text is itself.
pub fn readable(text: &str) -> String {
    let is_json = text.len() <= DECODED_BYTES_MAX && text.trim_start().starts_with(['[', '{']);
    let decoded = if is_json { serde_json::from_str::<Value>(text).ok() } else { None };
    decoded.as_ref().and_then(last_content).unwrap_or_else(|| text.to_string())
}

fn last_content(json: &Value) -> Option<String> {
    let message = match json {
        Value::Array(messages) => messages.last()?,
        Value::Object(fields) => match fields.get("messages") {
            Some(Value::Array(messages)) => messages.last()?,
            _ => json,
        },
        _ => return None,
    };
    let fields = message.as_object().filter(|fields| fields.contains_key("role"))?;
    content(fields.get("content").or_else(|| fields.get("parts"))?)
}

/// Text as it is; of a list of parts, those that are text.
fn content(json: &Value) -> Option<String> {
    let texts: Vec<&str> = match json {
        Value::String(text) => vec![text],
        Value::Array(parts) => parts.iter().filter_map(text_of).collect(),
        _ => return None,
    };
    let joined = texts.join(" ");
    Some(joined).filter(|text| !text.trim().is_empty())
}

fn text_of(part: &Value) -> Option<&str> {
    part.get("text").or_else(|| part.get("content")).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_speaks() {
        let parts = r#"[{"role":"system","content":"be kind"},{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#;
        assert_eq!(readable(parts), "hi");
        assert_eq!(
            readable(r#"{"messages":[{"role":"user","content":[{"type":"text","text":"yo"}]}]}"#),
            "yo"
        );
        assert_eq!(readable(r#"[{"role":"assistant","content":"a"}]"#), "a");
    }

    #[test]
    fn other_texts_are_themselves() {
        for text in
            ["plain", r#"{"a":1}"#, "[1,2]", "[", r#"[{"role":"user","parts":[{"type":"tool_call"}]}]"#]
        {
            assert_eq!(readable(text), text);
        }
    }
}
