//! The error of this module.
//!
//! **Invariant** every message names the thing at fault and says what would be right.

use std::fmt;

/// What went wrong with a prompt: its kind tells the caller what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptError {
    /// What kind of trouble.
    pub kind: PromptErrorKind,
    /// What is at fault and what would be right.
    pub message: String,
}

/// Kinds of [`PromptError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromptErrorKind {
    /// A name, a URI, a template or a value is not of the form that it should be.
    InvalidInput,
    /// There is no such prompt, version or alias.
    NotFound,
    /// The template is of a language that is kept but not rendered here.
    NotRenderable,
}

impl PromptError {
    /// The input is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self {
            kind: PromptErrorKind::InvalidInput,
            message: message.into(),
        }
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self {
            kind: PromptErrorKind::NotFound,
            message: message.into(),
        }
    }
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PromptError {}

/// `a string`, `a number`, ...: how a message calls a JSON value.
pub(crate) fn kind_of(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
