//! The parts of a span's cost, which its attributes hold beside the total.

use std::collections::HashMap;

use serde_json::Value as Json;
use serde_json::value::RawValue;

/// A part of a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Of the input.
    Input,
    /// Of the output.
    Output,
    /// Of both.
    Total,
}

/// The cost of a part, in USD, as a span's attributes (a JSON object text) say it.
pub(super) fn of_attributes(attributes: &str, part: Part) -> Option<f64> {
    let attributes: HashMap<&str, &RawValue> = serde_json::from_str(attributes).ok()?;
    let (plain, member, other) = match part {
        Part::Input => ("llm.cost.prompt", "input_cost", "input"),
        Part::Output => ("llm.cost.completion", "output_cost", "output"),
        Part::Total => return None,
    };
    let detailed = ["mlflow.llm.cost", "langfuse.observation.cost_details"]
        .into_iter()
        .find_map(|key| {
            let details = unquoted(attributes.get(key)?.get())?;
            number(details.get(member).or_else(|| details.get(other))?)
        });
    let cost = detailed.or_else(|| number(&unquoted(attributes.get(plain)?.get())?));
    cost.filter(|cost| cost.is_finite())
}

/// A JSON value, or what a string that holds JSON text stands for.
fn unquoted(raw: &str) -> Option<Json> {
    match serde_json::from_str(raw).ok()? {
        Json::String(text) => serde_json::from_str(&text).ok(),
        value => Some(value),
    }
}

fn number(value: &Json) -> Option<f64> {
    value.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_from_objects_and_from_texts() {
        let object = r#"{"mlflow.llm.cost": {"input_cost": 0.25, "output_cost": 0.5}, "x": "y"}"#;
        assert_eq!(of_attributes(object, Part::Input), Some(0.25));
        let text = r#"{"mlflow.llm.cost": "{\"input_cost\": 1, \"output_cost\": 0.5}"}"#;
        assert_eq!(
            (
                of_attributes(text, Part::Input),
                of_attributes(text, Part::Output)
            ),
            (Some(1.0), Some(0.5))
        );
        assert_eq!(
            of_attributes(r#"{"llm.cost.prompt": 0.125}"#, Part::Input),
            Some(0.125)
        );
        for none in [
            "{}",
            "",
            "[]",
            r#"{"mlflow.llm.cost": null}"#,
            r#"{"mlflow.llm.cost": {"input_cost": "x"}}"#,
        ] {
            assert_eq!(of_attributes(none, Part::Input), None, "{none}");
        }
    }
}
