//! The errors of this module.
//!
//! **Invariant** every message names the thing at fault and says what would be right.

use std::fmt;

/// What went wrong with a review: its kind tells the caller what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewError {
    /// What kind of trouble.
    pub kind: ReviewErrorKind,
    /// What is at fault and what would be right.
    pub message: String,
}

/// Kinds of [`ReviewError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReviewErrorKind {
    /// A schema, an answer or a name is not of the form that it should be.
    InvalidInput,
    /// There is no such item, label or reviewer.
    NotFound,
    /// The state of the queue does not allow it now: another reviewer has the item, it is answered already.
    Conflict,
}

impl ReviewError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            kind: ReviewErrorKind::InvalidInput,
            message: message.into(),
        }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self {
            kind: ReviewErrorKind::NotFound,
            message: message.into(),
        }
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self {
            kind: ReviewErrorKind::Conflict,
            message: message.into(),
        }
    }

    /// One error of several faults.
    pub(super) fn of_faults(what: &str, faults: &[AnswerFault]) -> Self {
        let faults: Vec<String> = faults.iter().map(AnswerFault::to_string).collect();
        Self::invalid(format!("{what}: {}", faults.join("; ")))
    }
}

impl fmt::Display for ReviewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReviewError {}

/// One thing that is wrong, where several may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFault {
    /// Where: a label's name, or its place in a file (`label 2 "tone"`).
    pub at: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl AnswerFault {
    pub(super) fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.message)
    }
}
