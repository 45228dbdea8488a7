//! Who speaks in a message: the role that an object names, in the word that is usual for it.
//!
//! Used by `walk`, which asks whether an object is a message at all.
//!
//! Invariants
//! * An object of which no word names a speaker is no message, but for one that has `parts`.
//! * A word that is not known stays as it was sent: agents speak under their names.

use super::Side;
use super::content::RESULT_KEYS;
use super::shape::{Shape, items, string};

/// Who speaks, when the object is a message.
pub(super) fn role_of(shape: &Shape<'_>, side: Side) -> Option<String> {
    if let Some(role) = shape.text(&["role", "_role"]) {
        return Some(plain_role(&role));
    }
    if let Some(kind) = shape.text(&["type"]).filter(|kind| is_speaker(kind)) {
        return Some(plain_role(&kind));
    }
    // AutoGen says who speaks in `source`; GenAI events in their name.
    if let Some(kind) = shape.text(&["type"]).filter(|kind| is_autogen(kind)) {
        let source = shape.text(&["source"])?;
        return Some(
            if source == "user" && kind.ends_with("Message") {
                "user"
            } else {
                autogen_role(&kind)
            }
            .to_string(),
        );
    }
    let event = shape
        .text(&["event.name"])
        .filter(|_| shape.has(&["content", "tool_calls"]));
    if let Some(speaker) = event
        .as_deref()
        .and_then(|name| name.strip_prefix("gen_ai.")?.strip_suffix(".message"))
    {
        return Some(plain_role(speaker));
    }
    // A serialized LangChain message names its class.
    if let (Some(_), Some(class)) = (shape.get(&["kwargs"]), shape.get(&["id"])) {
        let names = items(class.get());
        let class = names.last().and_then(|name| string(name))?;
        return is_speaker(&class).then(|| plain_role(&class));
    }
    // Gemini's contents and GenAI messages may leave the role out.
    (shape.has(&["parts"]) && !shape.has(RESULT_KEYS)).then(|| side.default_role().to_string())
}

fn is_autogen(kind: &str) -> bool {
    kind.ends_with("Message") || matches!(kind, "ToolCallRequestEvent" | "ToolCallExecutionEvent")
}

fn autogen_role(kind: &str) -> &'static str {
    match kind {
        "SystemMessage" => "system",
        "UserMessage" => "user",
        "FunctionExecutionResultMessage" | "ToolCallExecutionEvent" => "tool",
        _ => "assistant",
    }
}

const SPEAKERS: &[(&str, &str)] = &[
    ("system", "system"),
    ("developer", "system"),
    ("user", "user"),
    ("human", "user"),
    ("assistant", "assistant"),
    ("ai", "assistant"),
    ("model", "assistant"),
    ("chatbot", "assistant"),
    ("tool", "tool"),
    ("function", "tool"),
    ("tool-response", "tool"),
    ("tool-call", "assistant"),
    ("systemmessage", "system"),
    ("humanmessage", "user"),
    ("aimessage", "assistant"),
    ("aimessagechunk", "assistant"),
    ("toolmessage", "tool"),
    ("functionmessage", "tool"),
];

pub(super) fn is_speaker(word: &str) -> bool {
    // `function` and `model` are types of other things, too.
    !matches!(word, "function" | "model")
        && SPEAKERS
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(word))
}

/// The usual word for a role, else the producer's own as it was sent: agents speak under their names. Of a value of an
/// enumeration (`MessageRole.USER`) the name of that is left out.
pub(super) fn plain_role(role: &str) -> String {
    let member = role
        .rsplit_once('.')
        .filter(|_| !role.contains(char::is_whitespace))
        .map(|(_, member)| member);
    let role = member.unwrap_or(role);
    let known = SPEAKERS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(role));
    known.map_or(role, |(_, plain)| *plain).to_string()
}
