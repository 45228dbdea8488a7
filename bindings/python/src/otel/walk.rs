//! The walk over spans of the OpenTelemetry SDK: from `ReadableSpan` to one OTLP request.
//!
//! What a span has is read from where the SDK keeps it (`_name`, `_attributes._dict`), since its public properties
//! make copies; where a version of the SDK, or a span of another making, has no such place, the public name is asked.
//!
//! **Invariant**: the request is the one that the official encoder makes of the same spans, but for what `value` keeps
//! and the order of resources and scopes (`tests/test_otel_contract.py`).

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use super::value::{attributes, text};
use super::wire::Message;

/// Bytes that a span is expected to need, to ask for memory once.
const SPAN_BYTES: usize = 1_024;
/// Bits of `Span.flags`: whether the parent is remote is known, and it is.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// What was made of spans.
pub(super) struct Walked {
    /// An `ExportTraceServiceRequest`.
    pub(super) request: Vec<u8>,
    /// The spans that are no spans, each with the reason.
    pub(super) rejected: Vec<String>,
}

/// The spans of one scope of one resource.
struct Group<'py> {
    resource: Bound<'py, PyAny>,
    scope: Bound<'py, PyAny>,
    spans: Message,
}

/// Walks spans of the SDK. A span that cannot be read is left out and named.
pub(super) fn walk(spans: &Bound<'_, PyAny>) -> PyResult<Walked> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut rejected = Vec::new();
    for span in spans.try_iter()? {
        let span = span?;
        if let Err(error) = add(&mut groups, &span) {
            rejected.push(format!("{}: {error}", named(&span)));
        }
    }
    let bytes: usize = groups.iter().map(|group| group.spans.len()).sum();
    let mut request = Message::with_capacity(bytes + SPAN_BYTES * groups.len());
    for group in groups {
        resource_spans(&mut request, group)?;
    }
    Ok(Walked {
        request: request.into_bytes(),
        rejected,
    })
}

/// How a message names a span that cannot be read.
fn named(span: &Bound<'_, PyAny>) -> String {
    let name = span.getattr(intern!(span.py(), "name"));
    match name.and_then(|name| name.str().map(|name| name.to_string_lossy().into_owned())) {
        Ok(name) => format!("span '{name}'"),
        Err(_) => "what is no span".to_string(),
    }
}

fn add<'py>(groups: &mut Vec<Group<'py>>, span: &Bound<'py, PyAny>) -> PyResult<()> {
    let py = span.py();
    let resource = member(span, intern!(py, "_resource"), intern!(py, "resource"))?;
    let scope = member(
        span,
        intern!(py, "_instrumentation_scope"),
        intern!(py, "instrumentation_scope"),
    )?;
    let is_here = |group: &Group<'py>| group.scope.is(&scope) && group.resource.is(&resource);
    // Spans of one scope mostly follow each other.
    let place = match groups.iter().rposition(is_here) {
        Some(place) => place,
        None => {
            groups.push(Group {
                resource,
                scope,
                spans: Message::with_capacity(SPAN_BYTES * 8),
            });
            groups.len() - 1
        }
    };
    let Some(group) = groups.get_mut(place) else {
        return Ok(());
    };
    let before = group.spans.len();
    let written = span_into(&mut group.spans, span);
    if written.is_err() {
        group.spans.truncate(before);
    }
    written
}

/// A member of the SDK's, by where it is kept or by its public name.
fn member<'py>(
    of: &Bound<'py, PyAny>,
    kept: &Bound<'py, PyString>,
    public: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    of.getattr(kept).or_else(|_| of.getattr(public))
}

/// A text, which is empty where there is none.
fn text_into(message: &mut Message, field: u64, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(string) = value.cast::<PyString>() {
        message.text(field, &text(string)?);
    }
    Ok(())
}

fn resource_spans(request: &mut Message, group: Group<'_>) -> PyResult<()> {
    let Group {
        resource,
        scope,
        spans,
    } = group;
    let py = resource.py();
    let of_resource_spans = request.begin(1);
    let of_resource = request.begin(1);
    if !resource.is_none() {
        attributes(
            request,
            1,
            &member(&resource, intern!(py, "_attributes"), intern!(py, "attributes"))?,
        )?;
    }
    request.end(of_resource);
    let of_scope_spans = request.begin(2);
    let of_scope = request.begin(1);
    if !scope.is_none() {
        text_into(request, 1, &scope.getattr(intern!(py, "name"))?)?;
        text_into(request, 2, &scope.getattr(intern!(py, "version"))?)?;
        // Scopes have attributes since 1.27 of the SDK.
        if let Ok(of_scope) = scope.getattr(intern!(py, "attributes")) {
            attributes(request, 3, &of_scope)?;
        }
    }
    request.end(of_scope);
    request.append(spans);
    if let Ok(url) = scope.getattr(intern!(py, "schema_url")) {
        text_into(request, 3, &url)?;
    }
    request.end(of_scope_spans);
    if let Ok(url) = resource.getattr(intern!(py, "schema_url")) {
        text_into(request, 3, &url)?;
    }
    request.end(of_resource_spans);
    Ok(())
}

