//! What `tracehouse.otel` needs: spans and log records of the OpenTelemetry SDK into the database, without protobuf's
//! package.
//!
//! ```text
//! ReadableSpan -> walk (interpreter held) -> OTLP request -> Database::import_otlp (released)  == acknowledged ==
//! ```
//!
//! The request goes the way of every other one: redaction, typed columns and limits are those of an import.

mod record;
mod span;
mod value;
mod walk;
mod wire;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tracehouse::{CancelToken, ImportOptions};

use crate::handle::Database;
use crate::{call, errors};

/// How many items were not kept, and why the first was not.
type Lost = (u64, Option<String>);

/// A request, and why items are not in it.
type Encoded<'py> = (Bound<'py, PyBytes>, Vec<String>);

/// Adds the functions of this file to the native module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(encode_spans, module)?)?;
    module.add_function(wrap_pyfunction!(encode_logs, module)?)?;
    module.add_function(wrap_pyfunction!(export_spans, module)?)?;
    module.add_function(wrap_pyfunction!(export_logs, module)?)
}

/// The OTLP/protobuf request of spans, and for each that cannot be read the reason.
#[pyfunction]
fn encode_spans<'py>(py: Python<'py>, spans: &Bound<'py, PyAny>) -> PyResult<Encoded<'py>> {
    encode(py, spans, span::span_into)
}

/// The OTLP/protobuf request of log records, and for each that cannot be read the reason.
#[pyfunction]
fn encode_logs<'py>(py: Python<'py>, records: &Bound<'py, PyAny>) -> PyResult<Encoded<'py>> {
    encode(py, records, record::record_into)
}

fn encode<'py>(
    py: Python<'py>,
    items: &Bound<'py, PyAny>,
    write: walk::Write,
) -> PyResult<Encoded<'py>> {
    let walked = walk::walk(items, write)?;
    Ok((PyBytes::new(py, &walked.request), walked.rejected))
}

/// Writes spans.
#[pyfunction]
fn export_spans(
    py: Python<'_>,
    database: &Bound<'_, Database>,
    spans: &Bound<'_, PyAny>,
    experiment_id: String,
) -> PyResult<Lost> {
    export(py, database, spans, span::span_into, experiment_id)
}

/// Writes log records: those of spans are kept with them.
#[pyfunction]
fn export_logs(
    py: Python<'_>,
    database: &Bound<'_, Database>,
    records: &Bound<'_, PyAny>,
    experiment_id: String,
) -> PyResult<Lost> {
    export(py, database, records, record::record_into, experiment_id)
}

/// On Ctrl-C the write is not cancelled, since its items are nowhere else: the caller goes on, and it ends by itself.
fn export(
    py: Python<'_>,
    database: &Bound<'_, Database>,
    items: &Bound<'_, PyAny>,
    write: walk::Write,
    experiment_id: String,
) -> PyResult<Lost> {
    let database = database.get().handle()?.database()?;
    let walk::Walked { request, rejected } = walk::walk(items, write)?;
    let lost = rejected.len() as u64;
    let reason = rejected.into_iter().next();
    if request.is_empty() {
        return Ok((lost, reason));
    }
    let options = ImportOptions::default()
        .experiment_id(experiment_id)
        .name("exporter");
    let import = move || database.import_otlp(&request, &options);
    let report = call::run_until(py, &CancelToken::new(), import)?
        .map_err(|error| errors::raised(py, &error))?;
    let dropped = (report.dropped_spans > 0).then(|| "the disk cannot keep up".to_string());
    let first = report
        .rejected
        .into_iter()
        .next()
        .map(|rejected| rejected.error);
    let lost = lost + report.rejected_count + report.dropped_spans;
    Ok((lost, reason.or(first).or(dropped)))
}
