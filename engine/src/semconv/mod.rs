//! Semantic conventions: the typed columns of a span from its attributes.
//!
//! [`producers`] has a table for each producer: which attribute key says what. The attributes are
//! walked once (`keys`); after that every column is a look at its own few slots. The other files are
//! one column or a few each, and say what is made of the values.
//!
//! Order: the producers in the order of their tables, the first being MLflow's own keys; attributes
//! before events; a value that says something before an empty one.

pub(crate) mod evaluation;
mod io;
mod keys;
mod listing;
pub(crate) mod logs;
mod messages;
mod model;
mod pending;
mod preview;
pub(crate) mod producers;
mod scope;
mod span_type;
mod stored;
pub(crate) use stored::Members;
mod usage;

#[cfg(test)]
mod tests;

pub use listing::{Convention, conventions};
pub(crate) use scope::STORE_TAGS;

use tracehouse_storage::join::LogMark;
use tracehouse_storage::model::{Span, TraceHint};
use tracehouse_storage::{TopHint, TopTexts};

use crate::otlp::read_object;
use crate::otlp::value::KeyValue;
use keys::Found;
use producers::Concern;

/// The name and attributes of an event.
pub(crate) type EventView<'v> = (&'v str, &'v [KeyValue<'v>]);

/// Fills the typed columns of `span` from its attributes and events, and for a root span what it
/// says of its trace. Expects ids, name, status and times to be set.
pub(crate) fn fill(span: &mut Span, attributes: &[KeyValue<'_>], events: &[EventView<'_>]) {
    pending::resolve(span, attributes);
    fill_columns(span, attributes, events, Vec::new());
}

/// Fills the typed columns anew of a stored span, of whose events so many at the end are log records. A cost that
/// was computed stays.
pub(crate) fn refill(span: &mut Span, records: usize) {
    let mut stored = std::mem::take(&mut span.events);
    let own_count = stored.len().saturating_sub(records);
    logs::put_in_order(stored.get_mut(own_count..).unwrap_or_default());
    let (own, told) = stored.split_at(own_count);
    let attributes = std::mem::take(&mut span.attributes);
    let pairs = read_object(&attributes);
    let events: Vec<(&str, Vec<KeyValue<'_>>)> = own
        .iter()
        .map(|event| (event.name.as_str(), read_object(&event.attributes)))
        .collect();
    let views: Vec<EventView<'_>> = events
        .iter()
        .map(|(name, pairs)| (*name, pairs.as_slice()))
        .collect();
    let (cost_usd, cost_source) = (span.cost_usd.take(), span.cost_source.take());
    fill_columns(
        span,
        &pairs,
        &views,
        told.iter().filter_map(logs::Record::new).collect(),
    );
    // What was computed when the span came gives way to what is reported now.
    if span.cost_usd.is_none() {
        (span.cost_usd, span.cost_source) = (cost_usd, cost_source);
    }
    drop(pairs);
    (span.attributes, span.events) = (attributes, stored);
}

/// Fills what a span that a program gives leaves open; what it says itself stays.
pub(crate) fn complete(span: &mut Span) {
    let records = LogMark::of(span.extra.as_deref()).map_or(0, |mark| mark.count);
    if pending::may_be(&span.attributes) {
        let attributes = std::mem::take(&mut span.attributes);
        pending::resolve(span, &read_object(&attributes));
        span.attributes = attributes;
    }
    if span.service_name.is_none() {
        let resource = read_object(&span.resource);
        let name = resource.iter().find(|pair| pair.key == "service.name");
        span.service_name = name.and_then(|pair| pair.value.to_text());
    }
    let mut said = Span {
        parent_span_id: span.parent_span_id.clone(),
        name: span.name.clone(),
        scope_name: span.scope_name.clone(),
        status: std::mem::take(&mut span.status),
        status_message: span.status_message.take(),
        attributes: std::mem::take(&mut span.attributes),
        events: std::mem::take(&mut span.events),
        ..Span::default()
    };
    refill(&mut said, records);
    (span.status, span.status_message) =
        (std::mem::take(&mut said.status), said.status_message.take());
    (span.attributes, span.events) = (
        std::mem::take(&mut said.attributes),
        std::mem::take(&mut said.events),
    );
    if span.span_type.is_empty() {
        span.span_type = span_type::UNKNOWN.to_string();
    }
    let hint = said.hint.take();
    let has_texts = span.inputs.is_some() || span.outputs.is_some();
    logs::fill_absent(span, said);
    if span.parent_span_id.is_none() && span.hint.is_none() {
        span.hint = if has_texts {
            Some(hint_of_top(&texts(span)).hint)
        } else {
            hint
        };
    }
}

fn texts(span: &Span) -> TopTexts<'_> {
    TopTexts {
        span_type: &span.span_type,
        inputs: span.inputs.as_deref(),
        outputs: span.outputs.as_deref(),
        attributes: &span.attributes,
    }
}

