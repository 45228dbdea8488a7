//! A span of the SDK as OTLP's `Span`.
//!
//! What a span has is read from where the SDK keeps it (`_name`, `_attributes._dict`), since its public properties
//! make copies; where a version of the SDK, or a span of another making, has no such place, the public name is asked.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyIterator, PyString};

use super::value::{attributes, text};
use super::walk::{member, text_into};
use super::wire::Message;

/// Bits of `Span.flags`: whether the parent is remote is known, and it is.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Writes a span into the spans of its scope.
pub(super) fn span_into(message: &mut Message, span: &Bound<'_, PyAny>) -> PyResult<()> {
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
    time(
        message,
        7,
        &member(span, intern!(py, "_start_time"), intern!(py, "start_time"))?,
    )?;
    time(
        message,
        8,
        &member(span, intern!(py, "_end_time"), intern!(py, "end_time"))?,
    )?;
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

/// A time in Unix nanoseconds, where there is one.
pub(super) fn time(message: &mut Message, field: u64, time: &Bound<'_, PyAny>) -> PyResult<()> {
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
        None => of
            .getattr_opt(public)?
            .map_or(Ok(0), |count| count.extract()),
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
        let own = member(
            &event,
            intern!(py, "_attributes"),
            intern!(py, "attributes"),
        )?;
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
fn list_of<'py>(list: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
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
    let said = member(
        &status,
        intern!(py, "_description"),
        intern!(py, "description"),
    )?;
    text_into(message, 2, &said)?;
    let code = member(
        &status,
        intern!(py, "_status_code"),
        intern!(py, "status_code"),
    )?;
    message.count(3, number_of(&code)?);
    message.end(inner);
    Ok(())
}

/// The flags of a span with this parent, or of a link to it.
fn flags(context: &Bound<'_, PyAny>) -> PyResult<u32> {
    if context.is_none() {
        return Ok(HAS_IS_REMOTE);
    }
    let is_remote = context
        .getattr(intern!(context.py(), "is_remote"))?
        .is_truthy()?;
    Ok(HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 })
}
