//! Errors of the engine as the exceptions of `tracehouse.errors`: one class for each kind.

use std::any::Any;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyModule, PyType};
use tracehouse::{Error, ErrorKind};

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The name of the class for a kind.
fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidInput => "InvalidInputError",
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::Conflict => "ConflictError",
        ErrorKind::Corrupt => "CorruptError",
        ErrorKind::Io => "StorageError",
        ErrorKind::Unavailable => "UnavailableError",
        ErrorKind::Timeout => "QueryTimeoutError",
        ErrorKind::Cancelled => "QueryCancelledError",
        ErrorKind::ResourceExhausted => "ResourceExhaustedError",
        ErrorKind::Closed => "ClosedError",
        // `Internal`, and kinds of later versions.
        _ => "Error",
    }
}

/// The exception for an error.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    of_kind(py, error.kind(), &error.to_string())
}

/// An exception of a kind.
pub(crate) fn of_kind(py: Python<'_>, kind: ErrorKind, message: &str) -> PyErr {
    let class = MODULE
        .get_or_try_init(py, || Ok(py.import("tracehouse.errors")?.unbind()))
        .and_then(|module: &Py<PyModule>| module.bind(py).getattr(class_name(kind)))
        .and_then(|class| Ok(class.cast_into::<PyType>()?));
    match class {
        Ok(class) => PyErr::from_type(class, (message.to_string(),)),
        Err(error) => error,
    }
}

/// Wrong input.
pub(crate) fn invalid(py: Python<'_>, message: &str) -> PyErr {
    of_kind(py, ErrorKind::InvalidInput, message)
}

/// A bug.
pub(crate) fn internal(py: Python<'_>, message: &str) -> PyErr {
    of_kind(py, ErrorKind::Internal, message)
}

/// The exception for a panic: a bug, too, which ends this call and not the process.
pub(crate) fn panicked(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    internal(
        py,
        &format!("a bug in tracehouse: {}", text.unwrap_or("it panicked")),
    )
}

/// An exception that can be put where Python has no interpreter at hand: it is made when there is one.
pub(crate) fn lazily(message: String) -> PyErr {
    PyRuntimeError::new_err(message)
}
