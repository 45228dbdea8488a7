//! Opik (Comet), as it reads OpenTelemetry spans.

use super::Concern::{SessionId, TraceLabels};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SessionId, "opik.thread_id"),
        key(SessionId, "thread_id"),
        key(SessionId, "conversation_id"),
        key(TraceLabels, "opik.tags"),
    ],
    ..Producer::new("Opik", "https://www.comet.com/docs/opik/tracing/opentelemetry/overview")
};
