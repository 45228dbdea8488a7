//! `chat_messages(inputs, outputs)`: the messages inside a span's payloads, behind view `messages`.
//!
//! Payloads are JSON text or plain text. Understood: OpenAI `messages` and `choices`, the Responses
//! API's `input` and `output`, OTel GenAI `parts`, Anthropic `system` and `content` blocks, Gemini
//! `contents` and `candidates`, LangChain `generations` and serialized messages, MLflow's
//! `{"messages": [..]}`, bare lists of messages, plain text. JSON of another shape has no messages.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, ListArray, StringBuilder, StringViewArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Deepest nesting of wrappers followed, such as a message inside `choices` inside `messages`.
const WRAPPERS_MAX: usize = 8;

/// The function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::sql) struct ChatMessages {
    signature: Signature,
}

impl Default for ChatMessages {
    fn default() -> Self {
        let text = DataType::Utf8View;
        Self { signature: Signature::exact(vec![text.clone(), text], Volatility::Immutable) }
    }
}

fn message_fields() -> Fields {
    Fields::from(vec![
        Field::new("direction", DataType::Utf8, false),
        Field::new("index", DataType::Int64, false),
        Field::new("role", DataType::Utf8, true),
        Field::new("content", DataType::Utf8, true),
    ])
}

impl ScalarUDFImpl for ChatMessages {
    fn name(&self) -> &str {
        "chat_messages"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Struct(message_fields()), true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let mut payloads = args.args.into_iter().map(|value| value.into_array(rows));
        let (Some(inputs), Some(outputs)) = (payloads.next(), payloads.next()) else {
            return datafusion::common::internal_err!("chat_messages takes two arguments");
        };
        let list = message_list(inputs?.as_string_view(), outputs?.as_string_view())?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// Columns of the messages of a batch, growing.
#[derive(Default)]
struct MessageColumns {
    direction: StringBuilder,
    index: Int64Builder,
    role: StringBuilder,
    content: StringBuilder,
    count: usize,
}

fn message_list(inputs: &StringViewArray, outputs: &StringViewArray) -> Result<ListArray> {
    let mut columns = MessageColumns::default();
    let mut lengths = Vec::with_capacity(inputs.len());
    for (input, output) in inputs.iter().zip(outputs.iter()) {
        let before = columns.count;
        columns.push_payload("input", input);
        columns.push_payload("output", output);
        lengths.push(columns.count - before);
    }
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(columns.direction.finish()),
        Arc::new(columns.index.finish()),
        Arc::new(columns.role.finish()),
        Arc::new(columns.content.finish()),
    ];
    let messages = StructArray::try_new(message_fields(), arrays, None)?;
    let item = Field::new_list_field(DataType::Struct(message_fields()), true);
    Ok(ListArray::try_new(Arc::new(item), OffsetBuffer::from_lengths(lengths), Arc::new(messages), None)?)
}

impl MessageColumns {
    fn push_payload(&mut self, direction: &str, payload: Option<&str>) {
        let Some(payload) = payload else { return };
        let mut messages = Vec::new();
        let default_role = if direction == "input" { "user" } else { "assistant" };
        decode_payload(payload, default_role, &mut messages);
        for (index, message) in messages.iter().enumerate() {
            self.direction.append_value(direction);
            self.index.append_value(index as i64);
            self.role.append_option(message.role.as_deref());
            self.content.append_option(message.content.as_deref());
            self.count += 1;
        }
    }
}

/// One message found.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    role: Option<String>,
    content: Option<String>,
}

/// The keys by which payloads and messages are told apart; other keys are not looked at.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Shape<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    parts: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    candidates: Option<&'a RawValue>,
    #[serde(borrow)]
    generations: Option<&'a RawValue>,
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
    #[serde(borrow)]
    instructions: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    kwargs: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn decode_payload(payload: &str, default_role: &str, messages: &mut Vec<Message>) {
    let trimmed = payload.trim_start();
    let is_structure = trimmed.starts_with(['{', '[']);
    match serde_json::from_str::<&RawValue>(payload) {
        Ok(raw) if is_structure => decode(raw.get(), default_role, 0, messages),
        Ok(raw) => push_text(string(raw).unwrap_or_else(|| payload.to_string()), default_role, messages),
        Err(_) => push_text(payload.to_string(), default_role, messages),
    }
}

