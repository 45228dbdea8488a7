//! Labels: the questions that a reviewer answers.
//!
//! **Invariants** of a schema that was read: at least one label; names differ; options differ; `min` is below `max`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::error::ReviewError;

/// What reviewers are asked of each item.
///
/// ```
/// use tracehouse_eval::review::LabelSchema;
///
/// let schema = LabelSchema::parse(r#"{"labels": [
///     {"name": "correct", "kind": "boolean"},
///     {"name": "tone", "kind": "category", "options": ["warm", "cold"], "required": false}
/// ]}"#)?;
/// assert_eq!(schema.labels().len(), 2);
/// # Ok::<(), tracehouse_eval::review::ReviewError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct LabelSchema {
    pub(super) labels: Vec<Label>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// Its name: the name of the assessment that an answer becomes.
    pub name: String,
    /// What an answer is.
    #[serde(flatten)]
    pub kind: LabelKind,
    /// Whether an answer must have it; it must when the file does not say.
    pub required: bool,
    /// What the reviewer is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
}

/// What an answer to a label is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LabelKind {
    /// True or false.
    Boolean,
    /// One of some options, or any number of them.
    Category {
        /// The options, in the order in which they are shown.
        options: Vec<String>,
        /// Whether several may be chosen.
        multiple: bool,
    },
    /// A number.
    Number {
        /// The lowest that is allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// The highest that is allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
        /// Whether it must be whole.
        integer: bool,
    },
    /// Free text.
    Text {
        /// The most characters that are allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        length_max: Option<u64>,
    },
}

impl LabelKind {
    /// The word in files: `boolean`, `category`, `number`, `text`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Category { .. } => "category",
            Self::Number { .. } => "number",
            Self::Text { .. } => "text",
        }
    }
}

impl LabelSchema {
    /// The labels, in order.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The label of a name.
    ///
    /// # Errors
    /// `NotFound` with the labels that there are.
    pub fn label(&self, name: &str) -> Result<&Label, ReviewError> {
        self.labels
            .iter()
            .find(|label| label.name == name)
            .ok_or_else(|| {
                ReviewError::not_found(format!(
                    "there is no label {name:?}: the labels are {}",
                    self.names()
                ))
            })
    }

    /// The names of the labels, for messages.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self
            .labels
            .iter()
            .map(|label| label.name.as_str())
            .collect();
        names.join(", ")
    }
}
