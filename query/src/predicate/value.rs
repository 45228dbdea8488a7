//! How JSON values compare: attributes by their type, assessments as MLflow compares them.

use std::ops::{Bound, RangeBounds};

use super::json;
use super::pattern::{Pattern, PatternKind};
use super::test::{JsonOp, JsonTest, Scalar};

impl JsonTest {
    /// Whether an attribute's test goes on to the attributes after it: `LIKE` and `ILIKE` with a pattern
    /// that begins with `%`, as MLflow looks for it in the rest of the span. All of MLflow's patterns
    /// that match anything begin so; for other patterns the value alone counts.
    pub(super) fn reads_on(&self) -> bool {
        match &self.op {
            JsonOp::Pattern(pattern) => {
                !self.negated && pattern.kind() != PatternKind::RLike && pattern.text().starts_with('%')
            }
            _ => false,
        }
    }

    /// The test as one of the value's text alone, where it is that: of the text of a string, of the JSON text of
    /// anything else, and of what a text stands for that is a quoted string again.
    pub(super) fn of_text(&self) -> Option<&Pattern> {
        match &self.op {
            JsonOp::Pattern(pattern) if !self.negated && !self.reads_on() => Some(pattern),
            _ => None,
        }
    }

    /// Whether an attribute's raw JSON value satisfies the test. A string that is itself the JSON
    /// text of a scalar (as MLflow writes attributes) counts as that scalar as well.
    pub fn accepts_attribute(&self, raw: &str) -> bool {
        let string = json::string(raw);
        // The value's text, and what that text stands for when it is a quoted string again.
        let text = string.as_deref().unwrap_or(raw);
        let inner = if string.is_some() { json::string(text) } else { None };
        let accepts_text =
            |accept: &dyn Fn(&str) -> bool| accept(text) || inner.as_deref().is_some_and(accept);
        let found = match &self.op {
            JsonOp::Pattern(pattern) => accepts_text(&|text| pattern.is_match(text)),
            JsonOp::Range(min, max) => is_in_range(text, min, max),
            JsonOp::In(values) => values.iter().any(|value| match value {
                Scalar::Text(wanted) => accepts_text(&|text| text == wanted),
                scalar => scalar.equals_json(text),
            }),
        };
        found != self.negated
    }

    /// Whether an assessment's value, a JSON text, satisfies the test. Strings are compared with
    /// the JSON text and with what it stands for; patterns see the JSON text, as in MLflow.
    pub fn accepts_assessment(&self, raw: &str) -> bool {
        let raw = raw.trim();
        let found = match &self.op {
            JsonOp::Pattern(pattern) => pattern.is_match(raw),
            JsonOp::Range(min, max) => is_in_range(raw, min, max),
            JsonOp::In(values) => values.iter().any(|value| match value {
                Scalar::Text(wanted) => {
                    raw == wanted
                        || json::string(raw).is_some_and(|text| text == *wanted)
                        || same_container(raw, wanted)
                }
                scalar => scalar.equals_json(raw),
            }),
        };
        found != self.negated
    }
}

impl Scalar {
    /// Whether a number or boolean equals a JSON text.
    fn equals_json(&self, raw: &str) -> bool {
        match self {
            Scalar::Text(_) => false,
            Scalar::Bool(value) => raw == if *value { "true" } else { "false" },
            Scalar::Number(wanted) => {
                json::number(raw).is_some_and(|number| match (number.integer(), wanted.integer()) {
                    (Some(number), Some(wanted)) => number == wanted,
                    _ => number.value() == wanted.value(),
                })
            }
        }
    }
}

fn is_in_range(raw: &str, min: &Bound<f64>, max: &Bound<f64>) -> bool {
    json::number(raw).is_some_and(|number| (*min, *max).contains(&number.value()))
}

/// Whether two JSON texts are equal objects or arrays, whatever their spacing and order of keys.
fn same_container(a: &str, b: &str) -> bool {
    if !a.starts_with(['{', '[']) || a.get(..1) != b.get(..1) {
        return false;
    }
    let parse = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    parse(a).is_some_and(|a| Some(a) == parse(b))
}
