//! Errors as gRPC says them: the message is the engine's, the code says what to do about it.

use std::fmt::Display;

use tonic::Status;
use tracehouse::{Error, ErrorKind};

use crate::error::ApiError;

/// An error of the engine. Limits that a question met have codes of their own in gRPC, by which clients tell them from a
/// server that is away.
pub(super) fn of_engine(error: Error) -> Status {
    match error.kind() {
        ErrorKind::Timeout => Status::deadline_exceeded(error.to_string()),
        ErrorKind::Cancelled => Status::cancelled(error.to_string()),
        ErrorKind::ResourceExhausted => Status::resource_exhausted(error.to_string()),
        _ => ApiError::from(error).into(),
    }
}

/// A bug of the server.
pub(super) fn internal(error: impl Display) -> Status {
    Status::internal(error.to_string())
}

/// Something of Flight SQL that a database that is only read has no use for.
pub(super) fn read_only(what: &str) -> Status {
    Status::invalid_argument(format!(
        "{what} would write, and SQL is read-only here: traces are sent by OTLP, changed by the REST API"
    ))
}
