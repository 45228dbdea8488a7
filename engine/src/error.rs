//! The public error: one opaque type whose kind answers what the caller should do.

use std::fmt;
use std::path::Path;

use tracehouse_query::error::QueryError;
use tracehouse_storage as storage;
pub use tracehouse_storage::ErrorKind;

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

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

    /// A mistake of a caller, for the functions that a program hands in: those that make scorers, for instance.
    pub fn invalid_input(message: impl Into<String>) -> Self {
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
        self.kind.code()
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
        Self {
            kind: error.kind(),
            message: error.to_string(),
            source: Some(Box::new(error)),
        }
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Self {
            kind: error.kind(),
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
