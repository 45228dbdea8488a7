//! The answer contains texts: those of the settings, or those that were expected.
//!
//! Invariant: an empty text is refused, for every answer contains it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::answer::{self, EXPECTED_RESPONSE};
use super::super::error::SpecError;
use super::super::named::Check;
use super::{TEXTS, short};
use crate::{Item, Needs, Score, ScoreError, ScoreErrorKind};

/// Whether the answer contains texts, as parts of words too. Value: a boolean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contains {
    /// The texts; none means those of the expectation (a text, or a list of texts).
    pub texts: Vec<String>,
    /// One of the texts is enough; else all are asked for.
    pub any: bool,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
    /// Name of the expectation (`expected_response` unless said), or a JSON pointer into all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expectation: Option<String>,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Contains {
    /// All of some texts.
    pub fn new(texts: Vec<String>) -> Self {
        Self {
            texts,
            ..Self::default()
        }
    }

    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        if let Some(name) = &self.expectation {
            answer::check_expectation(name)?;
            if !self.texts.is_empty() {
                let message = "both `texts` and `expectation` are given; one of them says it";
                return Err(SpecError::new(message));
            }
        }
        if self.texts.iter().any(String::is_empty) {
            return Err(SpecError::new("a text is empty, every answer contains it"));
        }
        let lowered = self.texts.iter().map(|text| self.lower(text).into_owned());
        Ok(Box::new(Ready {
            lowered: lowered.collect(),
            settings: self.clone(),
        }))
    }

    fn lower<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.ignore_case {
            true if text.is_ascii() => Cow::Owned(text.to_ascii_lowercase()),
            true => Cow::Owned(text.to_lowercase()),
            false => Cow::Borrowed(text),
        }
    }

    fn verdict(&self, text: &str, wanted: &[(&str, &str)]) -> Score {
        let text = self.lower(text);
        let mut lacking = wanted.iter().filter(|(lowered, _)| !text.contains(lowered));
        let passed = match self.any {
            true => lacking.clone().count() < wanted.len(),
            false => lacking.clone().next().is_none(),
        };
        Score::verdict(passed, || match self.any {
            true => format!("contains none of {} texts", wanted.len()),
            false => match lacking.next() {
                Some((_, shown)) => format!("does not contain {}", short(shown)),
                None => String::new(),
            },
        })
    }
}

/// The settings with the texts in the case they are compared in.
struct Ready {
    settings: Contains,
    lowered: Vec<String>,
}

impl Check for Ready {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let settings = &self.settings;
        if !self.lowered.is_empty() {
            let text = answer::text(item, settings.field.as_deref())?;
            let lowered = self.lowered.iter().map(String::as_str);
            let shown = settings.texts.iter().map(String::as_str);
            let wanted: Vec<_> = lowered.zip(shown).collect();
            return Ok(settings.verdict(&text, &wanted));
        }
        let name = settings.expectation.as_deref().unwrap_or(EXPECTED_RESPONSE);
        let expected = answer::expected_texts(item, name)?;
        if expected.iter().any(|text| text.is_empty()) {
            let message = format!("expectation `{name}` is empty, every answer contains it");
            return Err(ScoreError::new(ScoreErrorKind::Unreadable, message));
        }
        let text = answer::text(item, settings.field.as_deref())?;
        let lowered: Vec<_> = expected.iter().map(|text| settings.lower(text)).collect();
        let wanted: Vec<(&str, &str)> = lowered
            .iter()
            .map(AsRef::as_ref)
            .zip(expected.iter().map(AsRef::as_ref))
            .collect();
        Ok(settings.verdict(&text, &wanted))
    }
}
