//! The answer is what was expected.
//!
//! 1. The answer's text and the expectation's text are compared, with the options.
//! 2. When they differ and the expectation is JSON (it is no text, or its text reads as JSON), it is compared by value with
//!    the outputs (or the field of them) and with the answer's text read as JSON: keys in any order, 1 equal to 1.0,
//!    texts in them by the same options.
//!
//! Invariant: the defaults ignore nothing but the form of JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::{TEXTS, short};
use crate::{Item, Needs, Score, ScoreError, ScoreErrorKind};

/// Whether the answer is equal to what was expected. Value: a boolean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExactMatch {
    /// Name of the expectation, or a JSON pointer into all of them.
    pub expectation: String,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// White space around both is ignored.
    pub trim: bool,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
    /// The expectation is a list, of which one is enough.
    pub any_of: bool,
}

impl Default for ExactMatch {
    fn default() -> Self {
        Self {
            expectation: answer::expected_response(),
            field: None,
            trim: false,
            ignore_case: false,
            any_of: false,
        }
    }
}

impl ExactMatch {
    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        answer::check_expectation(&self.expectation)?;
        Ok(Box::new(self.clone()))
    }

    fn same_text(&self, left: &str, right: &str) -> bool {
        let (left, right) = match self.trim {
            true => (left.trim(), right.trim()),
            false => (left, right),
        };
        match self.ignore_case {
            true if left.is_ascii() && right.is_ascii() => left.eq_ignore_ascii_case(right),
            true => left.to_lowercase() == right.to_lowercase(),
            false => left == right,
        }
    }

    fn same_value(&self, left: &Value, right: &Value) -> bool {
        match (left, right) {
            (Value::String(left), Value::String(right)) => self.same_text(left, right),
            (Value::Number(left), Value::Number(right)) => {
                left == right || (left.as_f64() == right.as_f64() && !(whole(left) && whole(right)))
            }
            (Value::Array(left), Value::Array(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(a, b)| self.same_value(a, b))
            }
            (Value::Object(left), Value::Object(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, value)| {
                        let other = right.get(key);
                        other.is_some_and(|other| self.same_value(value, other))
                    })
            }
            (left, right) => left == right,
        }
    }

    fn matches(&self, item: &Item, text: &str, expected: &Value) -> bool {
        if self.same_text(text, &answer::text_of(expected)) {
            return true;
        }
        let Some(expected) = as_json(expected) else {
            return false;
        };
        let value = answer::value(item, self.field.as_deref()).ok();
        value.is_some_and(|value| self.same_value(&value, &expected))
            || read_json(text).is_some_and(|value| self.same_value(&value, &expected))
    }
}

/// Whole numbers are compared as such: beyond 2^53 several are the same float.
fn whole(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64()
}

fn as_json(value: &Value) -> Option<Cow<'_, Value>> {
    match value {
        Value::String(text) => read_json(text).map(Cow::Owned),
        value => Some(Cow::Borrowed(value)),
    }
}

/// A text as JSON; most texts are seen not to be by their first byte.
fn read_json(text: &str) -> Option<Value> {
    let first = text.trim_start().bytes().next()?;
    if !matches!(
        first,
        b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'
    ) {
        return None;
    }
    serde_json::from_str(text).ok()
}

impl Check for ExactMatch {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let expected = answer::expected(item, &self.expectation)?;
        let text = answer::text(item, self.field.as_deref())?;
        let passed = match (self.any_of, expected) {
            (false, expected) => self.matches(item, &text, expected),
            (true, Value::Array(list)) => list.iter().any(|one| self.matches(item, &text, one)),
            (true, other) => {
                let message = format!(
                    "expectation `{}` must be a list with `any_of`, not {other}",
                    self.expectation
                );
                return Err(ScoreError::new(ScoreErrorKind::Unreadable, message));
            }
        };
        Ok(Score::verdict(passed, || {
            let expected = answer::text_of(expected);
            format!("expected {}, got {}", short(&expected), short(&text))
        }))
    }
}
