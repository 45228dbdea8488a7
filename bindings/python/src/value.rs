//! Plain Rust values as Python's, by serde: what is serialised becomes numbers, texts, lists and dictionaries.
//!
//! Structs are dictionaries with their fields' names, so that a report of the engine is `cls(**fields)` of the dataclass
//! with its name (`objects`).

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;

/// A value as Python has it.
///
/// # Errors
/// Whatever Python raises, for want of memory.
pub(crate) fn to_python<'py, T: Serialize + ?Sized>(
    py: Python<'py>,
    value: &T,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(pythonize::pythonize(py, value)?)
}

/// The fields of a struct.
pub(crate) fn fields<'py, T: Serialize>(
    py: Python<'py>,
    value: &T,
) -> PyResult<Bound<'py, PyDict>> {
    Ok(to_python(py, value)?.cast_into::<PyDict>()?)
}
