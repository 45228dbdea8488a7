//! Spans that are sent twice: Logfire sends a stand-in of no length when a span begins, with an id
//! of its own, as a child of the span that it announces.
//!
//! The stand-in takes the place of the real span: its parent's id becomes its id, and it has not
//! ended. The rule that a span which has ended replaces an open one does the rest, in any order.

use tracehouse_storage::model::Span;

use crate::otlp::value::KeyValue;

const KIND: &str = "logfire.span_type";
const PENDING: &str = "pending_span";
const REAL_PARENT: &str = "logfire.pending_parent_id";

/// Whether a stand-in has these attributes, JSON object text. Some that have them are none.
pub(super) fn may_be(attributes: &str) -> bool {
    attributes.contains(PENDING)
}

/// Puts a stand-in into the place of the span that it announces; other spans stay as they are.
pub(super) fn resolve(span: &mut Span, attributes: &[KeyValue<'_>]) {
    let text = |key: &str| {
        attributes
            .iter()
            .find(|pair| pair.key == key)
            .and_then(|pair| pair.value.as_str())
    };
    if text(KIND) != Some(PENDING) {
        return;
    }
    let Some(parent) = text(REAL_PARENT) else {
        return;
    };
    let is_root = parent.bytes().all(|digit| digit == b'0');
    let parent = (!is_root).then(|| parent.to_ascii_lowercase());
    // One that is in its place already stays there.
    if span.parent_span_id == parent {
        return;
    }
    let Some(announced) = std::mem::replace(&mut span.parent_span_id, parent) else {
        return;
    };
    span.span_id = announced;
    span.end_time_ns = None;
}