fn fill_columns(
    span: &mut Span,
    attributes: &[KeyValue<'_>],
    events: &[EventView<'_>],
    records: Vec<logs::Record<'_>>,
) {
    let found = Found::new(attributes);
    let (records, others) = logs::with_told(records, events);
    let events = others.as_deref().unwrap_or(events);
    span.span_type = span_type::of(&found, span.scope_name.as_deref(), &span.name);
    if span.span_type == span_type::UNKNOWN && events.iter().any(io::is_retrieval) {
        span.span_type = "RETRIEVER".to_string();
    }
    usage::fill(span, &found);
    span.session_id = scope::session_id(&found);
    span.user_id = scope::user_id(&found);
    span.inputs = io::inputs(&found, attributes, events);
    span.outputs = io::outputs(&found, attributes, events, &span.span_type);
    model::fill(span, &found);
    if !usage::counts_last_step(span, &found) {
        usage::fill_of_body(span, &found);
    }
    fill_status(span, &found);
    if !records.is_empty() {
        logs::fill(span, records);
    }
    if span.parent_span_id.is_none() {
        let (inputs, outputs) = (span.inputs.as_deref(), span.outputs.as_deref());
        span.hint = Some(hint(&found, attributes, inputs, outputs, &span.span_type));
    }
}

/// What a span that stands for the root says of its trace, made of what is stored of it: when it came,
/// nobody knew that it would.
pub(crate) fn hint_of_top(top: &TopTexts<'_>) -> TopHint {
    let attributes = stored::attributes(top.attributes);
    let found = Found::new(&attributes);
    TopHint {
        hint: hint(&found, &attributes, top.inputs, top.outputs, top.span_type),
        session_is_thread: scope::session_is_thread(&found),
    }
}

fn hint(
    found: &Found<'_>,
    attributes: &[KeyValue<'_>],
    inputs: Option<&str>,
    outputs: Option<&str>,
    span_type: &str,
) -> TraceHint {
    let telling = preview::of_telling(attributes);
    TraceHint {
        request_preview: said(inputs).map(|text| preview::of_request(text, &telling)),
        response_preview: said(outputs).map(|text| preview::of_response(text, &telling, span_type)),
        tags: scope::trace_tags(found, attributes),
        metadata: scope::trace_metadata(found, attributes),
    }
}

/// A payload that says something.
fn said(payload: Option<&str>) -> Option<&str> {
    payload.filter(|text| !io::says_nothing(text) && !io::is_hollow(text))
}

/// A level says that a span failed where its status does not say anything.
fn fill_status(span: &mut Span, found: &Found<'_>) {
    let is_error = found
        .first_word(Concern::Level)
        .is_some_and(|level| level.eq_ignore_ascii_case("error"));
    if is_error && span.status == "UNSET" {
        span.status = "ERROR".to_string();
    }
    if span.status_message.is_none() {
        span.status_message = found.first_word(Concern::LevelMessage);
    }
}
