//! From a payload to its messages: wrappers are opened until what is left is a message.
//!
//! 1. Text that is not JSON is one message of the side's speaker.
//! 2. An array is read item by item; one of nothing but parts is one message.
//! 3. An object is a message (it says who speaks, or is an item of a known kind), a retrieved
//!    document, or a wrapper whose known keys are opened: instructions first, then messages.
//! 4. Of what was retrieved each item of a list that is none of these is a document.

use serde_json::value::RawValue;
use tracehouse_storage::json::nulled;

use super::content::{self, Part};
use super::message::{
    DOCUMENT_MARKS, push_choice_with_calls, push_document, push_message, push_parts_by_kind,
    push_retrieved,
};
use super::role::{is_speaker, plain_role};
use super::shape::{Shape, items, string};
use super::{Content, Message, Side};

/// Deepest nesting of wrappers followed, such as a message inside `choices` inside `messages`.
pub(super) const WRAPPERS_MAX: usize = 8;

/// Keys of instructions to the model.
const INSTRUCTION_KEYS: &[&str] = &[
    "system",
    "instructions",
    "system_instruction",
    "systemInstruction",
    "system_instructions",
];

/// Keys of wrappers that hold messages or text, in the order they are opened.
const WRAPPER_KEYS: &[&str] = &[
    "messages",
    "message",
    "choices",
    "candidates",
    "generations",
    "contents",
    "request",
    "kwargs",
    "data",
    "update",
    "input",
    "inputs",
    "output",
    "outputs",
    "prompt",
    "prompts",
    "task",
    "replies",
    "items",
    "documents",
];

/// Wrappers that hold a list of bare texts, each of which is a message, and who speaks in them: a prompt of each answer
/// (OpenAI's completions, LangChain), an answer each (Haystack's generators).
const TEXT_LISTS: &[(&str, &str)] = &[
    ("prompt", "user"),
    ("prompts", "user"),
    ("replies", "assistant"),
];

/// The wrapper whose texts are parts of one message, with media beside them (Gemini).
const CONTENTS: &str = "contents";

/// Keys of wrappers of what was retrieved.
const RETRIEVED_KEYS: &[&str] = &["results", "matches", "hits", "nodes", "memories", "records"];

/// Keys that a part of a message does not have.
const NO_PART_KEYS: &[&str] = &[
    "role",
    "_role",
    "message",
    "kwargs",
    "data",
    "page_content",
    "document",
    "source",
    "call_id",
    "summary",
];

/// The messages of a payload; none when it is JSON of a shape that is not known.
pub fn read(payload: &str, side: Side) -> Vec<Message> {
    let mut messages = Vec::new();
    let is_structure = payload.trim_start().starts_with(['{', '[']);
    match serde_json::from_str::<&RawValue>(payload) {
        Ok(raw) if is_structure => walk(raw.get(), side, 0, &mut messages),
        Ok(raw) => {
            let text = string(raw).unwrap_or_else(|| payload.to_string());
            // Some producers encode their JSON twice.
            match serde_json::from_str::<&RawValue>(&text) {
                Ok(inner) if text.trim_start().starts_with(['{', '[']) => {
                    walk(inner.get(), side, 0, &mut messages);
                }
                _ => push(side.default_role(), Content::Text(text), &mut messages),
            }
        }
        Err(_) => {
            // Python writes numbers that JSON does not have.
            let nulled = nulled(payload).filter(|_| is_structure);
            if let Some(raw) = nulled
                .as_deref()
                .and_then(|text| serde_json::from_str::<&RawValue>(text).ok())
            {
                walk(raw.get(), side, 0, &mut messages);
                return messages;
            }
            let (role, text) = tagged(payload).unwrap_or((side.default_role(), payload));
            push(role, Content::Text(text.to_string()), &mut messages);
        }
    }
    messages
}

/// The speaker and text of a text that begins with a line which names the speaker, as Claude Code sends it.
fn tagged(text: &str) -> Option<(&'static str, &str)> {
    let (line, rest) = text.split_once('\n')?;
    let tag = line.strip_prefix('[')?.strip_suffix(']')?;
    let role = match tag.split(':').next()? {
        "USER" | "USER PROMPT" | "TOOL INPUT" => "user",
        "TOOL RESULT" => "tool",
        _ => return None,
    };
    Some((role, rest))
}

