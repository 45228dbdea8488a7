//! One object of a payload as the messages that it is: a message of a chat, a choice, a request of pydantic-ai, a
//! document.
//!
//! `walk` asks here of each object that it comes to, and opens it as a wrapper where it is none of these.
//!
//! Invariants
//! * What tools answered is a message of the tool, whoever sends it.

use serde_json::value::RawValue;

use super::calls;
use super::content::{self, CALLS_BESIDE, Part};
use super::role::{plain_role, role_of};
use super::shape::{Shape, items, string};
use super::walk::{WRAPPERS_MAX, push, walk};
use super::{Content, Message, Side};

/// Keys of a message's body, best first.
const BODY_KEYS: &[&str] = &["content", "_content", "parts", "blocks", "contents"];

/// Keys of a serialized message's inside (LangChain).
const INNER_KEYS: &[&str] = &["kwargs", "data"];

/// The messages of a request or response of pydantic-ai, whose parts say by their kind who speaks.
pub(super) fn push_parts_by_kind(shape: &Shape<'_>, messages: &mut Vec<Message>) -> bool {
    let is_of_kind = shape
        .text(&["kind"])
        .is_some_and(|kind| matches!(kind.as_str(), "request" | "response"));
    let parts = shape
        .get(&["parts"])
        .filter(|_| is_of_kind)
        .map(|parts| items(parts.get()))
        .unwrap_or_default();
    let kinds: Option<Vec<(&RawValue, String)>> = parts
        .iter()
        .map(|part| Some((*part, Shape::of(part.get())?.text(&["part_kind"])?)))
        .collect();
    let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty()) else {
        return false;
    };
    let mut answers = Vec::new();
    for (part, kind) in kinds {
        let role = match kind.as_str() {
            "system-prompt" => "system",
            "user-prompt" => "user",
            "tool-return" | "retry-prompt" => "tool",
            _ => {
                answers.push(part);
                continue;
            }
        };
        let body = Shape::of(part.get()).and_then(|part| part.get(&["content"]));
        messages.push(Message {
            role: role.to_string(),
            content: body.and_then(content::of_body),
        });
    }
    if let Some(content) = content::of_list(&answers) {
        push("assistant", content, messages);
    }
    true
}

/// A choice that has its calls beside its message.
pub(super) fn push_choice_with_calls(
    shape: &Shape<'_>,
    side: Side,
    messages: &mut Vec<Message>,
) -> bool {
    let message = shape
        .inner(&["message"])
        .filter(|message| !message.has(CALLS_BESIDE));
    let (Some(message), Some(calls)) = (message, content::calls_beside(shape)) else {
        return false;
    };
    let role = message
        .text(&["role"])
        .or_else(|| shape.text(&["role"]))
        .map(|role| plain_role(&role));
    let role = role.unwrap_or_else(|| side.default_role().to_string());
    let said = body_of(&message).and_then(content::of_body);
    messages.push(Message {
        role,
        content: with_calls(said, Some(calls)),
    });
    true
}

/// A text and calls as one content.
fn with_calls(said: Option<Content>, calls: Option<Content>) -> Option<Content> {
    let said = said.filter(|content| !content.as_sent().is_empty());
    match (said, calls) {
        (Some(Content::Json(json)), None) => Some(Content::Json(json)),
        (Some(Content::Json(_)) | None, calls @ Some(_)) => calls,
        (Some(Content::Text(text)), Some(Content::ToolCalls(calls))) => {
            Some(Content::text_and_calls(text, &calls))
        }
        (said, _) => said,
    }
}

pub(super) fn push_document(shape: &Shape<'_>, messages: &mut Vec<Message>) -> bool {
    let inner = shape.inner(&["document"]);
    let text = shape
        .text(&["page_content", "document.content"])
        .or_else(|| inner.and_then(|document| document.text(&["content", "page_content", "text"])));
    match text {
        Some(text) => push("document", Content::Text(text), messages),
        None => return false,
    }
    true
}

/// Keys of a document's text, best first.
const DOCUMENT_KEYS: &[&str] = &[
    "content",
    "text",
    "document",
    "memory",
    "page_content",
    "pageContent",
];

