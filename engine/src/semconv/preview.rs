//! Previews: what a trace was asked and what it answered, in at most a thousand characters, as the
//! reader of messages reads it.

use tracehouse_query::messages::{Side, readable};
use tracehouse_storage::model::cut_preview;

/// The preview of a root span's inputs.
pub(super) fn of_request(inputs: &str) -> String {
    cut_preview(&readable(inputs, Side::Input))
}

/// The preview of a root span's outputs.
pub(super) fn of_response(outputs: &str, span_type: &str) -> String {
    cut_preview(&readable(outputs, Side::of_outputs(span_type)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_are_text_and_short() {
        let chat = r#"{"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"hm"}]}"#;
        assert_eq!(of_request(chat), "first");
        assert_eq!(of_response(chat, "LLM"), "hm");
        for text in [
            "",
            "plain",
            r#"{"question":"why"}"#,
            r#"{"messages":[]}"#,
            "{broken",
        ] {
            assert_eq!(of_request(text), text);
        }
        assert_eq!(of_request("a\0b"), "a\u{fffd}b");
        assert_eq!(of_request(&"é".repeat(1000)), "é".repeat(1000));
        assert_eq!(
            of_request(&"é".repeat(1001)),
            format!("{}...", "é".repeat(997))
        );
    }
}