/// The message of a system-instructions attribute: a string, or a list of parts as JSON text.
pub fn read_instructions(text: &str) -> Option<Message> {
    let content = match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) if text.trim_start().starts_with(['{', '[', '"']) => content::of_body(raw)?,
        _ => Content::Text(text.to_string()),
    };
    Some(Message {
        role: "system".to_string(),
        content: Some(content),
    })
}

pub(super) fn push(role: &str, content: Content, messages: &mut Vec<Message>) {
    messages.push(Message {
        role: role.to_string(),
        content: Some(content),
    });
}

pub(super) fn walk(json: &str, side: Side, depth: usize, messages: &mut Vec<Message>) {
    if depth > WRAPPERS_MAX {
        return;
    }
    if json.starts_with('[') {
        walk_list(json, side, depth, messages);
        return;
    }
    let Some(shape) = Shape::of(json) else { return };
    let is_read = push_parts_by_kind(&shape, messages)
        || push_choice_with_calls(&shape, side, messages)
        || push_message(&shape, side, messages)
        || push_document(&shape, messages)
        || (side == Side::Retrieved && depth > 0 && push_retrieved(&shape, messages));
    if is_read {
        return;
    }
    let before = messages.len();
    walk_wrapper(&shape, side, depth, messages);
    if messages.len() == before && side == Side::Retrieved && depth > 0 && shape.has(DOCUMENT_MARKS)
    {
        push(
            side.default_role(),
            Content::Json(json.to_string()),
            messages,
        );
    }
}

fn walk_list(json: &str, side: Side, depth: usize, messages: &mut Vec<Message>) {
    let listed = items(json);
    if side == Side::Retrieved {
        walk_retrieved(&listed, depth, messages);
        return;
    }
    // A bare list of parts is one message.
    if !listed.is_empty() && listed.iter().all(|item| is_part(item)) {
        if let Some(content) = content::of_items(json, &listed) {
            // What is given to a model calls nothing: the calls are what it said, on their way to the tools.
            let is_calls = matches!(content, Content::ToolCalls(_));
            let role = if is_calls {
                "assistant"
            } else {
                side.default_role()
            };
            push(role, content, messages);
        }
        return;
    }
    if let Some((role, text)) = pair(&listed) {
        push(&role, Content::Text(text), messages);
        return;
    }
    for item in listed
        .iter()
        .filter(|item| item.get().starts_with(['{', '[']))
    {
        walk(item.get(), side, depth + 1, messages);
    }
}

/// The items of a list that was retrieved: texts are documents, and structure sent as text is opened.
fn walk_retrieved(listed: &[&RawValue], depth: usize, messages: &mut Vec<Message>) {
    for item in listed {
        match string(item) {
            Some(text) => {
                let before = messages.len();
                walk(text.trim(), Side::Retrieved, depth + 1, messages);
                if messages.len() == before {
                    push("document", Content::Text(text), messages);
                }
            }
            None => walk(item.get(), Side::Retrieved, depth + 1, messages),
        }
    }
}

/// Whether an item is a part of a message, and neither a message nor a wrapper nor an item of the
/// Responses API, whose calls stand among messages.
fn is_part(item: &RawValue) -> bool {
    let Some(shape) = Shape::of(item.get()) else {
        return false;
    };
    let is_more = shape.has(NO_PART_KEYS);
    !is_more
        && matches!(
            content::part_of(item),
            Part::Text(_) | Part::Cited(_) | Part::Media(_) | Part::Reasoning | Part::Call(_)
        )
}

/// LangChain's `["human", "text"]`.
fn pair(listed: &[&RawValue]) -> Option<(String, String)> {
    let [speaker, text] = listed else { return None };
    let speaker = string(speaker)?;
    is_speaker(&speaker).then_some(())?;
    Some((plain_role(&speaker), string(text)?))
}

