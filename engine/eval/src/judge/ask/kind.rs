//! What a judge judges, and of what type its verdict is.

use serde::{Deserialize, Serialize};

use super::super::settings::SettingsError;

/// What is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "judge", rename_all = "snake_case", deny_unknown_fields)]
pub enum JudgeKind {
    /// Whether the answer, or a whole conversation, follows every one of the texts. Without any, those of
    /// the item's expectation `guidelines` (a text or a list of texts) are taken.
    Guidelines {
        /// What must hold, in words.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        guidelines: Vec<String>,
    },
    /// Whether the answer says what the expectation `expected_response` says, or every one of
    /// `expected_facts`; both, when both are given.
    Correctness,
    /// Whether the retrieved documents support everything that the answer claims.
    Groundedness,
    /// Whether the answer, or a whole conversation, is free of harm.
    Safety,
    /// Whether the answer is about what was asked.
    Relevance,
    /// A prompt of one's own.
    Custom {
        /// Its text, with `{{inputs}}`, `{{outputs}}`, `{{expectations}}`, `{{documents}}`,
        /// `{{conversation}}` or `{{trace}}` where the item's content goes, at least one of them.
        template: String,
        /// What the verdict is; a boolean unless said.
        #[serde(default)]
        output: OutputType,
    },
}

impl JudgeKind {
    /// One guideline.
    pub fn guideline(text: impl Into<String>) -> Self {
        Self::Guidelines {
            guidelines: vec![text.into()],
        }
    }

    /// The kind's word: `guidelines`, `correctness`, ...
    pub fn word(&self) -> &'static str {
        match self {
            Self::Guidelines { .. } => "guidelines",
            Self::Correctness => "correctness",
            Self::Groundedness => "groundedness",
            Self::Safety => "safety",
            Self::Relevance => "relevance",
            Self::Custom { .. } => "custom",
        }
    }
}

/// The type of a custom judge's verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum OutputType {
    /// True passes, false does not.
    #[default]
    Boolean,
    /// A number in a range, its ends included.
    Number {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
        /// Passes from here up; without it the number only measures.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pass_from: Option<f64>,
    },
    /// One of several words.
    Category {
        /// All of them.
        categories: Vec<String>,
        /// Those that pass; without any the word only measures.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pass: Vec<String>,
    },
    /// Any text; it only measures.
    Text,
}

impl OutputType {
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        match self {
            Self::Boolean | Self::Text => Ok(()),
            Self::Number {
                min,
                max,
                pass_from,
            } => check_range(*min, *max, *pass_from),
            Self::Category { categories, pass } => check_categories(categories, pass),
        }
    }
}

fn check_range(min: f64, max: f64, pass_from: Option<f64>) -> Result<(), SettingsError> {
    if !(min.is_finite() && max.is_finite() && min < max) {
        return Err(SettingsError::new(format!(
            "the range {min} to {max} of the judge's number is empty or endless; give min below max"
        )));
    }
    match pass_from {
        Some(pass) if !(min..=max).contains(&pass) => Err(SettingsError::new(format!(
            "pass_from is {pass}; give a number from {min} to {max}"
        ))),
        _ => Ok(()),
    }
}

fn check_categories(categories: &[String], pass: &[String]) -> Result<(), SettingsError> {
    if categories.len() < 2 {
        return Err(SettingsError::new(
            "a judge of categories needs at least 2 of them",
        ));
    }
    for (at, category) in categories.iter().enumerate() {
        if category.trim() != category || category.is_empty() {
            return Err(SettingsError::new(format!(
                "the category {category:?} is empty or has spaces at an end"
            )));
        }
        let same = |other: &String| other.to_lowercase() == category.to_lowercase();
        if categories.iter().take(at).any(same) {
            return Err(SettingsError::new(format!(
                "the category {category:?} is given twice"
            )));
        }
    }
    match pass.iter().find(|word| !categories.contains(word)) {
        Some(word) => Err(SettingsError::new(format!(
            "the passing category {word:?} is none of {categories:?}"
        ))),
        None => Ok(()),
    }
}
