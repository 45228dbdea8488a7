//! Previews: what a trace was asked and what it answered, in at most a thousand characters, as the
//! reader of messages reads it, from the column or from attributes that tell more than it does.

use tracehouse_query::messages::{Side, readable, telling, tells};
use tracehouse_storage::model::cut_preview;

use crate::otlp::value::{KeyValue, object_text};

/// The attributes that may tell more than inputs and outputs do, as JSON object text.
pub(super) fn of_telling(attributes: &[KeyValue<'_>]) -> String {
    let telling = attributes.iter().filter(|pair| tells(&pair.key));
    object_text(&telling.cloned().collect::<Vec<_>>())
}

/// The preview of a root span's inputs, with its attributes as JSON object text.
pub(super) fn of_request(inputs: &str, attributes: &str) -> String {
    let text = telling(inputs, attributes, Side::Input);
    cut_preview(&readable(&text, Side::Input))
}

/// The preview of a root span's outputs.
pub(super) fn of_response(outputs: &str, attributes: &str, span_type: &str) -> String {
    let side = Side::of_outputs(span_type);
    let text = telling(outputs, attributes, side);
    cut_preview(&readable(&text, side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_are_text_and_short() {
        let chat = r#"{"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"hm"}]}"#;
        assert_eq!(of_request(chat, "{}"), "first");
        assert_eq!(of_response(chat, "{}", "LLM"), "hm");
        for text in [
            "",
            "plain",
            r#"{"question":"why"}"#,
            r#"{"messages":[]}"#,
            "{broken",
        ] {
            assert_eq!(of_request(text, "{}"), text);
        }
        assert_eq!(of_request("a\0b", "{}"), "a\u{fffd}b");
        assert_eq!(of_request(&"é".repeat(1000), "{}"), "é".repeat(1000));
        assert_eq!(
            of_request(&"é".repeat(1001), "{}"),
            format!("{}...", "é".repeat(997))
        );
    }
}
