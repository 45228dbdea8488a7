//! The error type of the storage crate.
//!
//! Kinds answer what the caller should do; messages are lower-case, without a final stop, and name
//! the file, trace or column at fault.

use std::fmt;

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller should do about an error, in every crate alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong or refused; the message says what would be right.
    InvalidInput,
    /// The named thing does not exist.
    NotFound,
    /// The named thing exists already, or another process holds the database.
    Conflict,
    /// A file of the database is damaged; `check` and `repair` explain.
    Corrupt,
    /// The operating system refused a file operation.
    Io,
    /// There is no room or no time for a write now; trying again later may work.
    Unavailable,
    /// A question took longer than its limit.
    Timeout,
    /// A question was given up by whoever holds its [`CancelToken`](crate::interrupt::CancelToken).
    Cancelled,
    /// A question needs more memory, spill space or result space than its limits allow; a smaller one may work.
    ResourceExhausted,
    /// The database does not take writes until it is opened again.
    Closed,
    /// A broken invariant: a bug in this program.
    Internal,
}

impl ErrorKind {
    /// The code that MLflow's clients know this kind of error by.
    pub fn code(self) -> &'static str {
        match self {
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

/// A storage error: kind, message, and the cause below it when there is one.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// An error of `kind` with a message and the error that caused it.
    pub fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            message: message.into(),
            source: Some(source.into()),
        }
    }

    /// Bad input of the caller.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Something named that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// A damaged file.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// A broken invariant.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// A failed file operation on `what`.
    pub fn io(what: impl fmt::Display, source: std::io::Error) -> Self {
        Self::with_source(ErrorKind::Io, what.to_string(), source)
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the system refused to look, for want of descriptors, memory, room or rights: that says nothing
    /// of what is stored.
    pub fn is_refusal(&self) -> bool {
        let source = self
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static));
        let mut causes = std::iter::successors(source, |error| error.source());
        causes.any(|error| {
            error
                .downcast_ref::<std::io::Error>()
                .is_some_and(is_refusal)
        })
    }
}

/// See [`Error::is_refusal`].
pub(crate) fn is_refusal(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    const REFUSALS: [Errno; 13] = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::ROFS,
        Errno::ACCESS,
        Errno::PERM,
        Errno::AGAIN,
        Errno::INTR,
        Errno::BUSY,
        Errno::TIMEDOUT,
        Errno::STALE,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| REFUSALS.iter().any(|errno| errno.raw_os_error() == code))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{}: {source}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(source: arrow::error::ArrowError) -> Self {
        Self::with_source(ErrorKind::Internal, "columnar operation failed", source)
    }
}
/// Runs a decoder over bytes that may be anything: a panic of it is an error of kind `Corrupt`.
pub(crate) fn guarded<T>(what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(Error::corrupt(format!(
            "{what}: unreadable, its reader gave up"
        )))
    })
}
