//! LangSmith's OpenTelemetry export.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, InputTokens, OutputTokens, RequestModel, SessionId,
    SpanType, ThreadId, TotalTokens, TraceLabels, UserId,
};
use super::{Entries, Into, Others, Producer, Words, key, member};

const USAGE: &str = "langsmith.metadata.usage_metadata";
/// Counts as JSON, or as Python prints them.
const INPUT_DETAILS: &str = "gen_ai.usage.input_token_details";

/// The words of `langsmith.span.kind` that are no types themselves.
const TYPES: &[(&str, &str)] = &[("prompt", "PROMPT")];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "langsmith.span.kind"),
        key(RequestModel, "langsmith.metadata.ls_model_name"),
        member(InputTokens, USAGE, &["input_tokens"]),
        member(OutputTokens, USAGE, &["output_tokens"]),
        member(TotalTokens, USAGE, &["total_tokens"]),
        member(CacheReadTokens, INPUT_DETAILS, &["cache_read"]),
        member(CacheCreationTokens, INPUT_DETAILS, &["cache_creation"]),
        member(CacheReadTokens, USAGE, &["input_token_details.cache_read"]),
        member(
            CacheCreationTokens,
            USAGE,
            &["input_token_details.cache_creation"],
        ),
        key(SessionId, "langsmith.metadata.session_id"),
        key(ThreadId, "langsmith.metadata.thread_id"),
        key(ThreadId, "langsmith.metadata.conversation_id"),
        key(UserId, "langsmith.metadata.user_id"),
        key(TraceLabels, "langsmith.span.tags"),
    ],
    words: &[Words {
        key: "langsmith.span.kind",
        types: TYPES,
        others: Others::Own,
    }],
    entries: &[Entries {
        prefix: "langsmith.metadata.",
        into: Into::Metadata,
    }],
    ..Producer::new(
        "LangSmith",
        "https://docs.langchain.com/langsmith/trace-with-opentelemetry",
    )
};