fn walk_wrapper(shape: &Shape<'_>, side: Side, depth: usize, messages: &mut Vec<Message>) {
    let config = shape.inner(&["config"]);
    for instruction in [
        shape.get(INSTRUCTION_KEYS),
        config.and_then(|config| config.get(INSTRUCTION_KEYS)),
    ] {
        // An answer repeats what its request said.
        if side == Side::Input
            && let Some(content) = instruction.and_then(instructions)
        {
            push("system", content, messages);
        }
    }
    // Gemini's candidates hold their message under `content`.
    let nested = shape
        .get(&["content"])
        .filter(|content| content.get().starts_with('{'));
    let retrieved = if side == Side::Retrieved {
        RETRIEVED_KEYS
    } else {
        &[]
    };
    let wrapped = WRAPPER_KEYS
        .iter()
        .chain(retrieved)
        .filter_map(|key| Some((*key, shape.get(&[key])?)));
    let before = messages.len();
    for (key, value) in wrapped.chain(nested.map(|value| ("content", value))) {
        // An answer repeats what it was asked (Genkit).
        let is_repeated = key == "request" && side != Side::Input && messages.len() > before;
        if is_repeated || push_texts(key, value, side, messages) {
            continue;
        }
        match string(value) {
            Some(text) => {
                let before = messages.len();
                // Structure that was sent as text, where it is a message.
                walk(text.trim(), side, depth + 1, messages);
                if messages.len() == before {
                    push(side.default_role(), Content::Text(text), messages);
                }
            }
            None => walk(value.get(), side, depth + 1, messages),
        }
    }
    if messages.len() == before
        && let Some(content) = unwrapped(shape)
    {
        push(side.default_role(), content, messages);
    }
}

/// Pushes the messages that a wrapper's list of bare texts is.
fn push_texts(key: &str, list: &RawValue, side: Side, messages: &mut Vec<Message>) -> bool {
    let listed = items(list.get());
    let texts: Vec<String> = listed.iter().filter_map(|item| string(item)).collect();
    if texts.is_empty() || texts.iter().any(|text| is_printed(text)) {
        return false;
    }
    if key == CONTENTS
        && listed
            .iter()
            .all(|item| string(item).is_some() || is_part(item))
    {
        let content = content::of_items(list.get(), &listed);
        if let Some(content) = content {
            push(side.default_role(), content, messages);
        }
        return true;
    }
    let speaker = TEXT_LISTS.iter().find(|(of, _)| *of == key);
    let Some((_, role)) = speaker.filter(|_| texts.len() == listed.len()) else {
        return false;
    };
    for text in texts {
        push(role, Content::Text(text), messages);
    }
    true
}

/// Whether a text is what Python prints of an object (`ChatMessage(_role=..)`), which nobody says.
fn is_printed(text: &str) -> bool {
    let Some((class, members)) = text.split_once('(').filter(|_| text.ends_with(')')) else {
        return false;
    };
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    is_word(class)
        && members
            .split_once('=')
            .is_some_and(|(name, _)| is_word(name))
}

/// What an object says that holds no messages.
fn unwrapped(shape: &Shape<'_>) -> Option<Content> {
    // The arguments of a function that was traced: a single text is what it was asked.
    if shape.has(&["kwargs"])
        && let Some(arguments) = shape.get(&["args"])
        && let [only] = items(arguments.get()).as_slice()
        && let Some(text) = string(only)
    {
        return Some(Content::Text(text));
    }
    // What a tool of the Model Context Protocol answers: a list of parts.
    if let Some(list) = shape.get(&["content"]) {
        let parts = items(list.get());
        let is_known = |part: &&RawValue| !matches!(content::part_of(part), Part::Unknown);
        if !parts.is_empty() && parts.iter().all(is_known) {
            return content::of_items(list.get(), &parts);
        }
    }
    shape
        .text(&["text", "output_text", "response", "content"])
        .map(Content::Text)
}

/// Instructions are text, parts, or an object that holds parts.
fn instructions(raw: &RawValue) -> Option<Content> {
    let shape = Shape::of(raw.get());
    let body = shape
        .as_ref()
        .and_then(|shape| shape.get(&["parts", "content"]))
        .unwrap_or(raw);
    content::of_body(body).filter(|content| !matches!(content, Content::Json(_)))
}
