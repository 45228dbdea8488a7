//! Semantic conventions: the typed columns of a span from its attributes.
//!
//! Each file is one concern: a list of the attribute keys that carry it, best first, and what it
//! makes of their values. To understand another convention, add its keys to those lists. The
//! attributes are walked once (`keys`); after that every column is a look at its own few slots.
//!
//! Order: MLflow's own keys, then OpenInference, OTel GenAI, Traceloop, Google ADK, Vercel AI,
//! Laminar, Langfuse, as MLflow's store translates them; attributes before events.

mod io;
mod keys;
mod messages;
mod model;
mod preview;
mod scope;
mod span_type;
mod usage;

#[cfg(test)]
mod tests;

use tracehouse_storage::model::{Span, TraceHint};

use crate::otlp::value::KeyValue;
use keys::Found;

/// The name and attributes of an event.
pub(crate) type EventView<'v> = (&'v str, &'v [KeyValue<'v>]);

/// Fills the typed columns of `span` from its attributes and events, and for a root span what it
/// says of its trace. Expects `name` and `parent_span_id` to be set.
pub(crate) fn fill(span: &mut Span, attributes: &[KeyValue<'_>], events: &[EventView<'_>]) {
    let found = Found::new(attributes);
    span.span_type = span_type::of(&found);
    model::fill(span, &found);
    usage::fill(span, &found);
    span.session_id = scope::session_id(&found);
    span.user_id = scope::user_id(&found);
    span.inputs = io::inputs(&found, attributes, events);
    span.outputs = io::outputs(&found, attributes, events);
    if span.parent_span_id.is_none() {
        span.hint = Some(TraceHint {
            request_preview: span.inputs.as_deref().map(preview::of_request),
            response_preview: span.outputs.as_deref().map(preview::of_response),
            tags: scope::trace_tags(attributes),
            ..TraceHint::default()
        });
    }
}
