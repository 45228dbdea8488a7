//! The error of a query: what the caller should do, and a message fit to be shown.
//!
//! It sits between storage's errors, and the planner's (`sql::errors`), and the engine's. Messages are lower-case, name
//! the thing at fault, and hold no path and never more than 200 characters of the caller's SQL.

use std::error::Error as StdError;
use std::fmt;

pub use tracehouse_storage::ErrorKind;

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, QueryError>;

/// Longest message, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// Longest piece of the caller's SQL inside a message, in characters.
#[cfg(feature = "sql")]
pub(crate) const ECHO_CHARS_MAX: usize = 200;

/// A failed query: kind and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    kind: ErrorKind,
    message: String,
}

impl QueryError {
    /// An error of `kind`; a message that is too long is cut.
    pub fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self {
            kind,
            message: shorten(message.as_ref(), MESSAGE_CHARS_MAX),
        }
    }

    /// A wrong or refused query.
    pub fn invalid_input(message: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// A limit that the query ran into.
    pub fn resource_exhausted(message: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::ResourceExhausted, message)
    }

    /// A broken invariant.
    pub fn internal(message: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message: lower-case, without a final stop, without paths.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for QueryError {}

impl From<tracehouse_storage::Error> for QueryError {
    fn from(error: tracehouse_storage::Error) -> Self {
        from_storage(&error)
    }
}

/// `text` cut to `chars_max` characters.
pub(crate) fn shorten(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_string(),
    }
}

pub(crate) fn from_storage(error: &tracehouse_storage::Error) -> QueryError {
    // What failed in a filter of ours inside a scan.
    if let Some(own) = error
        .source()
        .and_then(|source| source.downcast_ref::<QueryError>())
    {
        return own.clone();
    }
    QueryError::new(error.kind(), error.to_string())
}
