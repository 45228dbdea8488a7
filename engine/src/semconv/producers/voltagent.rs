//! VoltAgent: plain words, read only where `entity.type` is, which all of its spans have. A tool's
//! `tool.parameters` are its schema, so `input` goes before them.

use super::Concern::{
    CacheReadTokens, InputTokens, Inputs, OutputTokens, Outputs, RequestModel, SpanType, ThreadId,
    TotalTokens, UserId,
};
use super::{Others, Producer, Words, key};

/// Its words; `span.type` goes before it, since children inherit the entity of their agent.
const ENTITY: &str = "entity.type";

pub(super) const PRODUCER: Producer = Producer {
    marks: &[ENTITY],
    keys: &[
        key(SpanType, ENTITY),
        key(RequestModel, "llm.model"),
        key(RequestModel, "ai.model.name"),
        key(InputTokens, "usage.prompt_tokens"),
        key(OutputTokens, "usage.completion_tokens"),
        key(TotalTokens, "usage.total_tokens"),
        key(CacheReadTokens, "usage.cached_tokens"),
        key(CacheReadTokens, "llm.usage.cached_tokens"),
        key(Inputs, "agent.messages"),
        key(Inputs, "llm.messages"),
        key(Inputs, "input"),
        key(Outputs, "output"),
        key(ThreadId, "conversation.id"),
        key(ThreadId, "voltagent.conversation_id"),
        key(ThreadId, "conversationId"),
        key(UserId, "userId"),
    ],
    words: &[Words {
        key: ENTITY,
        types: &[
            ("agent", "AGENT"),
            ("workflow", "WORKFLOW"),
            ("tool", "TOOL"),
        ],
        others: Others::Nothing,
    }],
    ..Producer::new(
        "VoltAgent",
        "https://voltagent.dev/docs/observability/overview/",
    )
};
