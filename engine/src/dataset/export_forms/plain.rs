//! Messages that are in the form of fine-tuning already (OpenAI's chat): their members are kept as they are written,
//! images and sound among them. Everything else is for `told`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::json::{Members, begins_structure, members};
use super::turn::{Call, Turn};

/// Members beside messages that say something of the conversation, which only the reader of all formats understands.
const INSTRUCTIONS: [&str; 5] = [
    "system",
    "instructions",
    "system_instruction",
    "systemInstruction",
    "system_instructions",
];

/// Members of a message that are kept beside its content and its calls.
const EXTRAS: [&str; 3] = ["name", "refusal", "weight"];

/// The messages of a payload; `None` when one of them is of another form.
pub(super) fn turns(payload: &str) -> Option<Vec<Turn>> {
    let json = structure(payload);
    let listed: Vec<&RawValue> = if json.starts_with('[') {
        serde_json::from_str(&json).ok()?
    } else {
        of_object(&json)?
    };
    let turns: Option<Vec<Turn>> = listed.into_iter().map(|item| turn(item.get())).collect();
    turns.filter(|turns| !turns.is_empty())
}

/// A payload, or the structure that was sent as a text of it.
pub(super) fn structure(payload: &str) -> Cow<'_, str> {
    let json = payload.trim();
    let text: Option<String> = match json.starts_with('"') {
        true => serde_json::from_str(json).ok(),
        false => None,
    };
    match text.filter(|text| begins_structure(text)) {
        Some(text) => Cow::Owned(text.trim().to_string()),
        None => Cow::Borrowed(json),
    }
}

/// The messages of a request, of an answer, or the message that the object is. Of several answers the first counts.
fn of_object(json: &str) -> Option<Vec<&RawValue>> {
    let object = members(json)?;
    if object.contains_key("role") {
        return Some(vec![serde_json::from_str(json).ok()?]);
    }
    if INSTRUCTIONS.iter().any(|key| value(&object, key).is_some()) {
        return None;
    }
    if let Some(list) = value(&object, "messages") {
        return serde_json::from_str(list.get()).ok();
    }
    let choices: Vec<&RawValue> = match value(&object, "choices") {
        Some(list) => serde_json::from_str(list.get()).ok()?,
        None => Vec::new(),
    };
    let holder = match choices.first() {
        Some(choice) => members(choice.get())?,
        None => object,
    };
    Some(vec![value(&holder, "message")?])
}

/// A member that is not null.
fn value<'a>(object: &Members<'a>, key: &str) -> Option<&'a RawValue> {
    object
        .get(key)
        .copied()
        .filter(|value| value.get() != "null")
}

fn text(object: &Members<'_>, key: &str) -> Option<String> {
    serde_json::from_str(value(object, key)?.get()).ok()
}

fn turn(json: &str) -> Option<Turn> {
    let message = members(json)?;
    let role = text(&message, "role")?;
    let parts: &[&str] = match role.as_str() {
        "user" => &["text", "image_url", "input_audio", "file"],
        "assistant" => &["text", "refusal"],
        "system" | "developer" | "tool" => &["text"],
        _ => return None,
    };
    let answers = text(&message, "tool_call_id");
    // Messages of other formats say what they say under `parts`.
    let is_chat = ["content", "tool_calls", "refusal"]
        .iter()
        .any(|key| message.contains_key(*key));
    let is_odd = value(&message, "function_call").is_some() || message.contains_key("parts");
    if !is_chat || is_odd || answers.is_some() != (role == "tool") {
        return None;
    }
    let content = match value(&message, "content") {
        Some(content) => Some(content_of(content.get(), parts)?),
        None => None,
    };
    let calls = match value(&message, "tool_calls") {
        Some(list) => calls(list.get()).filter(|calls| calls.is_empty() || role == "assistant")?,
        None => Vec::new(),
    };
    let extras = EXTRAS
        .iter()
        .filter_map(|key| Some((*key, value(&message, key)?.get().to_string())))
        .collect();
    Some(Turn {
        role,
        content,
        extras,
        calls,
        answers,
    })
}

/// A text, or a list of parts of these types, as it is; one part that is only text is the text.
fn content_of(json: &str, types: &[&str]) -> Option<String> {
    if json.starts_with('"') {
        return Some(json.to_string());
    }
    let parts: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let is_known = |part: &&RawValue| {
        let kind = members(part.get()).and_then(|part| text(&part, "type"));
        kind.is_some_and(|kind| types.contains(&kind.as_str()))
    };
    if let [only] = parts.as_slice()
        && let Some(part) = members(only.get()).filter(|part| part.len() == 2)
        && text(&part, "type").as_deref() == Some("text")
    {
        return Some(value(&part, "text")?.get().to_string());
    }
    parts.iter().all(is_known).then(|| json.to_string())
}

fn calls(json: &str) -> Option<Vec<Call>> {
    let listed: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let call = |item: &RawValue| {
        let call = members(item.get())?;
        let function = members(value(&call, "function")?.get())?;
        Some(Call {
            id: text(&call, "id")?,
            name: text(&function, "name")?,
            arguments: text(&function, "arguments")?,
        })
    };
    listed.into_iter().map(call).collect()
}
