//! Inputs and outputs of a span: the text as the producer sent it, or JSON text where it sent
//! structure.
//!
//! Order: a key that holds the whole and is not empty; messages or documents spread over indexed
//! keys; events, of messages and of documents that were found; a key that holds an empty whole. Producers that set
//! every key on every span send `{}` where they have nothing to say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::otlp::read_object;
use crate::otlp::value::{KeyValue, Value, write_string, write_value};

use super::EventView;
use super::keys::Found;
use super::messages::{self, Side};
use super::producers::{Concern, genai, pydantic_ai};

/// What stands where a producer was told to say nothing.
const WITHHELD: &str = "<REDACTED>";

/// The attribute in which some producers send the members of an event's message, as JSON text.
pub(super) const EVENT_CONTENT: &str = "gen_ai.event.content";

/// Attributes of events that hold the whole, with the event's name.
const INPUT_EVENTS: &[(&str, &str)] = &[
    ("gen_ai.input.messages", EVENT_CONTENT),
    (
        "gen_ai.client.inference.operation.details",
        "gen_ai.input.messages",
    ),
    ("gen_ai.content.prompt", "gen_ai.prompt"),
];
const OUTPUT_EVENTS: &[(&str, &str)] = &[
    ("gen_ai.output.messages", EVENT_CONTENT),
    (
        "gen_ai.client.inference.operation.details",
        "gen_ai.output.messages",
    ),
    ("gen_ai.content.completion", "gen_ai.completion"),
];

/// Events that are one message each (OTel GenAI before 1.37), with the role they imply.
const MESSAGE_EVENTS: &[(&str, &str)] = &[
    ("gen_ai.system.message", "system"),
    ("gen_ai.user.message", "user"),
    ("gen_ai.assistant.message", "assistant"),
    ("gen_ai.tool.message", "tool"),
];
const CHOICE_EVENTS: &[(&str, &str)] = &[("gen_ai.choice", "assistant")];

const TOOL_CHOICE_EVENTS: &[(&str, &str)] = &[("gen_ai.choice", "tool")];

/// Events that are one document each that was found (Traceloop, Langtrace), and the members that their attributes end
/// with, by the names that documents have.
const RETRIEVAL_EVENTS: &[&str] = &[
    "db.query.result",
    "db.search.result",
    "db.chroma.query.result",
];
const DOCUMENT_MEMBERS: &[(&str, &str)] = &[
    ("id", "id"),
    ("score", "score"),
    ("distance", "distance"),
    ("document", "content"),
    ("entity", "content"),
    ("metadata", "metadata"),
];

/// The events of a call of a tool that Claude Code sends, and the attribute that holds the answer.
const TOOL_OUTPUT_EVENTS: &[(&str, &str)] =
    &[("tool.output", "output"), ("tool.output", "content")];

