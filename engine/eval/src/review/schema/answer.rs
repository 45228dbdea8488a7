//! Whether an answer answers a schema.
//!
//! **Invariants**
//! 1. An answer with any fault is refused whole, and every fault is told.
//! 2. Chosen options are kept in the order of the schema, so that equal choices are equal values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::super::error::AnswerFault;
use super::label::{Label, LabelKind, LabelSchema};
use crate::prompt::kind_of;

/// Up to here every whole number is a number of its own in JSON: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A typed answer to one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum LabelValue {
    /// To a boolean.
    Boolean(bool),
    /// To a category with one choice.
    Category(String),
    /// To a category with several choices, in the order of the options; may be empty.
    Categories(Vec<String>),
    /// To a whole number.
    Integer(i64),
    /// To a number.
    Number(f64),
    /// To a text.
    Text(String),
}

impl LabelValue {
    /// The plain JSON value: what an assessment holds.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Boolean(value) => Value::Bool(*value),
            Self::Category(text) | Self::Text(text) => Value::from(text.as_str()),
            Self::Categories(chosen) => chosen.iter().map(String::as_str).collect(),
            Self::Integer(value) => Value::from(*value),
            Self::Number(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        }
    }

    /// The value as a number; none when it is not one.
    pub fn number(&self) -> Option<f64> {
        match self {
            // Whole numbers are at most 2^53, so nothing is lost.
            #[allow(clippy::cast_precision_loss)]
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            _ => None,
        }
    }
}

/// Checks an answer, by name of label. A label that is `null` or absent is not answered.
///
/// # Errors
/// All faults: names that are no label, required labels without an answer, values of the wrong kind or out of range,
/// and an answer that answers nothing.
///
/// ```
/// use serde_json::json;
/// use tracehouse_eval::review::{LabelSchema, LabelValue, check_answer};
///
/// let schema = LabelSchema::parse(r#"[{"name": "stars", "kind": "number", "min": 1, "max": 5, "integer": true}]"#)?;
/// let answer = json!({"stars": 4}).as_object().cloned().unwrap_or_default();
/// assert_eq!(check_answer(&schema, &answer).unwrap()["stars"], LabelValue::Integer(4));
/// # Ok::<(), tracehouse_eval::review::ReviewError>(())
/// ```
pub fn check_answer(
    schema: &LabelSchema,
    answer: &Map<String, Value>,
) -> Result<BTreeMap<String, LabelValue>, Vec<AnswerFault>> {
    let mut values = BTreeMap::new();
    let mut faults = Vec::new();
    for label in schema.labels() {
        match check_label(label, answer.get(&label.name)) {
            Ok(Some(value)) => {
                values.insert(label.name.clone(), value);
            }
            Ok(None) => {}
            Err(fault) => faults.push(fault),
        }
    }
    faults.extend(unknown_labels(schema, answer));
    if values.is_empty() && faults.is_empty() {
        let message = "answers no label: answer at least one, or skip the item";
        faults.push(AnswerFault::new("answer", message));
    }
    if faults.is_empty() {
        Ok(values)
    } else {
        Err(faults)
    }
}

/// The answer to one label; none when it is not answered and need not be.
fn check_label(label: &Label, value: Option<&Value>) -> Result<Option<LabelValue>, AnswerFault> {
    let fault = |what: String| {
        let message = format!("is {what}: it must be {}", wanted(label));
        AnswerFault::new(format!("label {:?}", label.name), message)
    };
    match value.filter(|value| !value.is_null()) {
        None if label.required => Err(fault("not answered".to_owned())),
        None => Ok(None),
        Some(value) => match typed(&label.kind, value) {
            Some(value) => Ok(Some(value)),
            None => Err(fault(shown(value))),
        },
    }
}

fn unknown_labels(schema: &LabelSchema, answer: &Map<String, Value>) -> Vec<AnswerFault> {
    let mut unknown: Vec<&String> = answer
        .keys()
        .filter(|name| schema.label(name).is_err())
        .collect();
    unknown.sort();
    let message = format!("is none of the schema: the labels are {}", schema.names());
    let fault = |name| AnswerFault::new(format!("label {name:?}"), message.as_str());
    unknown.into_iter().map(fault).collect()
}

/// The value as the label wants it; none when it does not fit.
fn typed(kind: &LabelKind, value: &Value) -> Option<LabelValue> {
    match kind {
        LabelKind::Boolean => value.as_bool().map(LabelValue::Boolean),
        LabelKind::Category { options, multiple } => {
            if *multiple {
                return chosen(options, value).map(LabelValue::Categories);
            }
            let text = value.as_str()?;
            let is_option = options.iter().any(|option| option == text);
            is_option.then(|| LabelValue::Category(text.to_owned()))
        }
        LabelKind::Number { min, max, integer } => {
            let number = value.as_f64()?;
            let is_inside =
                min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max);
            if !is_inside {
                return None;
            }
            if *integer {
                whole(number).map(LabelValue::Integer)
            } else {
                Some(LabelValue::Number(number))
            }
        }
        LabelKind::Text { length_max } => {
            let text = value.as_str()?;
            let length = u64::try_from(text.chars().count()).ok()?;
            let fits = !text.trim().is_empty() && length_max.is_none_or(|max| length <= max);
            fits.then(|| LabelValue::Text(text.to_owned()))
        }
    }
}

fn chosen(options: &[String], value: &Value) -> Option<Vec<String>> {
    let given = value.as_array()?;
    let chosen: Vec<String> = options
        .iter()
        .filter(|option| given.iter().any(|item| item.as_str() == Some(option)))
        .cloned()
        .collect();
    // Fewer are found when one was given twice or is no option.
    (chosen.len() == given.len()).then_some(chosen)
}

fn whole(number: f64) -> Option<i64> {
    if number.fract() != 0.0 || number.abs() > WHOLE_MAX {
        return None;
    }
    // Whole and at most 2^53, so nothing is cut off.
    #[allow(clippy::cast_possible_truncation)]
    Some(number as i64)
}

fn wanted(label: &Label) -> String {
    match &label.kind {
        LabelKind::Boolean => "true or false".to_owned(),
        LabelKind::Category { options, multiple } => {
            let options = options.join(", ");
            let how = if *multiple {
                "a list of different ones of"
            } else {
                "one of"
            };
            format!("{how} {options}")
        }
        LabelKind::Number { min, max, integer } => {
            let what = if *integer {
                "a whole number"
            } else {
                "a number"
            };
            let from = min.map(|min| format!(" from {min}")).unwrap_or_default();
            let to = max.map(|max| format!(" up to {max}")).unwrap_or_default();
            format!("{what}{from}{to}")
        }
        LabelKind::Text { length_max } => match length_max {
            Some(max) => format!("a text of 1 to {max} characters that is not only spaces"),
            None => "a text that is not only spaces".to_owned(),
        },
    }
}

/// How a message calls a value: short ones as they are.
fn shown(value: &Value) -> String {
    match value {
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Value::String(text) => format!("a string of {} characters", text.chars().count()),
        other => kind_of(other).to_owned(),
    }
}
