//! Previews: what a trace was asked and what it answered, in at most a thousand characters.
//!
//! As MLflow derives them: when the text is a JSON object that holds chat messages (`messages`,
//! `choices[0].message`, `input`, `output`, or the same inside `request`), the text of the last
//! message of the wanted role, else of the last message; otherwise the whole text.

use serde_json::Value as Json;
use tracehouse_storage::model::cut_preview;

/// Texts longer than this are cut without a look inside: parsing them for a preview costs too much.
const PARSED_BYTES_MAX: usize = 4 << 20;

/// The preview of a root span's inputs.
pub(super) fn of_request(inputs: &str) -> String {
    of(inputs, "user")
}

/// The preview of a root span's outputs.
pub(super) fn of_response(outputs: &str) -> String {
    of(outputs, "assistant")
}

fn of(text: &str, role: &str) -> String {
    let message = last_message_text(text, role).filter(|message| !message.is_empty());
    cut_preview(message.as_deref().unwrap_or(text))
}

fn last_message_text(text: &str, role: &str) -> Option<String> {
    if !text.trim_start().starts_with('{') || text.len() > PARSED_BYTES_MAX {
        return None;
    }
    let document: Json = serde_json::from_str(text).ok()?;
    let messages = messages(&document).or_else(|| messages(document.get("request")?))?;
    let of_role =
        messages.iter().rev().find(|message| message.get("role").and_then(Json::as_str) == Some(role));
    message_text(of_role.or_else(|| messages.last())?.get("content")?).map(str::to_string)
}

fn messages(document: &Json) -> Option<Vec<&Json>> {
    let list = |key: &str| {
        let items = document.get(key)?.as_array()?;
        let messages: Vec<&Json> = items.iter().filter(|item| is_message(item)).collect();
        (!messages.is_empty()).then_some(messages)
    };
    let choice = || {
        let message = document.get("choices")?.get(0)?.get("message")?;
        is_message(message).then(|| vec![message])
    };
    list("messages").or_else(choice).or_else(|| list("input")).or_else(|| list("output"))
}

fn is_message(item: &Json) -> bool {
    item.get("role").is_some() && item.get("content").is_some()
}

fn message_text(content: &Json) -> Option<&str> {
    match content {
        Json::String(text) => Some(text),
        Json::Array(parts) => parts.iter().find_map(|part| match part.get("type").and_then(Json::as_str) {
            Some("text" | "output_text") => part.get("text").and_then(Json::as_str),
            _ => part.as_str(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_of_the_role_is_the_preview() {
        let chat = r#"{"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"hm"},
            {"role":"user","content":[{"type":"image"},{"type":"text","text":"second"}]},{"role":"tool","content":"t"}]}"#;
        assert_eq!(of_request(chat), "second");
        assert_eq!(of_response(chat), "hm");
        let choice = r#"{"choices":[{"message":{"role":"assistant","content":"yes"}}]}"#;
        assert_eq!(of_response(choice), "yes");
        assert_eq!(of_request(choice), "yes");
        let output = r#"{"output":[{"type":"reasoning"},{"role":"assistant","content":[{"type":"output_text","text":"42"}]}]}"#;
        assert_eq!(of_response(output), "42");
        assert_eq!(of_request(r#"{"request":{"input":[{"role":"user","content":"in"}]}}"#), "in");
    }

    #[test]
    fn other_texts_are_their_own_preview() {
        for text in
            ["", "plain", r#"{"question":"why"}"#, r#"{"messages":[]}"#, r#"[{"role":"user"}]"#, "{broken"]
        {
            assert_eq!(of_request(text), text);
        }
        assert_eq!(of_request("a\0b"), "a\u{fffd}b");
        assert_eq!(of_request(&"é".repeat(1000)), "é".repeat(1000));
        assert_eq!(of_request(&"é".repeat(1001)), format!("{}...", "é".repeat(997)));
    }
}
