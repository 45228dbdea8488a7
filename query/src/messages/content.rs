//! The body of a message: a string, or a list of parts of which some are text.

use serde_json::value::RawValue;

use super::Content;
use super::preview::decode_unicode_escapes;
use super::shape::{Shape, items, string};

/// What tells a part that is text, by its `type` or `block_type`.
const TEXT_KINDS: &[&str] = &[
    "text",
    "input_text",
    "output_text",
    "summary_text",
    "refusal",
];

/// Parts that are a model's thoughts: no text of the conversation.
const REASONING_KINDS: &[&str] = &["reasoning", "thinking", "redacted_thinking"];

/// Parts that are media by their `type`, and the word that stands for them.
const MEDIA_KINDS: &[(&str, &str)] = &[
    ("image", "image"),
    ("image_url", "image"),
    ("input_image", "image"),
    ("input_audio", "audio"),
    ("output_audio", "audio"),
    ("audio", "audio"),
    ("video", "video"),
    ("file", "file"),
    ("input_file", "file"),
    ("document", "document"),
    ("blob", "file"),
    ("uri", "file"),
];

/// Parts that are calls by their `type`.
const CALL_KINDS: &[&str] = &[
    "tool_call",
    "tool_use",
    "tool-call",
    "function_call",
    "function",
    "server_tool_call",
    // Of Anthropic's own tools, and by way of the Model Context Protocol.
    "server_tool_use",
    "mcp_tool_use",
];

/// Parts that are what a tool answered by their `type`; Anthropic's own tools have theirs before `_tool_result`.
const RESULT_KINDS: &[&str] = &[
    "tool_call_response",
    "server_tool_call_response",
    "tool_result",
    "tool-result",
    "function_call_output",
];

/// Parts that are media by the key that holds them (Gemini, Bedrock, Genkit).
const MEDIA_KEYS: &[(&str, &str)] = &[
    ("image", "image"),
    ("video", "video"),
    ("inlineData", "file"),
    ("inline_data", "file"),
    ("fileData", "file"),
    ("file_data", "file"),
    ("media", "file"),
    ("document", "document"),
];

/// Keys under which a part holds the call of a tool.
const CALL_KEYS: &[&str] = &[
    "functionCall",
    "function_call",
    "toolUse",
    "tool_call",
    "toolRequest",
];

/// Keys of calls that stand beside a message's body.
pub(super) const CALLS_BESIDE: &[&str] = &["tool_calls", "toolCalls", "function_call"];

/// Keys under which a part holds what a tool answered.
pub(super) const RESULT_KEYS: &[&str] = &[
    "functionResponse",
    "function_response",
    "toolResult",
    "tool_call_result",
    "toolResponse",
];

