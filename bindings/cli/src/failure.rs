//! Why a command failed, and the exit code that says so.

use std::fmt::Display;
use std::io::Write;

use arrow::error::ArrowError;
use tracehouse::ErrorKind;

/// The exit code of a command that failed or found damage.
const FAILED: u8 = 1;
/// The exit code for bad usage or bad input.
const BAD_INPUT: u8 = 2;

/// The result of a command.
pub type Result<T> = std::result::Result<T, Failure>;

/// A failed command: a message for standard error, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What, where, what would be right; one line, no final stop.
    pub message: String,
    /// Whether a question was given up, whose threads may still be at it.
    pub given_up: bool,
}

impl Failure {
    /// The caller is at fault.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self {
            code: BAD_INPUT,
            message: message.into(),
            given_up: false,
        }
    }

    /// Something else is.
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            code: FAILED,
            message: message.into(),
            given_up: false,
        }
    }

    /// A failed file operation: a file that is not there is the caller's mistake.
    pub fn file(what: impl Display, error: &std::io::Error) -> Self {
        let message = format!("{what}: {error}");
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidInput => {
                Self::bad_input(message)
            }
            _ => Self::failed(message),
        }
    }

    /// The failure with nothing left to say.
    pub fn reported(self) -> Self {
        Self {
            message: String::new(),
            ..self
        }
    }

    /// Writes the message to standard error, unless that has been done.
    pub fn report(&self) {
        if self.message.is_empty() {
            return;
        }
        report(format_args!("error: {}", self.message));
    }
}

/// Writes lines to standard error, safe to show; a closed one is nobody's loss.
pub fn report(text: impl Display) {
    let _ = writeln!(
        std::io::stderr().lock(),
        "{}",
        crate::output::escape::lines(&text.to_string())
    );
}

impl From<tracehouse::Error> for Failure {
    fn from(error: tracehouse::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::NotFound => Self::bad_input(error.to_string()),
            ErrorKind::Timeout | ErrorKind::Cancelled => Self {
                given_up: true,
                ..Self::failed(error.to_string())
            },
            _ => Self::failed(error.to_string()),
        }
    }
}

/// Only writing results gives bare IO errors; files are named by [`Failure::file`].
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(format!("cannot write the output: {error}"))
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Self::failed(format!("cannot write the result: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(format!("cannot write the result: {error}"))
    }
}
