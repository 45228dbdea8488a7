//! A span that a program made, as the engine has it. Its attributes are JSON texts by then.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyDictMethods};
use tracehouse::{Event, Link, Span};

use crate::errors;

/// The span of these fields; those that are `None` stay as a new span has them.
///
/// # Errors
/// `TypeError` naming the span and the field.
pub(super) fn span(fields: &Bound<'_, PyDict>) -> PyResult<Span> {
    let text = |name: &str| optional::<String>(fields, name);
    let required = |name: &str| {
        text(name)?.ok_or_else(|| errors::invalid(fields.py(), &format!("a span needs its {name}")))
    };
    let span = Span::new(
        &required("trace_id")?,
        required("span_id")?,
        required("name")?,
    );
    Ok(Span {
        parent_span_id: text("parent_span_id")?,
        experiment_id: text("experiment_id")?.unwrap_or(span.experiment_id),
        session_id: text("session_id")?,
        user_id: text("user_id")?,
        span_type: text("span_type")?.unwrap_or(span.span_type),
        kind: text("kind")?.unwrap_or(span.kind),
        status: text("status")?.unwrap_or(span.status),
        status_message: text("status_message")?,
        start_time_ns: optional(fields, "start_time_ns")?.unwrap_or_default(),
        end_time_ns: optional(fields, "end_time_ns")?,
        service_name: text("service_name")?,
        scope_name: text("scope_name")?,
        scope_version: text("scope_version")?,
        operation: text("operation")?,
        model: text("model")?,
        provider: text("provider")?,
        tool_name: text("tool_name")?,
        input_tokens: optional(fields, "input_tokens")?,
        output_tokens: optional(fields, "output_tokens")?,
        total_tokens: optional(fields, "total_tokens")?,
        cache_read_input_tokens: optional(fields, "cache_read_input_tokens")?,
        cache_creation_input_tokens: optional(fields, "cache_creation_input_tokens")?,
        cost_usd: optional(fields, "cost_usd")?,
        cost_source: text("cost_source")?,
        inputs: text("inputs")?,
        outputs: text("outputs")?,
        attributes: text("attributes")?.unwrap_or(span.attributes),
        resource: text("resource")?.unwrap_or(span.resource),
        extra: text("extra")?,
        events: events(fields)?,
        links: links(fields)?,
        ..span
    })
}

fn optional<'py, T>(fields: &Bound<'py, PyDict>, name: &str) -> PyResult<Option<T>>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let Some(value) = fields.get_item(name)?.filter(|value| !value.is_none()) else {
        return Ok(None);
    };
    let extracted: PyResult<T> = value.extract();
    extracted.map(Some).map_err(|error| {
        let id = fields.get_item("span_id").ok().flatten();
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        errors::invalid(
            fields.py(),
            &format!("span {id}: {name} is {value}: {error}"),
        )
    })
}

fn events(fields: &Bound<'_, PyDict>) -> PyResult<Vec<Event>> {
    let given: Vec<(i64, String, String)> = optional(fields, "events")?.unwrap_or_default();
    let events = given.into_iter();
    Ok(events
        .map(|(time_ns, name, attributes)| Event {
            time_ns,
            name,
            attributes,
        })
        .collect())
}

fn links(fields: &Bound<'_, PyDict>) -> PyResult<Vec<Link>> {
    let given: Vec<(String, String, String)> = optional(fields, "links")?.unwrap_or_default();
    let links = given.into_iter();
    Ok(links
        .map(|(trace_id, span_id, attributes)| Link {
            trace_id,
            span_id,
            attributes,
        })
        .collect())
}
