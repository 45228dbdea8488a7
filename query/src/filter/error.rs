//! The error of the filter language.

use std::fmt;

/// The error code of every filter error, as MLflow spells it.
pub const INVALID_PARAMETER_VALUE: &str = "INVALID_PARAMETER_VALUE";

/// Why a filter or an `order_by` was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Always [`INVALID_PARAMETER_VALUE`].
    pub code: &'static str,
    /// Names the offending token, its position and, for a key, the nearest valid one. Begins as
    /// MLflow's message does where MLflow has one.
    pub message: String,
    /// Position of the offending token in the text: characters, from 1.
    pub position: usize,
}

impl FilterError {
    /// An error about the text at byte `offset` of `source`; the message names `token`.
    pub(super) fn at(source: &str, offset: usize, message: impl FnOnce(usize) -> String) -> Self {
        let position = source.get(..offset).unwrap_or(source).chars().count() + 1;
        Self {
            code: INVALID_PARAMETER_VALUE,
            message: message(position),
            position,
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for FilterError {}

impl From<FilterError> for tracehouse_storage::Error {
    fn from(error: FilterError) -> Self {
        Self::invalid_input(error.to_string())
    }
}
