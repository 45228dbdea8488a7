//! The settings of a model that go with a prompt: which fields are known and what they may hold.
//!
//! **Invariant** a configuration that was checked can be given to MLflow's `PromptModelConfig` as it is. Fields that
//! are not known are settings of some provider and are kept.

use serde_json::{Map, Value};

use super::error::{PromptError, kind_of};

/// What a known field may hold.
enum Rule {
    Text,
    Number { min: f64, max: f64 },
    Count,
    Texts,
}

const ANY_NUMBER: Rule = Rule::Number {
    min: f64::NEG_INFINITY,
    max: f64::INFINITY,
};

const RULES: [(&str, Rule); 9] = [
    ("provider", Rule::Text),
    ("model_name", Rule::Text),
    (
        "temperature",
        Rule::Number {
            min: 0.0,
            max: f64::INFINITY,
        },
    ),
    ("max_tokens", Rule::Count),
    ("top_p", Rule::Number { min: 0.0, max: 1.0 }),
    ("top_k", Rule::Count),
    ("frequency_penalty", ANY_NUMBER),
    ("presence_penalty", ANY_NUMBER),
    ("stop_sequences", Rule::Texts),
];

/// Checks a model configuration and leaves out known fields that are `null`.
///
/// Known are `provider`, `model_name`, `temperature` (0 and above), `max_tokens` and `top_k` (whole, above 0), `top_p`
/// (0 to 1), `frequency_penalty`, `presence_penalty` and `stop_sequences` (a list of texts); other fields are kept.
///
/// # Errors
/// `InvalidInput` that lists every known field with a value that it may not have.
pub fn check_model_config(
    mut config: Map<String, Value>,
) -> Result<Map<String, Value>, PromptError> {
    let mut faults = Vec::new();
    for (field, rule) in &RULES {
        let Some(value) = config.get(*field) else {
            continue;
        };
        if value.is_null() {
            config.remove(*field);
        } else if let Some(wanted) = broken(rule, value) {
            let found = match value {
                Value::Number(number) => number.to_string(),
                other => kind_of(other).to_owned(),
            };
            faults.push(format!("{field} is {found}: it must be {wanted}"));
        }
    }
    if faults.is_empty() {
        return Ok(config);
    }
    Err(PromptError::invalid(format!(
        "model_config: {}",
        faults.join("; ")
    )))
}

/// What a value should be, when it is not.
fn broken(rule: &Rule, value: &Value) -> Option<String> {
    let (holds, wanted) = match rule {
        Rule::Text => (value.is_string(), "a string".to_owned()),
        Rule::Number { min, max } => (
            value.as_f64().is_some_and(|n| n >= *min && n <= *max),
            number_wanted(*min, *max),
        ),
        Rule::Count => (
            value.as_u64().is_some_and(|n| n > 0),
            "a whole number above 0".to_owned(),
        ),
        Rule::Texts => (
            value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string)),
            "a list of strings".to_owned(),
        ),
    };
    (!holds).then_some(wanted)
}

fn number_wanted(min: f64, max: f64) -> String {
    match (min.is_finite(), max.is_finite()) {
        (true, true) => format!("a number from {min} to {max}"),
        (true, false) => format!("a number from {min} up"),
        _ => "a number".to_owned(),
    }
}