/// The inputs of a span.
pub(super) fn inputs(
    found: &Found<'_>,
    attributes: &[KeyValue<'_>],
    events: &[EventView<'_>],
) -> Option<String> {
    whole(found, Concern::Inputs)
        .or_else(|| messages::assemble(attributes, Side::Input))
        .or_else(|| of_listed_events(attributes, false))
        .or_else(|| of_events(events, INPUT_EVENTS, MESSAGE_EVENTS, "user"))
        .or_else(|| empty_whole(found, Concern::Inputs))
}

/// The outputs of a span, whose type tells who speaks in its events.
pub(super) fn outputs(
    found: &Found<'_>,
    attributes: &[KeyValue<'_>],
    events: &[EventView<'_>],
    span_type: &str,
) -> Option<String> {
    let choices = if span_type == "TOOL" {
        TOOL_CHOICE_EVENTS
    } else {
        CHOICE_EVENTS
    };
    whole(found, Concern::Outputs)
        .or_else(|| messages::assemble(attributes, Side::Output))
        .or_else(|| of_listed_events(attributes, true))
        .or_else(|| of_events(events, OUTPUT_EVENTS, choices, "assistant"))
        .or_else(|| of_events(events, TOOL_OUTPUT_EVENTS, &[], "tool"))
        .or_else(|| retrieved(events))
        .or_else(|| empty_whole(found, Concern::Outputs))
}

/// Whether an event is a document that was found.
pub(super) fn is_retrieval((name, _): &EventView<'_>) -> bool {
    RETRIEVAL_EVENTS.contains(name)
}

/// A JSON array with an object for each document that was found.
fn retrieved(events: &[EventView<'_>]) -> Option<String> {
    let found: Vec<Value<'_>> = events
        .iter()
        .filter(|event| is_retrieval(event))
        .map(document)
        .collect();
    let mut out = String::new();
    write_value(&Value::Array(found), &mut out);
    Some(out).filter(|out| !is_empty(out))
}

fn document<'v>((_, attributes): &EventView<'v>) -> Value<'v> {
    let member = |pair: &KeyValue<'v>| {
        let end = pair.key.rsplit('.').next().unwrap_or_default();
        let (_, name) = DOCUMENT_MEMBERS.iter().find(|(of, _)| *of == end)?;
        Some(KeyValue {
            key: Cow::Borrowed(*name),
            value: pair.value.clone(),
        })
    };
    Value::KeyValues(attributes.iter().filter_map(member).collect())
}

/// Whether what a key holds is of this side: what a memory gave, or what it was given.
fn is_of_side(found: &Found<'_>, concern: Concern, key: &str) -> bool {
    let is_search = || {
        found
            .first_word(Concern::Operation)
            .is_some_and(|word| word == genai::SEARCH_MEMORY)
    };
    key != genai::MEMORY_RECORDS || is_search() == (concern == Concern::Outputs)
}

/// The texts of the attributes that hold the whole, best first.
fn wholes(found: &Found<'_>, concern: Concern) -> impl Iterator<Item = String> {
    let of_side = found
        .candidates(concern)
        .filter(move |(key, _)| is_of_side(found, concern, key.name));
    of_side.filter_map(|(_, value)| value.to_text())
}

/// The first attribute that holds the whole and says something.
fn whole(found: &Found<'_>, concern: Concern) -> Option<String> {
    wholes(found, concern).find(|text| !says_nothing(text) && !is_hollow(text))
}

/// The first attribute that holds a whole of nothing.
fn empty_whole(found: &Found<'_>, concern: Concern) -> Option<String> {
    wholes(found, concern).find(|text| text != WITHHELD)
}

/// Whether a text has nothing to say, or was withheld.
pub(super) fn says_nothing(text: &str) -> bool {
    is_empty(text) || text == WITHHELD
}

/// Whether a text is a list of messages without a part, as some send who say elsewhere what a message calls.
pub(super) fn is_hollow(text: &str) -> bool {
    const HOLLOW_BYTES_MAX: usize = 4 << 10;
    if text.len() > HOLLOW_BYTES_MAX
        || !text.trim_start().starts_with('[')
        || !text.contains("\"role\"")
    {
        return false;
    }
    let messages: Vec<BTreeMap<Cow<'_, str>, &RawValue>> =
        serde_json::from_str(text).unwrap_or_default();
    let says_nothing = |(name, value): (&Cow<'_, str>, &&RawValue)| {
        matches!(name.as_ref(), "role" | "finish_reason") || name == "parts" && value.get() == "[]"
    };
    !messages.is_empty()
        && messages
            .iter()
            .all(|message| message.iter().all(says_nothing))
}

fn is_empty(text: &str) -> bool {
    text.len() <= NOTHING_BYTES_MAX
        && NOTHING.contains(&text.split_whitespace().collect::<String>().as_str())
}

/// Texts of nothing, without their white space: the last a call without arguments, as decorators of Traceloop and
/// AgentOps write it.
const NOTHING: &[&str] = &[
    "",
    "{}",
    "[]",
    "null",
    "\"\"",
    r#"{"messages":[]}"#,
    r#"{"args":[],"kwargs":{}}"#,
];
const NOTHING_BYTES_MAX: usize = 64;

/// The messages, or the answers, of an attribute that lists events (pydantic-ai, version 1).
fn of_listed_events(attributes: &[KeyValue<'_>], is_output: bool) -> Option<String> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow, rename = "event.name")]
        name: Cow<'a, str>,
    }
    let text = attributes
        .iter()
        .find(|pair| pair.key == pydantic_ai::EVENTS)?
        .value
        .as_str()?;
    let listed: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let mut wanted = Vec::new();
    for raw in listed {
        let event: Event<'_> = serde_json::from_str(raw.get()).ok()?;
        if (event.name == "gen_ai.choice") == is_output {
            wanted.push(raw.get());
        }
    }
    (!wanted.is_empty()).then(|| format!("[{}]", wanted.join(",")))
}

fn of_events(
    events: &[EventView<'_>],
    wholes: &[(&str, &str)],
    messages: &[(&str, &str)],
    speaker: &str,
) -> Option<String> {
    if events.is_empty() {
        return None;
    }
    for (event_name, key) in wholes {
        let attributes = events
            .iter()
            .filter(|(name, _)| name == event_name)
            .flat_map(|(_, pairs)| *pairs);
        let text = attributes
            .filter(|pair| pair.key == *key)
            .find_map(|pair| listed_texts(&pair.value, speaker).or_else(|| pair.value.to_text()));
        if text.is_some() {
            return text;
        }
    }
    message_events(events, messages)
}

/// The messages that a list of bare texts is (Spring AI), which say nothing of who speaks.
fn listed_texts(value: &Value<'_>, speaker: &str) -> Option<String> {
    let Value::Array(items) = value else {
        return None;
    };
    let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    let mut out = String::new();
    for text in texts.filter(|texts| !texts.is_empty())? {
        out.push(if out.is_empty() { '[' } else { ',' });
        out.push_str("{\"role\":");
        write_string(speaker, &mut out);
        out.push_str(",\"content\":");
        write_string(text, &mut out);
        out.push('}');
    }
    out.push(']');
    Some(out)
}

/// A JSON array with an object per message event: its role, then its attributes.
fn message_events(events: &[EventView<'_>], roles: &[(&str, &str)]) -> Option<String> {
    let mut out = String::new();
    for (name, attributes) in events {
        let Some((_, implied)) = roles.iter().find(|(event_name, _)| event_name == name) else {
            continue;
        };
        let role = attributes
            .iter()
            .find(|pair| pair.key == "role")
            .and_then(|pair| pair.value.as_str());
        out.push(if out.is_empty() { '[' } else { ',' });
        let content = content_members(attributes);
        let of = if content.is_empty() {
            *attributes
        } else {
            &content
        };
        write_message(
            role.unwrap_or(implied),
            &of.iter().collect::<Vec<_>>(),
            &mut out,
        );
    }
    if out.is_empty() {
        return None;
    }
    out.push(']');
    Some(out)
}

/// The members of a message that an attribute has as JSON text; none where it has none.
pub(super) fn content_members<'v>(attributes: &'v [KeyValue<'v>]) -> Vec<KeyValue<'v>> {
    let content = attributes.iter().find(|pair| pair.key == EVENT_CONTENT);
    read_object(
        content
            .and_then(|pair| pair.value.as_str())
            .unwrap_or_default(),
    )
}

/// Appends a message as a JSON object: its role, then its members but for unset ones.
pub(super) fn write_message(role: &str, members: &[&KeyValue<'_>], out: &mut String) {
    out.push_str("{\"role\":");
    write_string(role, out);
    for pair in members
        .iter()
        .filter(|pair| pair.key != "role" && pair.value != Value::Unset)
    {
        out.push(',');
        write_string(&pair.key, out);
        out.push(':');
        write_value(&pair.value, out);
    }
    out.push('}');
}
