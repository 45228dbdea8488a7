//! The tools called are the ones expected: the exact mode of MLflow's `ToolCallCorrectness`.
//!
//! Expected is a list of objects with `name` and, if it matters, `arguments` (an object). As in MLflow
//!
//! 1. arguments are compared only when every expected call has them (`arguments` says otherwise), and no arguments are
//!    the same as `{}`;
//! 2. calls are the same when names are, and arguments are as JSON: keys in any order, 1 is not 1.0;
//! 3. it passes when there are as many calls as expected, and
//!    - without `order`: the set of calls is the set expected, so a call that came twice stands for one that came once
//!      (unless `repeats`: then each as often as expected);
//!    - with `order`: each call is the one expected at its place.
//!
//! The value is the F1 of precision (part of the calls that were expected) and recall (part of the expected ones that were
//! called): each call counted as often as both have it, with `order` in the longest common order. 1 when none was expected
//! and none came; MLflow has no score for an empty list.
//!
//! Invariant: `passed` is MLflow's yes, whatever the value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::longest_common::longest_common;
use crate::{Item, Needs, Score, ScoreError, ScoreErrorKind, ToolCall};

/// The expectation that is looked for unless another is named.
const EXPECTED_TOOL_CALLS: &str = "expected_tool_calls";

/// Whether the tools called are the ones expected. Value: F1 of the calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolCalls {
    /// The order of the calls matters.
    pub order: bool,
    /// Arguments matter; when not said, they do if every expected call has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<bool>,
    /// Without `order`: each call must come as often as expected.
    pub repeats: bool,
    /// Name of the expectation, or a JSON pointer into all of them.
    pub expectation: String,
}

impl Default for ToolCalls {
    fn default() -> Self {
        Self {
            order: false,
            arguments: None,
            repeats: false,
            expectation: EXPECTED_TOOL_CALLS.to_owned(),
        }
    }
}

impl ToolCalls {
    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_expectation(&self.expectation)?;
        Ok(Box::new(self.clone()))
    }

    fn expected(&self, item: &Item) -> Result<Vec<Expected>, ScoreError> {
        let found = answer::expected(item, &self.expectation)?;
        // Some keep the list as a text.
        let read = found
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok());
        let found: &Value = read.as_ref().unwrap_or(found);
        let list = found.as_array().map(|list| list.iter().map(expected_call));
        let calls = list.map(Iterator::collect::<Option<Vec<_>>>);
        calls.flatten().ok_or_else(|| {
            let message = format!(
                "expectation `{}` must be a list of objects with `name`, a text, and perhaps `arguments`, an object, \
                 not {found}",
                self.expectation
            );
            ScoreError::new(ScoreErrorKind::Unreadable, message)
        })
    }

    fn passes(&self, called: &[u32], expected: &[u32]) -> bool {
        let sorted = |numbers: &[u32], once: bool| {
            let mut sorted = numbers.to_vec();
            sorted.sort_unstable();
            if once {
                sorted.dedup();
            }
            sorted
        };
        let once = !self.repeats;
        called.len() == expected.len()
            && match self.order {
                true => called == expected,
                false => sorted(called, once) == sorted(expected, once),
            }
    }
}

struct Expected {
    name: String,
    arguments: Option<Map<String, Value>>,
}

/// A call that is expected; benchmarks of agents say `kwargs` for its arguments.
fn expected_call(value: &Value) -> Option<Expected> {
    let arguments = match value.get("arguments").or_else(|| value.get("kwargs")) {
        None | Some(Value::Null) => None,
        Some(arguments) => Some(arguments.as_object()?.clone()),
    };
    Some(Expected {
        name: value.get("name")?.as_str()?.to_owned(),
        arguments,
    })
}

/// A call as text: equal texts are equal calls.
fn signature(name: &str, arguments: Option<&Map<String, Value>>, with_arguments: bool) -> String {
    match (with_arguments, arguments) {
        (false, _) => name.to_owned(),
        (true, None) => format!("{name}({{}})"),
        (true, Some(arguments)) => format!("{name}({})", sorted(arguments)),
    }
}

