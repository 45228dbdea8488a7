//! Langfuse's SDKs, which are OpenTelemetry since version 3. The parts of `usage_details` in its own
//! words are disjoint; `usage` adds them.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, Cost, InputTokens, Inputs, Level, LevelMessage,
    OutputTokens, Outputs, RequestModel, SessionId, SpanType, ThreadId, TotalTokens, TraceLabels,
    TraceMetadata, TraceName, UserId,
};
use super::{Entries, Into, Others, Producer, Words, key, member};

/// The counts of tokens, as a JSON object.
pub(in crate::semconv) const USAGE: &str = "langfuse.observation.usage_details";

/// The words of `langfuse.observation.type` that are no types themselves.
const TYPES: &[(&str, &str)] = &[
    ("generation", "LLM"),
    ("span", "UNKNOWN"),
    ("event", "UNKNOWN"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "langfuse.observation.type"),
        key(RequestModel, "langfuse.observation.model.name"),
        member(
            InputTokens,
            USAGE,
            &["input", "input_tokens", "prompt_tokens"],
        ),
        member(
            OutputTokens,
            USAGE,
            &["output", "output_tokens", "completion_tokens"],
        ),
        member(TotalTokens, USAGE, &["total", "total_tokens"]),
        member(
            CacheReadTokens,
            USAGE,
            &[
                "cache_read_input_tokens",
                "input_cached_tokens",
                "input_cache_read",
                "prompt_tokens_details.cached_tokens",
                "input_tokens_details.cached_tokens",
            ],
        ),
        member(
            CacheCreationTokens,
            USAGE,
            &[
                "cache_creation_input_tokens",
                "input_cache_creation",
                "input_cache_write",
            ],
        ),
        key(Cost, "langfuse.observation.cost_details"),
        key(Inputs, "langfuse.observation.input"),
        key(Inputs, "langfuse.trace.input"),
        key(Outputs, "langfuse.observation.output"),
        key(Outputs, "langfuse.trace.output"),
        key(SessionId, "langfuse.session.id"),
        key(ThreadId, "langfuse.trace.metadata.thread_id"),
        key(UserId, "langfuse.user.id"),
        key(TraceName, "langfuse.trace.name"),
        key(TraceLabels, "langfuse.trace.tags"),
        key(TraceLabels, "langfuse.tags"),
        key(TraceMetadata, "langfuse.trace.metadata"),
        key(TraceMetadata, "langfuse.version"),
        key(TraceMetadata, "langfuse.release"),
        key(TraceMetadata, "langfuse.environment"),
        key(Level, "langfuse.observation.level"),
        key(LevelMessage, "langfuse.observation.status_message"),
    ],
    words: &[Words {
        key: "langfuse.observation.type",
        types: TYPES,
        others: Others::Own,
    }],
    entries: &[Entries {
        prefix: "langfuse.trace.metadata.",
        into: Into::Metadata,
    }],
    ..Producer::new(
        "Langfuse",
        "https://langfuse.com/integrations/native/opentelemetry#property-mapping",
    )
};
