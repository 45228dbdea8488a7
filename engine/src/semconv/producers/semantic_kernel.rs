//! Semantic Kernel (Python): OpenTelemetry's keys; its texts are log records.

use super::Concern::SpanType;
use super::{Others, Producer, Words, key};

pub(super) const PRODUCER: Producer = Producer {
    // The loop that calls tools until the model has answered.
    keys: &[key(SpanType, "sk.available_functions")],
    words: &[Words { key: "sk.available_functions", types: &[], others: Others::Always("CHAIN") }],
    ..Producer::new(
        "Semantic Kernel",
        "https://learn.microsoft.com/en-us/semantic-kernel/concepts/enterprise-readiness/observability/",
    )
};
