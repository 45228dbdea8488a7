//! Laminar.

use super::Concern::{Inputs, Outputs, SessionId, SpanType, TraceLabels, UserId};
use super::{Entries, Into, Others, Producer, Words, key};

/// The words of `lmnr.span.type` that are no types themselves.
const TYPES: &[(&str, &str)] = &[
    ("default", "CHAIN"),
    ("pipeline", "CHAIN"),
    ("executor", "AGENT"),
    ("human_evaluator", "EVALUATOR"),
    ("evaluation", "EVALUATOR"),
    ("cached", "LLM"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "lmnr.span.type"),
        key(Inputs, "lmnr.span.input"),
        key(Outputs, "lmnr.span.output"),
        key(SessionId, "lmnr.association.properties.session_id"),
        key(UserId, "lmnr.association.properties.user_id"),
        key(TraceLabels, "lmnr.association.properties.tags"),
    ],
    words: &[Words {
        key: "lmnr.span.type",
        types: TYPES,
        others: Others::Own,
    }],
    entries: &[Entries {
        prefix: "lmnr.association.properties.metadata.",
        into: Into::Metadata,
    }],
    ..Producer::new("Laminar", "https://docs.lmnr.ai/tracing/introduction")
};