fn push_text(text: String, role: &str, messages: &mut Vec<Message>) {
    messages.push(Message { role: Some(role.to_string()), content: Some(text) });
}

/// Finds messages in a JSON value that is a wrapper, a message, or a list of either.
fn decode(json: &str, default_role: &str, depth: usize, messages: &mut Vec<Message>) {
    if depth > WRAPPERS_MAX {
        return;
    }
    if json.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        for item in items.iter().filter(|item| item.get().starts_with(['{', '['])) {
            decode(item.get(), default_role, depth + 1, messages);
        }
        return;
    }
    let Ok(shape) = serde_json::from_str::<Shape>(json) else {
        return;
    };
    if let Some(message) = message_of(&shape, default_role) {
        messages.push(message);
        return;
    }
    decode_wrapper(&shape, default_role, depth, messages);
}

fn decode_wrapper(shape: &Shape, default_role: &str, depth: usize, messages: &mut Vec<Message>) {
    for instruction in [shape.system, shape.instructions].into_iter().flatten() {
        if let Some(text) = content_text(instruction) {
            push_text(text, "system", messages);
        }
    }
    let lists = [shape.messages, shape.message, shape.choices, shape.candidates, shape.generations];
    let contents = [shape.contents, shape.kwargs, shape.data, shape.input, shape.output, shape.prompt];
    // Gemini's candidates hold their message under `content`.
    let nested_content = shape.content.filter(|content| content.get().starts_with('{'));
    for value in lists.into_iter().chain(contents).chain([nested_content]).flatten() {
        match string(value) {
            Some(text) => push_text(text, default_role, messages),
            None => decode(value.get(), default_role, depth + 1, messages),
        }
    }
    let has_text_only = shape.message.is_none() && shape.kind.is_none();
    if let (true, Some(text)) = (has_text_only, shape.text.and_then(string)) {
        push_text(text, default_role, messages);
    }
}

/// The message that this object is, if it is one.
fn message_of(shape: &Shape, default_role: &str) -> Option<Message> {
    let body = shape.content.or(shape.parts).or(shape.tool_calls);
    let role = match (shape.role.and_then(string), shape.kind.and_then(string)) {
        (Some(role), _) => Some(plain_role(&role)),
        (None, Some(kind)) if is_message_kind(&kind) => Some(plain_role(&kind)),
        // Gemini's contents and GenAI messages may leave the role out.
        (None, _) if shape.parts.is_some() => Some(default_role.to_string()),
        _ => None,
    }?;
    // A serialized LangChain message keeps its content one level down.
    if body.is_none() && (shape.kwargs.is_some() || shape.data.is_some()) {
        let inner = shape.kwargs.or(shape.data)?;
        let inner: Shape = serde_json::from_str(inner.get()).ok()?;
        return Some(Message { role: Some(role), content: inner.content.and_then(content_text) });
    }
    let content = shape.content.or(shape.parts).and_then(content_text);
    let content = content.or_else(|| shape.text.and_then(string));
    let content = match (content, shape.tool_calls) {
        (Some(text), calls) if !text.is_empty() || calls.is_none() => Some(text),
        (_, Some(calls)) => Some(calls.get().to_string()),
        (content, None) => content,
    };
    Some(Message { role: Some(role), content })
}

fn is_message_kind(kind: &str) -> bool {
    matches!(kind, "human" | "ai" | "system" | "tool" | "user" | "assistant" | "AIMessageChunk")
}

fn plain_role(role: &str) -> String {
    match role {
        "human" => "user".to_string(),
        "ai" | "AIMessageChunk" | "model" => "assistant".to_string(),
        other => other.to_string(),
    }
}

