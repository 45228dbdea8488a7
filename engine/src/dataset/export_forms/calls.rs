//! Calls of tools out of what a person reads (`name({"a": 1})`), and the ids of calls and answers in a payload.

use serde_json::Value;
use serde_json::value::RawValue;

use super::super::json::compact;
use super::turn::Call;

/// Keys of the id of a call in the answer to it, best first.
const ANSWER_IDS: [&str; 5] = [
    "tool_call_id",
    "tool_use_id",
    "toolUseId",
    "toolCallId",
    "call_id",
];
const CALL_IDS: [&str; 5] = ["call_id", "toolUseId", "toolCallId", "tool_call_id", "id"];
const NAMES: [&str; 4] = ["name", "toolName", "tool_name", "function"];
const ARGUMENTS: [&str; 5] = ["arguments", "args", "input", "parameters", "function"];
const ANSWERS: [&str; 4] = ["response", "result", "output", "content"];
/// OpenTelemetry's and Gemini's answers have these, and name their call by a bare `id`.
const ANSWERS_BY_ID: [&str; 2] = ["response", "result"];

/// The calls of a text that has one a line, without ids; `None` when one of them gives no JSON object.
pub(super) fn read(text: &str) -> Option<Vec<Call>> {
    let mut calls = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('(')?;
        let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
        let (arguments, after) = match after.strip_prefix(')') {
            Some(after) => ("{}".to_string(), after),
            None => object(after)?,
        };
        calls.push(Call {
            name: Some(name.to_string()).filter(|_| is_name)?,
            arguments,
            id: String::new(),
        });
        if after.is_empty() {
            return Some(calls);
        }
        rest = after.strip_prefix('\n')?;
    }
}

/// The JSON object that a text begins with, and what follows its closing bracket.
fn object(text: &str) -> Option<(String, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let object = values.next()?.ok()?.get();
    let after = text.get(values.byte_offset()..)?;
    let after = after.trim_start().strip_prefix(')')?;
    let arguments = compact(object).filter(|json| json.starts_with('{'))?;
    Some((arguments, after))
}

/// Ids in the order of a payload.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Those of calls, each once: some formats say a call twice.
    pub calls: Vec<String>,
    /// Those of the calls that tools answer.
    pub answers: Vec<String>,
}

/// The ids of a payload that is JSON.
pub(super) fn ids(json: &str) -> Ids {
    let mut ids = Ids::default();
    if let Ok(value) = serde_json::from_str(json) {
        collect(&value, &mut ids);
    }
    ids
}

// As deep as `serde_json` reads, which has its limit.
fn collect(value: &Value, ids: &mut Ids) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, ids)),
        Value::Object(object) => {
            let has = |keys: &[&str]| {
                let mut values = keys.iter().filter_map(|key| object.get(*key));
                values.any(|value| !value.is_null())
            };
            let id = |keys: &[&str]| {
                let mut ids = keys.iter().filter_map(|key| object.get(*key)?.as_str());
                ids.next().map(str::to_string)
            };
            if let Some(id) = id(&CALL_IDS).filter(|_| has(&NAMES) && has(&ARGUMENTS)) {
                if !ids.calls.contains(&id) {
                    ids.calls.push(id);
                }
                return;
            }
            let by_id = || id(&["id"]).filter(|_| has(&ANSWERS_BY_ID));
            let answer = id(&ANSWER_IDS).filter(|_| has(&ANSWERS)).or_else(by_id);
            match answer {
                Some(id) => ids.answers.push(id),
                None => object.values().for_each(|value| collect(value, ids)),
            }
        }
        _ => {}
    }
}
