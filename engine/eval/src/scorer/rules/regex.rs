//! The answer matches a regular expression (of the `regex` crate: linear time, no look-around).
//!
//! Invariant: the pattern is read when the scorer is made.

use ::regex::RegexBuilder;
use serde::{Deserialize, Serialize};

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::{TEXTS, short};
use crate::{Item, Needs, Score, ScoreError};

/// Whether a pattern is found in the answer. Value: a boolean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regex {
    /// The pattern; `^` and `$` are the ends of the text unless it says `(?m)`.
    pub pattern: String,
    /// Upper and lower case are the same.
    #[serde(default)]
    pub ignore_case: bool,
    /// The whole answer must match, not a part of it.
    #[serde(default)]
    pub full: bool,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Regex {
    /// A pattern to be found anywhere.
    pub fn new(pattern: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            ignore_case: false,
            full: false,
            field: None,
        }
    }

    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        if self.pattern.is_empty() {
            let message = "the pattern is empty, every answer matches it";
            return Err(SpecError::new(message));
        }
        let mut pattern = compile(&self.pattern, self.ignore_case)?;
        if self.full {
            pattern = compile(&format!(r"\A(?:{})\z", self.pattern), self.ignore_case)?;
        }
        Ok(Box::new(Ready {
            pattern,
            settings: self.clone(),
        }))
    }
}

/// A pattern that was read.
pub(super) fn compile(pattern: &str, ignore_case: bool) -> Result<::regex::Regex, SpecError> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .build()
        .map_err(|error| SpecError::new(format!("`{pattern}` is no regular expression: {error}")))
}

struct Ready {
    pattern: ::regex::Regex,
    settings: Regex,
}

impl Check for Ready {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let text = answer::text(item, self.settings.field.as_deref())?;
        Ok(Score::verdict(self.pattern.is_match(&text), || {
            let how = if self.settings.full {
                "as a whole "
            } else {
                ""
            };
            format!("does not match {how}{}", short(&self.settings.pattern))
        }))
    }
}
