//! What is read as an item's answer, and what as expected. All rules read both through here.
//!
//! **The answer's text** is
//! 1. with a `field`: what that JSON pointer finds in the outputs (outputs that are a text holding JSON are read as that
//!    JSON first), a text as it is, anything else as compact JSON. The pointer `""` is the outputs themselves;
//! 2. else `output_text`, when the item has it;
//! 3. else the outputs: a text as it is, anything else as compact JSON.
//!
//! **What is expected** is found in the expectations by name (`expected_response` unless said), or by a JSON pointer into
//! all of them, when the name starts with `/`.
//!
//! Invariants
//! 1. Outputs, fields and expectations that are not there, or are null, are an error of kind `Missing` that says what was
//!    looked for; an empty text is an answer.
//! 2. Nothing is copied where it can be borrowed.

use std::borrow::Cow;

use serde_json::Value;

use super::error::SpecError;
use crate::{Item, ScoreError, ScoreErrorKind};

/// The expectation that is looked for unless another is named.
pub const EXPECTED_RESPONSE: &str = "expected_response";

/// The text of the answer, as the head of this file says.
///
/// ```
/// use serde_json::json;
/// use tracehouse_eval::{Item, scorer::answer};
///
/// let item = Item { outputs: Some(json!({"answer": "Paris", "score": 1})), ..Item::default() };
/// assert_eq!(answer::text(&item, None).unwrap(), r#"{"answer":"Paris","score":1}"#);
/// assert_eq!(answer::text(&item, Some("/answer")).unwrap(), "Paris");
/// assert!(answer::text(&item, Some("/reply")).is_err());
/// ```
///
/// # Errors
/// `Missing` when there are no outputs, or no such field in them.
pub fn text<'a>(item: &'a Item, field: Option<&str>) -> Result<Cow<'a, str>, ScoreError> {
    match (field, &item.output_text) {
        (None, Some(text)) => Ok(Cow::Borrowed(text)),
        _ => Ok(match value(item, field)? {
            Cow::Borrowed(value) => text_of(value),
            Cow::Owned(Value::String(text)) => Cow::Owned(text),
            Cow::Owned(value) => Cow::Owned(value.to_string()),
        }),
    }
}

/// The outputs as they are, or what the field finds in them.
///
/// # Errors
/// `Missing` when there are no outputs, or no such field in them.
pub fn value<'a>(item: &'a Item, field: Option<&str>) -> Result<Cow<'a, Value>, ScoreError> {
    let outputs = match &item.outputs {
        Some(Value::Null) => return Err(missing("an output: outputs are null")),
        Some(outputs) => outputs,
        None => return Err(missing("an output: the item has no outputs")),
    };
    let Some(pointer) = field.filter(|pointer| !pointer.is_empty()) else {
        return Ok(Cow::Borrowed(outputs));
    };
    let found = match outputs {
        Value::String(text) => inside(text, pointer).map(Cow::Owned),
        _ => outputs.pointer(pointer).map(Cow::Borrowed),
    };
    found
        .filter(|value| !value.is_null())
        .ok_or_else(|| missing(&format!("field `{pointer}` in the outputs")))
}

fn inside(text: &str, pointer: &str) -> Option<Value> {
    let mut whole: Value = serde_json::from_str(text).ok()?;
    whole.pointer_mut(pointer).map(Value::take)
}

/// What was expected under a name, or under a JSON pointer into all expectations.
///
/// # Errors
/// `Missing` when there is no such expectation or it is null; the message lists the ones there are.
pub fn expected<'a>(item: &'a Item, name: &str) -> Result<&'a Value, ScoreError> {
    let found = match name.strip_prefix('/') {
        None => item.expectations.get(name),
        Some(rest) => {
            let (first, inner) = match rest.find('/') {
                Some(at) => rest.split_at(at),
                None => (rest, ""),
            };
            let first = first.replace("~1", "/").replace("~0", "~");
            let top = item.expectations.get(&first);
            top.and_then(|value| value.pointer(inner))
        }
    };
    found.filter(|value| !value.is_null()).ok_or_else(|| {
        let names: Vec<&str> = item.expectations.keys().map(String::as_str).collect();
        let has = match names.as_slice() {
            [] => "the item has none".to_owned(),
            names => format!("the item has {}", names.join(", ")),
        };
        missing(&format!("expectation `{name}`: {has}"))
    })
}

/// Texts to compare with: a text is one, a list of texts are that many.
///
/// # Errors
/// `Missing` as [`expected`]; `Unreadable` for an empty list or a list with something else in it. Any other JSON is one
/// text, its compact form.
pub fn expected_texts<'a>(item: &'a Item, name: &str) -> Result<Vec<Cow<'a, str>>, ScoreError> {
    let found = expected(item, name)?;
    let Value::Array(list) = found else {
        return Ok(vec![text_of(found)]);
    };
    let texts: Option<Vec<_>> = list
        .iter()
        .map(|value| value.as_str().map(Cow::Borrowed))
        .collect();
    texts.filter(|texts| !texts.is_empty()).ok_or_else(|| {
        ScoreError::new(
            ScoreErrorKind::Unreadable,
            format!("expectation `{name}` must be a text or a list of texts, not {found}"),
        )
    })
}

/// A text as it is, anything else as compact JSON.
pub fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        value => Cow::Owned(value.to_string()),
    }
}

/// An error of kind `Missing`: what was looked for.
pub(super) fn missing(what: &str) -> ScoreError {
    ScoreError::new(ScoreErrorKind::Missing, format!("looked for {what}"))
}

/// That a field is a JSON pointer.
pub(super) fn check_field(field: Option<&str>) -> Result<(), SpecError> {
    match field {
        Some(field) if !field.is_empty() && !field.starts_with('/') => Err(SpecError::new(
            format!("field `{field}` is no JSON pointer; `/{field}` would be"),
        )),
        _ => Ok(()),
    }
}

/// That the name of an expectation is one.
pub(super) fn check_expectation(name: &str) -> Result<(), SpecError> {
    match name {
        "" | "/" => Err(SpecError::new(
            "expectation has no name; leave it out for `expected_response`",
        )),
        _ => Ok(()),
    }
}

/// For serde: `expected_response`.
pub(super) fn expected_response() -> String {
    EXPECTED_RESPONSE.to_owned()
}
