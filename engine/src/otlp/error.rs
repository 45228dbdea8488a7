//! Why a request could not be decoded at all.

use std::fmt;

use tracehouse_storage::json::Fault;

/// A request that is not OTLP, or is damaged. Nothing of it was decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    message: String,
}

impl DecodeError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    /// Damage at a byte of a JSON document.
    pub(super) fn json(offset: usize, message: &str) -> Self {
        Self::new(format!("invalid JSON at byte {offset}: {message}"))
    }

    /// Damage in a protobuf message.
    pub(super) fn protobuf(message: &str) -> Self {
        Self::new(format!("invalid OTLP/protobuf message: {message}"))
    }
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        Self::json(fault.at, fault.message)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}
