//! Semantic Kernel (Python): OpenTelemetry's keys; its texts are log records. Older versions and .NET have counts of their own.

use super::Concern::{InputTokens, OutputTokens, SpanType};
use super::{Others, Producer, Words, key};

pub(super) const PRODUCER: Producer = Producer {
    // The loop that calls tools until the model has answered.
    keys: &[
        key(SpanType, "sk.available_functions"),
        key(InputTokens, "gen_ai.response.prompt_tokens"),
        key(OutputTokens, "gen_ai.response.completion_tokens"),
    ],
    words: &[Words {
        key: "sk.available_functions",
        types: &[],
        others: Others::Always("CHAIN"),
    }],
    ..Producer::new(
        "Semantic Kernel",
        "https://learn.microsoft.com/en-us/semantic-kernel/concepts/enterprise-readiness/observability/",
    )
};