/// What one part of a body is.
pub(super) enum Part {
    Text(String),
    /// A piece of a text that is cut where its sources are named: it goes on where the piece before it ends.
    Cited(String),
    Media(&'static str),
    Reasoning,
    /// A call of a tool, as a person reads it.
    Call(String),
    /// What a tool answered.
    Result(Option<Content>),
    Unknown,
}

/// What a body says. Thoughts are left out where there is anything else.
pub(super) fn of_body(body: &RawValue) -> Option<Content> {
    if let Some(text) = string(body) {
        return Some(of_string(text));
    }
    let json = body.get();
    match only_text(body) {
        Some(text) => Some(of_string(text)),
        None if json.starts_with('[') => of_items(json, &items(json)),
        None if json == "null" => None,
        None => of_items(json, &[body]),
    }
}

/// The text of a body that is an object around one, as the AWS distribution of OpenTelemetry sends it.
fn only_text(body: &RawValue) -> Option<String> {
    let shape =
        Shape::of(body.get()).filter(|shape| !shape.has(&["type", "toolName", "part_kind"]))?;
    shape.text(&["content", "message"])
}

/// What parts say that stand in no list of their own.
pub(super) fn of_list(parts: &[&RawValue]) -> Option<Content> {
    let texts: Vec<&str> = parts.iter().map(|part| part.get()).collect();
    of_items(&format!("[{}]", texts.join(",")), parts)
}

/// What the parts of the list `json` say.
pub(super) fn of_items(json: &str, parts: &[&RawValue]) -> Option<Content> {
    of_parts(json, parts.iter().map(|part| part_of(part)).collect())
}

/// Strands and others send a list of parts as text inside the text.
fn of_string(text: String) -> Content {
    if text.starts_with("[{") {
        let parts: Vec<Part> = items(&text).iter().map(|part| part_of(part)).collect();
        let is_parts = !parts.is_empty() && !parts.iter().any(|part| matches!(part, Part::Unknown));
        if is_parts && let Some(content) = of_parts(&text, parts) {
            return content;
        }
    }
    Content::Text(text)
}

fn of_parts(json: &str, parts: Vec<Part>) -> Option<Content> {
    if parts.is_empty() {
        return None;
    }
    let is_text = |part: &Part| matches!(part, Part::Text(_) | Part::Cited(_));
    let has_text = parts.iter().any(is_text);
    // What was said is shown, and sound has no other sign.
    let is_sound = parts
        .iter()
        .all(|part| matches!(part, Part::Media("audio")));
    let mut lines: Vec<String> = Vec::new();
    let mut calls = Vec::new();
    let mut after_cited = false;
    for part in parts {
        let is_cited = matches!(part, Part::Cited(_));
        let goes_on = is_text(&part) && (is_cited || after_cited);
        after_cited = is_cited;
        match part {
            Part::Text(text) | Part::Cited(text) => match lines.last_mut().filter(|_| goes_on) {
                Some(line) => line.push_str(&text),
                None => lines.push(text),
            },
            Part::Media(word) if has_text || is_sound => lines.push(format!("[{word}]")),
            Part::Call(call) => calls.push(call),
            Part::Result(Some(content)) => lines.push(content.as_text().to_string()),
            Part::Reasoning | Part::Media(_) | Part::Result(None) | Part::Unknown => {}
        }
    }
    Some(match (lines.is_empty(), calls.is_empty()) {
        (false, true) => Content::Text(lines.join("\n")),
        (false, false) => Content::text_and_calls(lines.join("\n"), &calls.join("\n")),
        (true, false) => Content::ToolCalls(calls.join("\n")),
        (true, true) => Content::Json(json.to_string()),
    })
}

/// What a part is.
pub(super) fn part_of(raw: &RawValue) -> Part {
    if let Some(text) = string(raw) {
        return Part::Text(text);
    }
    let Some(part) = Shape::of(raw.get()) else {
        return Part::Unknown;
    };
    let kind = part.text(&["type", "block_type", "part_kind"]);
    match kind.as_deref() {
        None => untyped(&part),
        Some(kind) if TEXT_KINDS.contains(&kind) => text_of(&part),
        Some(kind) if REASONING_KINDS.contains(&kind) => Part::Reasoning,
        Some(kind) if CALL_KINDS.contains(&kind) => Part::Call(call_text(&part)),
        Some(kind) if RESULT_KINDS.contains(&kind) || kind.ends_with("_tool_result") => {
            Part::Result(result_of(&part))
        }
        Some(kind) => MEDIA_KINDS
            .iter()
            .find(|(name, _)| *name == kind)
            .map_or(Part::Unknown, |(_, word)| media(&part, word)),
    }
}

/// Parts that are told by their keys alone: Gemini, Bedrock, Haystack, Strands.
fn untyped(part: &Shape<'_>) -> Part {
    if part
        .get(&["thought"])
        .is_some_and(|raw| raw.get() == "true")
    {
        return Part::Reasoning;
    }
    if let Some(call) = part.inner(CALL_KEYS) {
        return Part::Call(call_text(&call));
    }
    if let Some(result) = part.inner(RESULT_KEYS) {
        return Part::Result(result_of(&result));
    }
    if part.has(&["toolName"]) {
        return match part.has(&["result", "output"]) {
            true => Part::Result(result_of(part)),
            false => Part::Call(call_text(part)),
        };
    }
    if part.has(&["text", "content"]) {
        return text_of(part);
    }
    // AutoGen.
    if part.has(&["name"]) && part.text(&["arguments"]).is_some() {
        return Part::Call(call_text(part));
    }
    if part.has(&["reasoningContent", "reasoning_content", "thinking"]) {
        return Part::Reasoning;
    }
    MEDIA_KEYS
        .iter()
        .find(|(key, _)| part.has(&[key]))
        .map_or(Part::Unknown, |(key, word)| {
            let held = part.inner(&[key]);
            Part::Media(held.map_or(*word, |held| media_word(&held, word)))
        })
}

fn text_of(part: &Shape<'_>) -> Part {
    // OpenAI's assistants: {"text": {"value": ...}}.
    let value = || part.inner(&["text"])?.text(&["value"]);
    part.text(&["text", "content", "refusal"])
        .or_else(value)
        .map_or(Part::Unknown, |text| match part.has(&["citations"]) {
            true => Part::Cited(text),
            false => Part::Text(text),
        })
}

/// What was said where a part is sound and its words are beside it, else the word for it.
fn media(part: &Shape<'_>, word: &'static str) -> Part {
    match transcript(part).filter(|_| word == "audio") {
        Some(text) => Part::Text(text),
        None => Part::Media(media_word(part, word)),
    }
}

/// The words of what was spoken (OpenAI, OpenInference).
pub(super) fn transcript(of: &Shape<'_>) -> Option<String> {
    let audio = of.inner(&["audio", "input_audio", "output_audio"]);
    let nested = || audio.as_ref()?.inner(&["audio"])?.text(&["transcript"]);
    let beside = audio.as_ref().and_then(|audio| audio.text(&["transcript"]));
    beside
        .or_else(nested)
        .or_else(|| of.text(&["transcript"]))
        .filter(|text| !text.is_empty())
}

/// OTel GenAI, Gemini and Genkit tell an image from another file by `modality`, the MIME type or an URL that has it.
fn media_word(part: &Shape<'_>, word: &'static str) -> &'static str {
    let keys = [
        "modality",
        "mime_type",
        "media_type",
        "mimeType",
        "contentType",
    ];
    let told = part.text(&keys).or_else(|| part.text(&["url"]));
    let told = told.unwrap_or_default();
    let told = told.strip_prefix("data:").unwrap_or(&told);
    ["image", "audio", "video"]
        .into_iter()
        .find(|kind| told.starts_with(kind))
        .unwrap_or(word)
}