/// Keys that tell a document of which there is no text.
pub(super) const DOCUMENT_MARKS: &[&str] = &["id", "score", "distance"];

/// Pushes the document that an item of a list is: its text, or that of what it wraps.
pub(super) fn push_retrieved(shape: &Shape<'_>, messages: &mut Vec<Message>) -> bool {
    let inner = || {
        shape
            .inner(&["node", "payload", "metadata"])?
            .text(DOCUMENT_KEYS)
    };
    let text = shape.text(DOCUMENT_KEYS).or_else(inner).map(Content::Text);
    let structure = || shape.get(&["content"]).and_then(content::of_body);
    let Some(content) = text.or_else(structure) else {
        return false;
    };
    push("document", content, messages);
    true
}

/// Pushes the message that the object is, and before or after it what tools answered inside of it.
pub(super) fn push_message(shape: &Shape<'_>, side: Side, messages: &mut Vec<Message>) -> bool {
    let called = calls::of_item(shape);
    if !called.is_empty() {
        messages.extend(called);
        return true;
    }
    let Some(role) = role_of(shape, side) else {
        return false;
    };
    let inner = shape.inner(INNER_KEYS).filter(|_| !shape.has(BODY_KEYS));
    let of = inner.as_ref().unwrap_or(shape);
    // A choice holds its message one level down, or as text (Strands).
    let choice = of.get(&["message"]);
    if !of.has(BODY_KEYS) && choice.is_some_and(|choice| choice.get().starts_with('{')) {
        return false;
    }
    // Or as JSON text, which is opened once.
    if !of.has(BODY_KEYS)
        && let Some(text) = choice.and_then(string).filter(|text| text.starts_with('{'))
    {
        let before = messages.len();
        walk(&text, side, WRAPPERS_MAX, messages);
        if messages.len() > before {
            return true;
        }
    }
    let body = body_of(of).or(choice);
    let calls = content::calls_beside(of);
    if push_answers(body, role == "assistant" && calls.is_none(), messages) {
        return true;
    }
    let said = body
        .and_then(content::of_body)
        .filter(|content| !content.as_sent().is_empty())
        .or_else(|| of.text(&["text", "refusal"]).map(Content::Text))
        .or_else(|| content::transcript(of).map(Content::Text));
    messages.push(Message {
        role,
        content: with_calls(said, calls),
    });
    true
}

/// The body that says something, else the first that is there.
fn body_of<'a>(shape: &Shape<'a>) -> Option<&'a RawValue> {
    let mut bodies = BODY_KEYS.iter().filter_map(|key| shape.get(&[key]));
    bodies
        .clone()
        .find(|body| !matches!(body.get(), "\"\"" | "[]"))
        .or_else(|| bodies.next())
}

/// Pushes what tools answered, each answer as a message: where a body is nothing else (Anthropic, Gemini and Bedrock send
/// these as the user's), and, if `has_turns`, where tools of a model's host answered in the midst of what the model said.
fn push_answers(body: Option<&RawValue>, has_turns: bool, messages: &mut Vec<Message>) -> bool {
    let parts = body.map(|body| items(body.get())).unwrap_or_default();
    let answer = |part: &&RawValue| match content::part_of(part) {
        Part::Result(content) => Some(content),
        _ => None,
    };
    let answers: Vec<Option<Option<Content>>> = parts.iter().map(answer).collect();
    let count = answers.iter().flatten().count();
    if count == 0 || (count < parts.len() && !has_turns) {
        return false;
    }
    let message = |role: &str, content| Message {
        role: role.to_string(),
        content,
    };
    let mut said: Vec<&RawValue> = Vec::new();
    for (part, answer) in parts.into_iter().zip(answers) {
        let Some(content) = answer else {
            said.push(part);
            continue;
        };
        if !said.is_empty() {
            messages.push(message("assistant", content::of_list(&said)));
            said.clear();
        }
        messages.push(message("tool", content));
    }
    if !said.is_empty() {
        messages.push(message("assistant", content::of_list(&said)));
    }
    true
}
