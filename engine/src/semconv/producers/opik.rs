//! Opik (Comet), as it reads OpenTelemetry spans.

use super::Concern::{SessionId, ThreadId, TraceLabels};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(ThreadId, "opik.thread_id"),
        key(SessionId, "session_id"),
        key(ThreadId, "thread_id"),
        key(ThreadId, "conversation_id"),
        key(TraceLabels, "opik.tags"),
    ],
    ..Producer::new(
        "Opik",
        "https://www.comet.com/docs/opik/tracing/opentelemetry/overview",
    )
};
