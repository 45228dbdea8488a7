//! Scores and annotations of other products: feedback.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Number, Value as Json};

use crate::assess::{GivenAssessment, NewAssessment, numbered_id};

/// A score on its way to be a feedback.
#[derive(Debug)]
pub(super) struct Score {
    pub(super) name: String,
    pub(super) value: Json,
    /// Type and id.
    pub(super) source: (&'static str, String),
    /// The score's own id, by which it is the same when it comes again.
    pub(super) id: Option<String>,
    pub(super) span_id: Option<String>,
    pub(super) rationale: Option<String>,
    pub(super) created_ns: Option<i64>,
    pub(super) updated_ns: Option<i64>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Score {
    pub(super) fn new(name: String, value: Json) -> Self {
        Self {
            name,
            value,
            source: ("SOURCE_TYPE_UNSPECIFIED", String::new()),
            id: None,
            span_id: None,
            rationale: None,
            created_ns: None,
            updated_ns: None,
            metadata: BTreeMap::new(),
        }
    }

    /// The assessment that it is, of a trace. Without an id of its own it has one by its content; `seen` tells equal
    /// ones of a document apart.
    pub(super) fn into_assessment(
        self,
        trace_id: &str,
        seen: &mut HashMap<String, usize>,
    ) -> GivenAssessment {
        let mut assessment = NewAssessment::feedback(self.name, self.value.to_string());
        assessment = assessment.source(self.source.0, self.source.1);
        (assessment.span_id, assessment.rationale) = (self.span_id, self.rationale);
        assessment.metadata = self.metadata;
        let id = self
            .id
            .unwrap_or_else(|| numbered_id(seen, trace_id, &assessment));
        GivenAssessment {
            trace_id: trace_id.to_string(),
            assessment,
            assessment_id: Some(id),
            created_at_ns: self.created_ns,
            updated_at_ns: self.updated_ns,
            valid: None,
        }
    }
}

/// A value that says something: a whole number without a fraction, not null, not the empty text. A text that is a number
/// is one, as tables write it.
pub(super) fn score_value(value: Option<&Json>) -> Option<Json> {
    let value = value.filter(|value| !value.is_null() && *value != "")?;
    let number = value
        .as_str()
        .filter(|text| text.ends_with(|c: char| c.is_ascii_digit()));
    let number = number
        .and_then(|text| text.trim().parse().ok())
        .and_then(Number::from_f64)
        .map(Json::Number);
    let value = number.as_ref().unwrap_or(value);
    match value
        .as_f64()
        .filter(|number| value.is_f64() && number.fract() == 0.0 && number.abs() < 1e15)
    {
        Some(whole) => Some(Json::from(whole as i64)),
        None => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_that_are_numbers_are_numbers() {
        for (sent, wanted) in [
            (json!("0.7"), Some(json!(0.7))),
            (json!("1e-05"), Some(json!(1e-05))),
            (json!("0.50"), Some(json!(0.5))),
            (json!("2.0"), Some(json!(2))),
            (json!(1.0), Some(json!(1))),
            (json!("good"), Some(json!("good"))),
            (json!("NaN"), Some(json!("NaN"))),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(score_value(Some(&sent)), wanted, "{sent}");
        }
    }
}
