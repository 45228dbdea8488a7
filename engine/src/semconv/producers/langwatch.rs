//! LangWatch.

use super::Concern::{Inputs, Outputs, SessionId, SpanType, TraceLabels, UserId};
use super::{Others, Producer, Words, key};

/// The words of `langwatch.span.type` that are no types themselves.
const TYPES: &[(&str, &str)] = &[
    ("span", "UNKNOWN"),
    ("rag", "RETRIEVER"),
    ("component", "CHAIN"),
    ("module", "CHAIN"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "langwatch.span.type"),
        key(Inputs, "langwatch.input"),
        key(Outputs, "langwatch.output"),
        key(SessionId, "langwatch.thread.id"),
        key(SessionId, "langwatch.thread_id"),
        key(UserId, "langwatch.user.id"),
        key(UserId, "langwatch.user_id"),
        key(TraceLabels, "langwatch.tags"),
        key(TraceLabels, "langwatch.labels"),
    ],
    words: &[Words {
        key: "langwatch.span.type",
        types: TYPES,
        others: Others::Own,
    }],
    ..Producer::new(
        "LangWatch",
        "https://docs.langwatch.ai/integration/opentelemetry/guide",
    )
};