/// An object as JSON with its keys in order at every depth, whatever the map keeps.
fn sorted(object: &Map<String, Value>) -> String {
    let ordered: BTreeMap<&String, String> = object
        .iter()
        .map(|(key, value)| (key, sorted_value(value)))
        .collect();
    let pairs = ordered
        .into_iter()
        .map(|(key, value)| format!("{}: {value}", Value::from(key.as_str())));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

fn sorted_value(value: &Value) -> String {
    match value {
        Value::Object(object) => sorted(object),
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(sorted_value).collect();
            format!("[{}]", list.join(", "))
        }
        plain => plain.to_string(),
    }
}

/// The call that came; arguments that are a text holding an object are that object.
fn called_signature(call: &ToolCall, with_arguments: bool) -> String {
    match &call.arguments {
        Value::Object(arguments) => signature(&call.name, Some(arguments), with_arguments),
        Value::Null => signature(&call.name, None, with_arguments),
        Value::String(text) if with_arguments => match serde_json::from_str(text) {
            Ok(Value::Object(arguments)) => signature(&call.name, Some(&arguments), true),
            _ => format!("{}({})", call.name, call.arguments),
        },
        other if with_arguments => format!("{}({other})", call.name),
        _ => call.name.clone(),
    }
}

/// Numbers for signatures: equal ones have the same.
fn numbered(called: &[String], expected: &[String]) -> (Vec<u32>, Vec<u32>, usize) {
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut number = |text| {
        let next = numbers.len() as u32;
        *numbers.entry(text).or_insert(next)
    };
    let called = called.iter().map(|text| number(text)).collect();
    let expected = expected.iter().map(|text| number(text)).collect();
    (called, expected, numbers.len())
}

/// How many calls both have, each as often as both.
fn shared(called: &[u32], expected: &[u32], bound: usize) -> usize {
    let mut left = vec![0usize; bound];
    for &number in expected {
        left.iter_mut()
            .skip(number as usize)
            .take(1)
            .for_each(|count| *count += 1);
    }
    let took = called
        .iter()
        .filter(|&&number| match left.get_mut(number as usize) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        });
    took.count()
}

/// Calls of one list that the other lacks, each once, in the order of the list.
fn lacking<'a>(of: &'a [String], other: &[String]) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for call in of {
        if !other.contains(call) && !found.contains(&call.as_str()) {
            found.push(call);
        }
    }
    found
}

fn rationale(called: &[String], expected: &[String], order: bool) -> String {
    let mut parts = Vec::new();
    if called.len() != expected.len() {
        parts.push(format!(
            "expected {} calls, got {}",
            expected.len(),
            called.len()
        ));
    }
    if order && parts.is_empty() {
        let mut pairs = called.iter().zip(expected).enumerate();
        if let Some((place, (got, wanted))) = pairs.find(|(_, (got, wanted))| got != wanted) {
            parts.push(format!("call {}: expected {wanted}, got {got}", place + 1));
        }
    }
    for (word, calls) in [
        ("missing", lacking(expected, called)),
        ("not expected", lacking(called, expected)),
    ] {
        if !calls.is_empty() {
            parts.push(format!("{word}: {}", calls.join(", ")));
        }
    }
    if parts.is_empty() {
        parts.push("the same calls, but not as often each".to_owned());
    }
    parts.join("; ")
}

impl Check for ToolCalls {
    fn needs(&self) -> Needs {
        Needs {
            spans: true,
            ..Needs::default()
        }
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let wanted = self.expected(item)?;
        let all_have = wanted.iter().all(|call| call.arguments.is_some());
        let with_arguments = self.arguments.unwrap_or(all_have);
        let expected: Vec<String> = wanted
            .iter()
            .map(|call| signature(&call.name, call.arguments.as_ref(), with_arguments))
            .collect();
        let called: Vec<String> = item
            .tool_calls
            .iter()
            .map(|call| called_signature(call, with_arguments))
            .collect();
        let (called_numbers, expected_numbers, bound) = numbered(&called, &expected);
        let passed = self.passes(&called_numbers, &expected_numbers);
        let common = match self.order {
            true => longest_common(&expected_numbers, &called_numbers, bound),
            false => shared(&called_numbers, &expected_numbers, bound),
        };
        let all = called.len() + expected.len();
        let f1 = if all == 0 {
            1.0
        } else {
            2.0 * common as f64 / all as f64
        };
        Ok(Score {
            passed: Some(passed),
            rationale: (!passed).then(|| {
                format!(
                    "{} (precision {common}/{}, recall {common}/{})",
                    rationale(&called, &expected, self.order),
                    called.len(),
                    expected.len()
                )
            }),
            ..Score::measure(f1)
        })
    }
}