/// Text of a message body: a string, the texts of text parts, else its JSON text.
fn content_text(body: &RawValue) -> Option<String> {
    if let Some(text) = string(body) {
        return Some(text);
    }
    let json = body.get();
    if json == "null" {
        return None;
    }
    let parts: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    let texts: Option<Vec<String>> = parts.iter().map(|part| part_text(part)).collect();
    match texts {
        Some(texts) if !texts.is_empty() => Some(texts.join("\n")),
        _ => Some(json.to_string()),
    }
}

/// Text of one part, when the part is nothing but text.
fn part_text(part: &RawValue) -> Option<String> {
    if let Some(text) = string(part) {
        return Some(text);
    }
    let shape: Shape = serde_json::from_str(part.get()).ok()?;
    match shape.kind.and_then(string).as_deref() {
        None | Some("text" | "input_text" | "output_text") => {
            shape.text.and_then(string).or_else(|| shape.content.and_then(string))
        }
        Some(_) => None,
    }
}

fn string(raw: &RawValue) -> Option<String> {
    if !raw.get().starts_with('"') {
        return None;
    }
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(payload: &str) -> Vec<(String, String)> {
        let mut messages = Vec::new();
        decode_payload(payload, "user", &mut messages);
        messages.into_iter().map(|m| (m.role.unwrap_or_default(), m.content.unwrap_or_default())).collect()
    }

    fn pair(role: &str, content: &str) -> (String, String) {
        (role.to_string(), content.to_string())
    }

    #[test]
    fn known_shapes_are_decoded() {
        let hi = vec![pair("user", "hi")];
        let cases = [
            r#"hi"#,
            r#""hi""#,
            r#"{"messages":[{"role":"user","content":"hi"}]}"#,
            r#"[{"role":"user","content":"hi"}]"#,
            r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#,
            r#"{"role":"user","content":[{"type":"text","text":"hi"}]}"#,
            r#"{"contents":[{"parts":[{"text":"hi"}],"role":"user"}]}"#,
            r#"{"messages":[[{"type":"human","content":"hi"}]]}"#,
            r#"{"messages":[[{"lc":1,"type":"human","kwargs":{"content":"hi"}}]]}"#,
            r#"{"choices":[{"index":0,"message":{"role":"user","content":"hi"}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"user"}}]}"#,
            r#"{"output":[{"type":"message","role":"user","content":[{"type":"output_text","text":"hi"}]}]}"#,
            r#"{"input":"hi"}"#,
            r#"{"prompt":"hi"}"#,
            r#"{"generations":[[{"text":"hi","message":{"type":"human","content":"hi"}}]]}"#,
        ];
        for case in cases {
            assert_eq!(decoded(case), hi, "{case}");
        }
    }

    #[test]
    fn structure_stays_json_text() {
        let calls = r#"[{"id":"1","function":{"name":"f","arguments":"{}"}}]"#;
        let payload = format!(
            r#"{{"choices":[{{"message":{{"role":"assistant","content":null,"tool_calls":{calls}}}}}]}}"#
        );
        assert_eq!(decoded(&payload), vec![pair("assistant", calls)]);
        let parts = r#"[{"type":"image","uri":"x"}]"#;
        assert_eq!(decoded(&format!(r#"{{"role":"user","content":{parts}}}"#)), vec![pair("user", parts)]);
        let anthropic = r#"{"system":"be kind","messages":[{"role":"user","content":"hi"}]}"#;
        assert_eq!(decoded(anthropic), vec![pair("system", "be kind"), pair("user", "hi")]);
    }

    #[test]
    fn other_json_has_no_messages() {
        for payload in [r#"{"city":"Paris"}"#, "[1,2]", "{}", "[]", r#"[{"name":"x"}]"#] {
            assert_eq!(decoded(payload), Vec::new(), "{payload}");
        }
    }
}
