//! Functions that need no database.

use pyo3::prelude::*;
use pyo3::types::PyList;
use tracehouse::messages;
use tracehouse::model::Span;

use crate::objects::{self, Class};
use crate::{call, errors};

static CONVENTION: Class = Class::new("tracehouse.reports", "Convention");

#[pyfunction]
fn check_filter(py: Python<'_>, filter: &str) -> PyResult<()> {
    tracehouse::check_filter(filter).map_err(|error| errors::raised(py, &error))
}

#[pyfunction]
fn conventions(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    CONVENTION.list(py, &tracehouse::conventions())
}

#[pyfunction]
fn csv_cell(text: &str) -> String {
    tracehouse::csv_cell(text).into_owned()
}

#[pyfunction]
fn decode_otlp<'py>(
    py: Python<'py>,
    data: Vec<u8>,
    experiment_id: String,
) -> PyResult<(Bound<'py, PyList>, Vec<String>)> {
    let token = tracehouse::CancelToken::new();
    let work = move || tracehouse::decode_otlp(&data, &experiment_id);
    let decoded = call::run_until(py, &token, work)?.map_err(|error| errors::raised(py, &error))?;
    let spans: PyResult<Vec<_>> = decoded
        .spans
        .iter()
        .map(|span: &Span| objects::span(py, span))
        .collect();
    Ok((PyList::new(py, spans?)?, decoded.rejected))
}

/// Unix nanoseconds of a text.
#[pyfunction]
fn parse_time(py: Python<'_>, text: &str) -> PyResult<i64> {
    let wrong = || {
        let expected = "RFC 3339, a date in UTC, Unix milliseconds, `now() - 7d` or `24h` expected";
        errors::invalid(py, &format!("time {text:?}: {expected}"))
    };
    tracehouse::parse_time(text).ok_or_else(wrong)
}

/// A message: direction, index, role, content.
type Said = (&'static str, usize, String, Option<String>);

/// The messages of a span as SQL's view `messages` has them: those of its instructions and inputs, then its outputs.
/// `attributes` are JSON object text.
#[pyfunction]
#[pyo3(signature = (span_type, inputs, outputs, attributes))]
fn read_messages(
    py: Python<'_>,
    span_type: &str,
    inputs: Option<&str>,
    outputs: Option<&str>,
    attributes: &str,
) -> Vec<Said> {
    py.detach(|| {
        let given = messages::given(inputs, attributes).into_iter().enumerate();
        let made = messages::made(outputs, attributes, span_type);
        let made = made.into_iter().enumerate();
        given
            .map(|message| said("input", message))
            .chain(made.map(|message| said("output", message)))
            .collect()
    })
}

fn said(direction: &'static str, (index, message): (usize, messages::Message)) -> Said {
    let content = message.content.map(|content| content.as_sent().to_string());
    (direction, index, message.role, content)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(check_filter, module)?)?;
    module.add_function(wrap_pyfunction!(conventions, module)?)?;
    module.add_function(wrap_pyfunction!(csv_cell, module)?)?;
    module.add_function(wrap_pyfunction!(decode_otlp, module)?)?;
    module.add_function(wrap_pyfunction!(parse_time, module)?)?;
    module.add_function(wrap_pyfunction!(read_messages, module)?)
}