/// `name(arguments)` of a call, wherever its format has them.
pub(super) fn call_text(call: &Shape<'_>) -> String {
    let function = call.inner(&["function"]);
    let of = function.as_ref().unwrap_or(call);
    let name = of
        .text(&["name", "toolName", "tool_name"])
        .unwrap_or_default();
    let arguments = of.get(ARGUMENT_KEYS);
    call_of(&name, arguments)
}

/// Keys of what a call gives the tool: LlamaIndex has `tool_kwargs`, OTel GenAI's tools of the host one of their own.
const ARGUMENT_KEYS: &[&str] = &[
    "arguments",
    "args",
    "input",
    "parameters",
    "tool_kwargs",
    "server_tool_call",
];

/// `name(arguments)`, with escapes of letters decoded.
pub(super) fn call_of(name: &str, arguments: Option<&RawValue>) -> String {
    let arguments = arguments.map(|raw| string(raw).unwrap_or_else(|| raw.get().to_string()));
    let arguments = arguments.unwrap_or_default();
    format!("{name}({})", decode_unicode_escapes(&arguments))
}

/// What a tool answered, wherever its format has it.
pub(super) fn result_of(result: &Shape<'_>) -> Option<Content> {
    let body = result.get(&[
        "response",
        "result",
        "output",
        "content",
        "server_tool_call_response",
    ])?;
    let inner = Shape::of(body.get());
    // Vercel AI: {"type": "text", "value": ...}; Gemini: {"result": ...} or {"output": ...}.
    let nested = inner
        .as_ref()
        .and_then(|inner| inner.get(&["value", "result", "output"]));
    match (string(body), nested) {
        (Some(text), _) => Some(of_string(text)),
        (None, Some(value)) => Some(json_or_text(value)),
        (None, None) => match of_body(body)? {
            Content::Json(_) => Some(Content::Json(body.get().to_string())),
            content => Some(content),
        },
    }
}

pub(super) fn json_or_text(raw: &RawValue) -> Content {
    string(raw).map_or_else(|| Content::Json(raw.get().to_string()), Content::Text)
}

/// The call beside a body: listed, also as JSON text, or by its name (OpenInference).
pub(super) fn calls_beside(of: &Shape<'_>) -> Option<Content> {
    of.get(CALLS_BESIDE).and_then(of_calls).or_else(|| {
        let name = of.get(&["function_call_name"])?;
        let name = string(name).unwrap_or_else(|| name.get().to_string());
        let text = call_of(&name, of.get(&["function_call_arguments_json"]));
        Some(Content::ToolCalls(text))
    })
}

/// Calls listed beside a body (`tool_calls`), also as JSON text.
fn of_calls(calls: &RawValue) -> Option<Content> {
    if let Some(text) = string(calls) {
        return serde_json::from_str(&text)
            .ok()
            .filter(|raw: &&RawValue| raw.get().starts_with(['[', '{']))
            .and_then(of_calls);
    }
    // OpenAI's calls before there were several at a time.
    let listed = if calls.get().starts_with('{') {
        vec![calls]
    } else {
        items(calls.get())
    };
    if listed.is_empty() {
        return None;
    }
    let texts: Vec<String> = listed
        .iter()
        .filter_map(|call| Shape::of(call.get()))
        .map(|call| call_text(&call))
        .collect();
    Some(Content::ToolCalls(texts.join("\n")))
}
