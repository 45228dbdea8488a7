//! The variables of prompts: what of an item they are, and what an item must have for them.

use serde_json::{Value, json};

use super::fence::fenced;
use crate::{Item, Needs, ScoreError, ScoreErrorKind};

/// What a prompt takes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    Inputs,
    Outputs,
    Expectations,
    Documents,
    Conversation,
    Trace,
    /// Inputs when there are any, else nothing.
    InputsIfAny,
    /// Outputs, or the conversation when there are none.
    Answer,
    /// `expected_response`, `expected_facts` or both.
    Expected,
    /// The expectation `guidelines`.
    Guidelines,
}

/// Those that a template may name.
pub(crate) const NAMED: [(&str, Variable); 6] = [
    ("inputs", Variable::Inputs),
    ("outputs", Variable::Outputs),
    ("expectations", Variable::Expectations),
    ("documents", Variable::Documents),
    ("conversation", Variable::Conversation),
    ("trace", Variable::Trace),
];

impl Variable {
    pub fn needs(self) -> Needs {
        let none = Needs::default();
        match self {
            Self::Inputs | Self::InputsIfAny | Self::Outputs => Needs {
                texts: true,
                ..none
            },
            Self::Expectations | Self::Expected | Self::Guidelines => none,
            Self::Documents => Needs {
                spans: true,
                ..none
            },
            Self::Conversation => Needs {
                messages: true,
                ..none
            },
            Self::Answer => Needs {
                texts: true,
                messages: true,
                ..none
            },
            Self::Trace => Needs {
                texts: true,
                spans: true,
                messages: true,
            },
        }
    }

    /// The block of the item's content.
    pub fn block(self, item: &Item) -> Result<String, ScoreError> {
        match self {
            Self::Inputs => part("inputs", inputs(item)),
            Self::InputsIfAny => {
                Ok(inputs(item).map_or_else(String::new, |x| fenced("inputs", &x)))
            }
            Self::Outputs => part("outputs", outputs(item)),
            Self::Answer => match outputs(item) {
                Some(text) => Ok(fenced("outputs", &text)),
                None if item.messages.is_empty() => part("outputs", None),
                None => part("conversation", conversation(item)),
            },
            Self::Expectations => part("expectations", expectations(item)),
            Self::Documents => documents(item),
            Self::Conversation => part("conversation", conversation(item)),
            Self::Trace => Ok(fenced("trace", &trace(item))),
            Self::Expected => expected(item),
            Self::Guidelines => guidelines(item),
        }
    }
}

/// A numbered list.
pub(crate) fn numbered(texts: &[String]) -> String {
    let lines: Vec<String> = (1..)
        .zip(texts)
        .map(|(n, text)| format!("{n}. {text}"))
        .collect();
    lines.join("\n")
}

fn part(name: &str, content: Option<String>) -> Result<String, ScoreError> {
    let missing = || missing(format!("the item has no {name}, which the judge reads"));
    content.map(|text| fenced(name, &text)).ok_or_else(missing)
}

fn missing(message: impl Into<String>) -> ScoreError {
    ScoreError::new(ScoreErrorKind::Missing, message)
}

fn inputs(item: &Item) -> Option<String> {
    text_or_json(item.input_text.as_ref(), item.inputs.as_ref())
}

fn outputs(item: &Item) -> Option<String> {
    text_or_json(item.output_text.as_ref(), item.outputs.as_ref())
}

fn text_or_json(text: Option<&String>, value: Option<&Value>) -> Option<String> {
    text.cloned()
        .or_else(|| value.filter(|value| !value.is_null()).map(plain))
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn expectations(item: &Item) -> Option<String> {
    let all = &item.expectations;
    (!all.is_empty()).then(|| Value::Object(all.clone()).to_string())
}

/// A line of JSON for each turn: what a turn says cannot look like another turn.
fn conversation(item: &Item) -> Option<String> {
    let turns = item.messages.iter();
    let lines: Vec<String> = turns
        .map(|turn| json!({"role": turn.role, "text": turn.text}).to_string())
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn documents(item: &Item) -> Result<String, ScoreError> {
    if item.documents.is_empty() {
        return part("documents", None);
    }
    let blocks = (1..).zip(&item.documents);
    let blocks: Vec<String> = blocks
        .map(|(n, text)| fenced(&format!("document {n}"), text))
        .collect();
    Ok(blocks.join("\n"))
}

fn trace(item: &Item) -> String {
    let told = json!({
        "inputs": item.inputs.clone().or_else(|| item.input_text.clone().map(Value::String)),
        "outputs": item.outputs.clone().or_else(|| item.output_text.clone().map(Value::String)),
        "messages": item.messages,
        "tool_calls": item.tool_calls,
        "documents": item.documents,
        "duration_ms": item.duration_ns.map(|ns| ns as f64 / 1e6),
        "total_tokens": item.total_tokens,
        "cost_usd": item.cost_usd,
    });
    told.to_string()
}

fn expected(item: &Item) -> Result<String, ScoreError> {
    let mut blocks = Vec::new();
    if let Some(response) = item
        .expectations
        .get("expected_response")
        .filter(|x| !x.is_null())
    {
        blocks.push(fenced("expected response", &plain(response)));
    }
    if let Some(facts) = item
        .expectations
        .get("expected_facts")
        .filter(|x| !x.is_null())
    {
        blocks.push(fenced(
            "expected facts",
            &numbered(&texts("expected_facts", facts)?),
        ));
    }
    match blocks.is_empty() {
        true => Err(missing(
            "the item has neither expectation, expected_response or expected_facts",
        )),
        false => Ok(blocks.join("\n")),
    }
}

fn guidelines(item: &Item) -> Result<String, ScoreError> {
    match item
        .expectations
        .get("guidelines")
        .filter(|value| !value.is_null())
    {
        Some(value) => Ok(fenced(
            "guidelines",
            &numbered(&texts("guidelines", value)?),
        )),
        None => Err(missing(
            "the judge has no guidelines, and the item has no expectation guidelines",
        )),
    }
}

/// A text, or a list of texts, at least one.
fn texts(name: &str, value: &Value) -> Result<Vec<String>, ScoreError> {
    let found: Option<Vec<String>> = match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values
            .iter()
            .map(|x| x.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    found.filter(|texts| !texts.is_empty()).ok_or_else(|| {
        let message = format!("the expectation {name} is no text and no list of texts");
        ScoreError::new(ScoreErrorKind::Unreadable, message)
    })
}