fn span_into(message: &mut Message, span: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = span.py();
    let inner = message.begin(2);
    let context = member(span, intern!(py, "_context"), intern!(py, "context"))?;
    ids(message, &context, 1, 2)?;
    trace_state(message, &context)?;
    let parent = member(span, intern!(py, "_parent"), intern!(py, "parent"))?;
    if !parent.is_none() {
        let id: u64 = parent.getattr(intern!(py, "span_id"))?.extract()?;
        message.bytes(4, &id.to_be_bytes());
    }
    let name = member(span, intern!(py, "_name"), intern!(py, "name"))?;
    message.text(5, &text(name.cast::<PyString>()?)?);
    let kind = member(span, intern!(py, "_kind"), intern!(py, "kind"))?;
    // The SDK counts its kinds from 0, OTLP has "unspecified" there.
    message.count(6, number_of(&kind)? + 1);
    time(message, 7, &member(span, intern!(py, "_start_time"), intern!(py, "start_time"))?)?;
    time(message, 8, &member(span, intern!(py, "_end_time"), intern!(py, "end_time"))?)?;
    let own = member(span, intern!(py, "_attributes"), intern!(py, "attributes"))?;
    attributes(message, 9, &own)?;
    message.count(10, dropped(&own, span, intern!(py, "dropped_attributes"))?);
    events(message, span)?;
    links(message, span)?;
    status(message, span)?;
    message.fixed32(16, flags(&parent)?);
    message.end(inner);
    Ok(())
}

/// Writes a trace id and a span id.
fn ids(
    message: &mut Message,
    context: &Bound<'_, PyAny>,
    trace_field: u64,
    span_field: u64,
) -> PyResult<()> {
    let py = context.py();
    let trace_id: u128 = context.getattr(intern!(py, "trace_id"))?.extract()?;
    let span_id: u64 = context.getattr(intern!(py, "span_id"))?.extract()?;
    message.bytes(trace_field, &trace_id.to_be_bytes());
    message.bytes(span_field, &span_id.to_be_bytes());
    Ok(())
}

fn trace_state(message: &mut Message, context: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = context.py();
    let state = context.getattr(intern!(py, "trace_state"))?;
    if state.is_none() || state.len()? == 0 {
        return Ok(());
    }
    text_into(message, 3, &state.call_method0(intern!(py, "to_header"))?)
}

fn time(message: &mut Message, field: u64, time: &Bound<'_, PyAny>) -> PyResult<()> {
    if !time.is_none() {
        message.fixed64(field, time.cast::<PyInt>()?.extract()?);
    }
    Ok(())
}

/// The number of a word of an `Enum`.
fn number_of(word: &Bound<'_, PyAny>) -> PyResult<u32> {
    let py = word.py();
    member(word, intern!(py, "_value_"), intern!(py, "value"))?.extract()
}

/// How many the SDK dropped of attributes, events or links: what keeps them counts.
fn dropped(
    kept: &Bound<'_, PyAny>,
    of: &Bound<'_, PyAny>,
    public: &Bound<'_, PyString>,
) -> PyResult<u32> {
    match kept.getattr_opt(intern!(kept.py(), "dropped"))? {
        Some(count) => count.extract(),
        None => of.getattr_opt(public)?.map_or(Ok(0), |count| count.extract()),
    }
}

fn events(message: &mut Message, span: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = span.py();
    let events = member(span, intern!(py, "_events"), intern!(py, "events"))?;
    for event in list_of(&events)? {
        let event = event?;
        let inner = message.begin(11);
        let at = member(&event, intern!(py, "_timestamp"), intern!(py, "timestamp"))?;
        time(message, 1, &at)?;
        let name = member(&event, intern!(py, "_name"), intern!(py, "name"))?;
        message.text(2, &text(name.cast::<PyString>()?)?);
        let own = member(&event, intern!(py, "_attributes"), intern!(py, "attributes"))?;
        attributes(message, 3, &own)?;
        message.count(4, dropped(&own, &event, intern!(py, "dropped_attributes"))?);
        message.end(inner);
    }
    message.count(12, dropped(&events, span, intern!(py, "dropped_events"))?);
    Ok(())
}

fn links(message: &mut Message, span: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = span.py();
    let links = member(span, intern!(py, "_links"), intern!(py, "links"))?;
    for link in list_of(&links)? {
        let link = link?;
        let inner = message.begin(13);
        let context = link.getattr(intern!(py, "context"))?;
        ids(message, &context, 1, 2)?;
        let own = member(&link, intern!(py, "_attributes"), intern!(py, "attributes"))?;
        attributes(message, 4, &own)?;
        message.count(5, dropped(&own, &link, intern!(py, "dropped_attributes"))?);
        message.fixed32(6, flags(&context)?);
        message.end(inner);
    }
    message.count(14, dropped(&links, span, intern!(py, "dropped_links"))?);
    Ok(())
}

/// What the SDK's list holds: its own `__iter__` is Python.
fn list_of<'py>(list: &Bound<'py, PyAny>) -> PyResult<Bound<'py, pyo3::types::PyIterator>> {
    match list.getattr_opt(intern!(list.py(), "_dq"))? {
        Some(kept) => kept.try_iter(),
        None => list.try_iter(),
    }
}

fn status(message: &mut Message, span: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = span.py();
    let status = member(span, intern!(py, "_status"), intern!(py, "status"))?;
    if status.is_none() {
        return Ok(());
    }
    let inner = message.begin(15);
    let said = member(&status, intern!(py, "_description"), intern!(py, "description"))?;
    text_into(message, 2, &said)?;
    let code = member(&status, intern!(py, "_status_code"), intern!(py, "status_code"))?;
    message.count(3, number_of(&code)?);
    message.end(inner);
    Ok(())
}

/// The flags of a span with this parent, or of a link to it.
fn flags(context: &Bound<'_, PyAny>) -> PyResult<u32> {
    if context.is_none() {
        return Ok(HAS_IS_REMOTE);
    }
    let is_remote = context.getattr(intern!(context.py(), "is_remote"))?.is_truthy()?;
    Ok(HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 })
}
