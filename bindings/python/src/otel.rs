//! What `tracehouse.otel` needs: spans of the OpenTelemetry SDK into the database, without protobuf's package.
//!
//! ```text
//! ReadableSpan -> walk (GIL held) -> OTLP request -> Database::import_otlp (GIL released)  == acknowledged ==
//! ```
//!
//! The request goes the way of every other one: redaction, typed columns and limits are those of an import.

mod value;
mod walk;
mod wire;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Adds the functions of this file to the native module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(encode_spans, module)?)
}

/// The OTLP/protobuf request of spans, and for each that cannot be read the reason.
#[pyfunction]
fn encode_spans<'py>(
    py: Python<'py>,
    spans: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyBytes>, Vec<String>)> {
    let walked = walk::walk(spans)?;
    Ok((PyBytes::new(py, &walked.request), walked.rejected))
}
