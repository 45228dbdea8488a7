//! An assessment: a feedback, expectation or issue reference about a trace or one of its spans.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an assessment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssessmentKind {
    /// A verdict.
    Feedback,
    /// The truth a trace should have met.
    Expectation,
    /// A reference to an issue.
    Issue,
}

impl AssessmentKind {
    /// The word stored in the `type` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Feedback => "feedback",
            Self::Expectation => "expectation",
            Self::Issue => "issue",
        }
    }

    /// The kind of a `type` word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Feedback, Self::Expectation, Self::Issue]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// One assessment; the columns of the `assessments` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// `a-` + 32 hex unless the caller gave one.
    pub assessment_id: String,
    /// The assessed trace.
    pub trace_id: String,
    /// The assessed span, when it is about one.
    pub span_id: Option<String>,
    /// Assessment name.
    pub name: String,
    /// Feedback, expectation or issue.
    pub kind: AssessmentKind,
    /// JSON text.
    pub value: String,
    /// `HUMAN`, `LLM_JUDGE`, `CODE` or `SOURCE_TYPE_UNSPECIFIED`.
    pub source_type: String,
    /// Who or what judged.
    pub source_id: Option<String>,
    /// Why.
    pub rationale: Option<String>,
    /// Code of the error that kept the scorer from a value.
    pub error_code: Option<String>,
    /// Its message.
    pub error_message: Option<String>,
    /// Free key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// The assessment this one overrides.
    pub overrides: Option<String>,
    /// False once overridden.
    pub valid: bool,
    /// Unix nanoseconds.
    pub created_at_ns: i64,
    /// Unix nanoseconds.
    pub updated_at_ns: i64,
}

impl Assessment {
    /// The value as a number, when it is a JSON number.
    pub fn value_number(&self) -> Option<f64> {
        let text = self.value.trim();
        let starts_numeric = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if starts_numeric {
            serde_json::from_str(text).ok()
        } else {
            None
        }
    }
}
