//! Rows and reports of the engine as the dataclasses of the package.
//!
//! A class is looked up once, by module and name. Rows of traces, spans and assessments, of which there are many, are made
//! field by field; reports by serde. A field that the dataclass does not know is a `TypeError`, so that none is forgotten.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyType};
use serde::Serialize;
use tracehouse::model::Usage;
use tracehouse::{Assessment, Rejected, Span, Trace, TraceRow};

use crate::value::{fields, to_python};

/// A class of the package, looked up once.
pub(crate) struct Class {
    module: &'static str,
    name: &'static str,
    found: PyOnceLock<Py<PyType>>,
}

impl Class {
    pub(crate) const fn new(module: &'static str, name: &'static str) -> Self {
        Self {
            module,
            name,
            found: PyOnceLock::new(),
        }
    }

    fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyType>> {
        self.found.import(py, self.module, self.name)
    }

    /// An object with these fields.
    pub(crate) fn make<'py>(&self, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        self.get(fields.py())?.call((), Some(fields))
    }

    /// An object of a struct's fields.
    pub(crate) fn of<'py, T: Serialize>(
        &self,
        py: Python<'py>,
        value: &T,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.make(&fields(py, value)?)
    }

    /// An object of each struct's fields.
    pub(crate) fn list<'py, T: Serialize>(
        &self,
        py: Python<'py>,
        values: &[T],
    ) -> PyResult<Bound<'py, PyList>> {
        let made: PyResult<Vec<_>> = values.iter().map(|value| self.of(py, value)).collect();
        PyList::new(py, made?)
    }
}

static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static TRACE: Class = Class::new("tracehouse.trace", "Trace");
static INFO: Class = Class::new("tracehouse.trace", "TraceInfo");
static SPAN: Class = Class::new("tracehouse.trace", "Span");
static ASSESSMENT: Class = Class::new("tracehouse.trace", "Assessment");
static REJECTED: Class = Class::new("tracehouse.reports", "Rejected");

macro_rules! set {
    ($dict:ident, $value:expr; $($name:ident),*) => {{
        let value = $value;
        $($dict.set_item(pyo3::intern!($dict.py(), stringify!($name)), &value.$name)?;)*
    }};
}

/// A trace.
pub(crate) fn trace<'py>(py: Python<'py>, trace: &Trace) -> PyResult<Bound<'py, PyAny>> {
    let spans: PyResult<Vec<_>> = trace.spans.iter().map(|row| span(py, row)).collect();
    let assessments: PyResult<Vec<_>> = trace
        .assessments
        .iter()
        .map(|row| assessment(py, row))
        .collect();
    let parts = (
        info(py, &trace.info)?,
        PyList::new(py, spans?)?,
        PyList::new(py, assessments?)?,
    );
    TRACE.get(py)?.call1(parts)
}

/// A trace without its spans and assessments.
pub(crate) fn bare_trace<'py>(py: Python<'py>, row: &TraceRow) -> PyResult<Bound<'py, PyAny>> {
    TRACE.get(py)?.call1((info(py, row)?,))
}

/// The row of a trace.
pub(crate) fn info<'py>(py: Python<'py>, row: &TraceRow) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    set! {
        dict, row; trace_id, experiment_id, name, state, request_time_ns, end_time_ns, duration_ns, service_name,
        session_id, user_id, client_request_id, request_preview, response_preview, span_count, error_span_count,
        models, tags, metadata, root_span_id
    }
    let usage: &Usage = &row.usage;
    set! {
        dict, usage; input_tokens, output_tokens, total_tokens, cache_read_input_tokens,
        cache_creation_input_tokens, cost_usd
    }
    INFO.make(&dict)
}

/// A span. Its JSON texts are handed over as they are; events and links as text, too.
pub(crate) fn span<'py>(py: Python<'py>, row: &Span) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    set! {
        dict, row; trace_id, span_id, parent_span_id, experiment_id, session_id, user_id, name, span_type, kind,
        status, status_message, start_time_ns, end_time_ns, service_name, scope_name, scope_version, operation, model,
        provider, tool_name, input_tokens, output_tokens, total_tokens, cache_read_input_tokens,
        cache_creation_input_tokens, cost_usd, cost_source, inputs, outputs, attributes, resource, extra
    }
    if !row.events.is_empty() {
        dict.set_item("events", to_python(py, &row.events)?)?;
    }
    if !row.links.is_empty() {
        dict.set_item("links", to_python(py, &row.links)?)?;
    }
    SPAN.make(&dict)
}

/// An assessment, its value parsed.
pub(crate) fn assessment<'py>(py: Python<'py>, row: &Assessment) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    set! {
        dict, row; assessment_id, trace_id, span_id, name, source_type, source_id, rationale, error_code,
        error_message, metadata, overrides, valid, created_at_ns, updated_at_ns
    }
    dict.set_item("type", row.kind.as_str())?;
    dict.set_item("value", json(py, &row.value)?)?;
    ASSESSMENT.make(&dict)
}

/// What a JSON text says, with the order of members and whole numbers of any size; the text itself where it is none.
pub(crate) fn json<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    match LOADS.import(py, "json", "loads")?.call1((text,)) {
        Err(error) if error.is_instance_of::<PyValueError>(py) => to_python(py, text),
        parsed => parsed,
    }
}

/// What an optional JSON text says.
pub(crate) fn optional_json<'py>(
    py: Python<'py>,
    text: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    text.map_or_else(|| Ok(py.None().into_bound(py)), |text| json(py, text))
}

/// Replaces a member of a report by objects of what was rejected.
pub(crate) fn set_rejected(dict: &Bound<'_, PyDict>, rejected: &[Rejected]) -> PyResult<()> {
    dict.set_item("rejected", REJECTED.list(dict.py(), rejected)?)
}
