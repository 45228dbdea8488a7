//! What is wrong with a SPEC, a TOML file of scorers, a definition or a list of scorers.
//!
//! Invariant: the message names the thing at fault and what would be right; lower case, no final stop.

use std::fmt;

/// A scorer that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    message: String,
}

impl SpecError {
    /// An error with its message.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    /// The same error, said of something: `of: message`.
    pub(super) fn of(self, of: impl fmt::Display) -> Self {
        Self::new(format!("{of}: {}", self.message))
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SpecError {}
