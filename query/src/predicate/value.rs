//! How values compare: attributes by their type, tags as texts or numbers, assessments as MLflow compares them.

use std::ops::{Bound, RangeBounds};

use super::json;
use super::number::Number;
use super::pattern::{Pattern, PatternKind};
use super::test::{JsonOp, JsonTest, Scalar};

impl JsonTest {
    /// Whether an attribute's test goes on to the attributes after it: `LIKE` and `ILIKE` with a pattern
    /// that begins with `%`, as MLflow looks for it in the rest of the span. All of MLflow's patterns
    /// that match anything begin so; for other patterns the value alone counts.
    pub(super) fn reads_on(&self) -> bool {
        match &self.op {
            JsonOp::Pattern(pattern) => {
                !self.negated
                    && pattern.kind() != PatternKind::RLike
                    && pattern.text().starts_with('%')
            }
            _ => false,
        }
    }

    /// The test as one of the value's text alone, where it is that: of the text of a string, of the JSON text of
    /// anything else, and of the strings that it decodes to.
    pub(super) fn of_text(&self) -> Option<&Pattern> {
        match &self.op {
            JsonOp::Pattern(pattern) if !self.negated && !self.reads_on() => Some(pattern),
            _ => None,
        }
    }

    /// Whether an attribute's raw JSON value satisfies the test, or an element of it does when it is a list or the
    /// JSON text of one. Patterns see the text of a value and the strings that it decodes to; of a list the elements
    /// do.
    pub fn accepts_attribute(&self, raw: &str) -> bool {
        let text = json::text(raw);
        let Some(mut elements) = json::elements(&text) else {
            return self.finds_decoded(&text, raw.starts_with('"')) != self.negated;
        };
        if self.finds(&text, raw.starts_with('"')) {
            // The list as a whole is what was asked for, or what was not.
            return !self.negated;
        }
        elements.any(|raw| {
            raw != "null"
                && self.finds_decoded(&json::text(raw), raw.starts_with('"')) != self.negated
        })
    }

    /// As [`finds`](Self::finds), and patterns see the strings inside of JSON.
    fn finds_decoded(&self, text: &str, is_string: bool) -> bool {
        let is_inside = || match &self.op {
            JsonOp::Pattern(pattern) => pattern.is_match_decoded(text),
            JsonOp::Range(..) | JsonOp::In(_) => false,
        };
        self.finds(text, is_string) || is_inside()
    }

    /// Whether a text of a tag or of metadata satisfies the test. Numbers compare where the text is one.
    pub fn accepts_text(&self, text: &str) -> bool {
        let found = match &self.op {
            JsonOp::Pattern(pattern) => pattern.is_match(text),
            JsonOp::Range(min, max) => {
                plain_double(text).is_some_and(|number| (*min, *max).contains(&number))
            }
            JsonOp::In(values) => values.iter().any(|value| match value {
                Scalar::Text(wanted) => text == wanted,
                Scalar::Number(wanted) => {
                    Number::parse(text.trim()).is_some_and(|number| is_same(&number, wanted))
                }
                Scalar::Bool(_) => false,
            }),
        };
        found != self.negated
    }

    /// Whether one value's text is what is asked for. A string that is itself the JSON text of a scalar (as MLflow
    /// writes attributes) counts as that scalar as well.
    fn finds(&self, text: &str, is_string: bool) -> bool {
        // What the text stands for when it is a quoted string again.
        let inner = if is_string { json::string(text) } else { None };
        let accepts_text =
            |accept: &dyn Fn(&str) -> bool| accept(text) || inner.as_deref().is_some_and(accept);
        match &self.op {
            JsonOp::Pattern(pattern) => accepts_text(&|text| pattern.is_match(text)),
            JsonOp::Range(min, max) => is_in_range(text, min, max),
            JsonOp::In(values) => values.iter().any(|value| match value {
                Scalar::Text(wanted) => accepts_text(&|text| text == wanted),
                scalar => scalar.equals_json(text),
            }),
        }
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
                json::number(raw).is_some_and(|number| is_same(&number, wanted))
            }
        }
    }
}

fn is_same(number: &Number, wanted: &Number) -> bool {
    match (number.integer(), wanted.integer()) {
        (Some(number), Some(wanted)) => number == wanted,
        _ => number.value() == wanted.value(),
    }
}

fn is_in_range(raw: &str, min: &Bound<f64>, max: &Bound<f64>) -> bool {
    json::double(raw).is_some_and(|number| (*min, *max).contains(&number))
}

/// The number that a text says which nobody wrote as JSON.
fn plain_double(text: &str) -> Option<f64> {
    match text.trim() {
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        text => Number::parse(text)
            .map(|number| number.value())
            .or_else(|| json::double(text)),
    }
}

/// Whether two JSON texts are equal objects or arrays, whatever their spacing and order of keys.
fn same_container(a: &str, b: &str) -> bool {
    if !a.starts_with(['{', '[']) || a.get(..1) != b.get(..1) {
        return false;
    }
    let parse = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    parse(a).is_some_and(|a| Some(a) == parse(b))
}
