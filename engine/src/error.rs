//! The public error: one opaque type whose kind answers what the caller should do.

use std::fmt;
use std::path::Path;

use tracehouse_query::error::{QueryError, QueryErrorKind};
use tracehouse_storage as storage;

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong; the message says what would be right.
    InvalidInput,
    /// The named thing does not exist.
    NotFound,
    /// The named thing exists already, or another process holds the database.
    Conflict,
    /// A file of the database is damaged.
    Corrupt,
    /// The operating system refused a file operation.
    Io,
    /// There is no room or no time for a write now; trying again later may work.
    Unavailable,
    /// A question took longer than its limit.
    Timeout,
    /// A question was given up by whoever holds its [`CancelToken`](crate::CancelToken).
    Cancelled,
    /// A question needs more memory or spill space than its limits allow; a smaller one may work.
    ResourceExhausted,
    /// The database does not take writes until it is opened again.
    Closed,
    /// A bug in this crate.
    Internal,
}

/// Anything that can go wrong, with a message that names the thing at fault.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Names the database, for errors of opening.
    pub(crate) fn at(self, path: &Path) -> Self {
        Self {
            message: format!("{}: {}", path.display(), self.message),
            ..self
        }
    }

    /// Whether the system refused to look, which says nothing of what is stored.
    pub(crate) fn is_refusal(&self) -> bool {
        let storage = self
            .source
            .as_deref()
            .and_then(|source| source.downcast_ref::<storage::Error>());
        storage.is_some_and(storage::Error::is_refusal)
    }

    /// The code that MLflow's clients know this kind of error by.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::InvalidInput => "INVALID_PARAMETER_VALUE",
            ErrorKind::NotFound => "RESOURCE_DOES_NOT_EXIST",
            ErrorKind::Conflict => "RESOURCE_ALREADY_EXISTS",
            ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::Cancelled
            | ErrorKind::ResourceExhausted => "TEMPORARILY_UNAVAILABLE",
            ErrorKind::Closed => "INVALID_STATE",
            ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::Internal => "INTERNAL_ERROR",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        let kind = match error.kind() {
            storage::ErrorKind::InvalidInput => ErrorKind::InvalidInput,
            storage::ErrorKind::NotFound => ErrorKind::NotFound,
            storage::ErrorKind::Conflict => ErrorKind::Conflict,
            storage::ErrorKind::Corrupt => ErrorKind::Corrupt,
            storage::ErrorKind::Io => ErrorKind::Io,
            storage::ErrorKind::Closed => ErrorKind::Closed,
            storage::ErrorKind::Unavailable => ErrorKind::Unavailable,
            storage::ErrorKind::Timeout => ErrorKind::Timeout,
            storage::ErrorKind::Cancelled => ErrorKind::Cancelled,
            storage::ErrorKind::Internal => ErrorKind::Internal,
        };
        Self {
            kind,
            message: error.to_string(),
            source: Some(Box::new(error)),
        }
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        let kind = match error.kind() {
            QueryErrorKind::InvalidInput => ErrorKind::InvalidInput,
            QueryErrorKind::Internal => ErrorKind::Internal,
            QueryErrorKind::Corrupt => ErrorKind::Corrupt,
            QueryErrorKind::Io => ErrorKind::Io,
            QueryErrorKind::Timeout => ErrorKind::Timeout,
            QueryErrorKind::Cancelled => ErrorKind::Cancelled,
            QueryErrorKind::ResourceExhausted => ErrorKind::ResourceExhausted,
        };
        Self {
            kind,
            message: error.to_string(),
            source: Some(Box::new(error)),
        }
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self {
            kind: ErrorKind::Internal,
            message: error.to_string(),
            source: Some(Box::new(error)),
        }
    }
}
