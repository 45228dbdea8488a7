//! The verdict in an answer: a value of the output's type, and why.
//!
//! Besides the type itself are taken: `"true"`, `"yes"`, `"false"`, `"no"` for a boolean, a number in a string, a category
//! in other case. A number out of range and an unknown category are errors, not brought near.

use serde_json::{Number, Value};

use super::super::ask::OutputType;
use super::object::last_object_with;

/// What a judge said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub value: Value,
    pub passed: Option<bool>,
    pub rationale: Option<String>,
}

/// Reads an answer. The error says what of it is wrong, so that the model can be told.
pub(crate) fn read(text: &str, output: &OutputType) -> Result<Verdict, String> {
    let object = last_object_with(text, "value")?;
    let value = object.get("value").unwrap_or(&Value::Null);
    let (value, passed) = match output {
        OutputType::Boolean => boolean(value).map(|x| (Value::Bool(x), Some(x)))?,
        OutputType::Number {
            min,
            max,
            pass_from,
        } => {
            let number = number(value, *min, *max)?;
            let passed = pass_from.zip(number.as_f64()).map(|(pass, x)| x >= pass);
            (Value::Number(number), passed)
        }
        OutputType::Category { categories, pass } => {
            let word = category(value, categories)?;
            let passed = (!pass.is_empty()).then(|| pass.contains(word));
            (Value::String(word.clone()), passed)
        }
        OutputType::Text => match value {
            Value::String(text) => (Value::String(text.clone()), None),
            other => return Err(format!("\"value\" is {}, not a text", start_of(other))),
        },
    };
    let rationale = rationale(object.get("rationale"));
    Ok(Verdict {
        value,
        passed,
        rationale,
    })
}

fn boolean(value: &Value) -> Result<bool, String> {
    let word = value.as_str().map(|text| text.trim().to_lowercase());
    match (value, word.as_deref()) {
        (Value::Bool(value), _) => Ok(*value),
        (_, Some("true" | "yes")) => Ok(true),
        (_, Some("false" | "no")) => Ok(false),
        _ => Err(format!(
            "\"value\" is {}, neither true nor false",
            start_of(value)
        )),
    }
}

fn number(value: &Value, min: f64, max: f64) -> Result<Number, String> {
    let number = match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => serde_json::from_str(text.trim()).ok(),
        _ => None,
    };
    let in_range = |number: &Number| number.as_f64().is_some_and(|x| (min..=max).contains(&x));
    number.filter(in_range).ok_or_else(|| {
        format!(
            "\"value\" is {}, not a number from {min} to {max}",
            start_of(value)
        )
    })
}

fn category<'a>(value: &Value, categories: &'a [String]) -> Result<&'a String, String> {
    let word = value.as_str().map(|text| text.trim().to_lowercase());
    let found = categories
        .iter()
        .find(|known| Some(known.to_lowercase()) == word);
    found.ok_or_else(|| format!("\"value\" is {}, none of {categories:?}", start_of(value)))
}

fn rationale(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.trim().to_owned()),
        other => Some(other.to_string()),
    }
}

fn start_of(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
