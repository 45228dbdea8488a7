//! The AI SDK of Vercel, versions 3 to 6.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, InputTokens, Inputs, Operation, OutputTokens, Outputs,
    Provider, RequestModel, ResponseModel, SessionId, SpanType, ThreadId, ToolName, TotalTokens,
    TraceLabels, UserId,
};
use super::{Entries, Into, Others, Producer, Words, key};

/// Counts the input of the last step alone, on the outer span of version 5 and before.
pub(in crate::semconv) const LAST_STEP_TOKENS: &str = "ai.usage.promptTokens";

/// What words of `ai.operationId` begin with.
const OPERATIONS: &[(&str, &str)] = &[
    ("ai.generateText", "LLM"),
    ("ai.streamText", "LLM"),
    ("ai.generateObject", "LLM"),
    ("ai.streamObject", "LLM"),
    ("ai.toolCall", "TOOL"),
    ("ai.embed", "EMBEDDING"),
    ("ai.rerank", "RERANKER"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "ai.operationId"),
        key(Operation, "ai.operationId"),
        key(ResponseModel, "ai.response.model"),
        key(RequestModel, "ai.model.id"),
        key(Provider, "ai.model.provider"),
        key(ToolName, "ai.toolCall.name"),
        key(InputTokens, "ai.usage.inputTokens"),
        key(InputTokens, LAST_STEP_TOKENS),
        key(InputTokens, "ai.usage.tokens"),
        key(OutputTokens, "ai.usage.outputTokens"),
        key(OutputTokens, "ai.usage.completionTokens"),
        key(TotalTokens, "ai.usage.totalTokens"),
        key(CacheReadTokens, "ai.usage.cachedInputTokens"),
        key(
            CacheReadTokens,
            "ai.usage.inputTokenDetails.cacheReadTokens",
        ),
        key(
            CacheCreationTokens,
            "ai.usage.inputTokenDetails.cacheWriteTokens",
        ),
        key(Inputs, "ai.prompt.messages"),
        key(Inputs, "ai.prompt"),
        key(Inputs, "ai.toolCall.args"),
        key(Inputs, "ai.value"),
        key(Inputs, "ai.values"),
        key(Inputs, "ai.documents"),
        key(Outputs, "ai.response.text"),
        key(Outputs, "ai.response.object"),
        key(Outputs, "ai.response.toolCalls"),
        key(Outputs, "ai.result.text"),
        key(Outputs, "ai.result.object"),
        key(Outputs, "ai.result.toolCalls"),
        key(Outputs, "ai.toolCall.result"),
        key(Outputs, "ai.ranking"),
        key(Outputs, "ai.embedding"),
        key(Outputs, "ai.embeddings"),
        key(SessionId, "ai.telemetry.metadata.sessionId"),
        key(SessionId, "ai.telemetry.metadata.session_id"),
        key(ThreadId, "ai.telemetry.metadata.threadId"),
        key(ThreadId, "ai.telemetry.metadata.thread_id"),
        key(ThreadId, "ai.telemetry.metadata.conversationId"),
        key(ThreadId, "ai.telemetry.metadata.conversation_id"),
        key(ThreadId, "ai.telemetry.metadata.chatId"),
        key(SessionId, "ai.settings.context.sessionId"),
        key(UserId, "ai.telemetry.metadata.userId"),
        key(UserId, "ai.settings.context.userId"),
        key(UserId, "ai.telemetry.metadata.user_id"),
        key(TraceLabels, "ai.telemetry.metadata.tags"),
    ],
    words: &[Words {
        key: "ai.operationId",
        types: OPERATIONS,
        others: Others::ByPrefix,
    }],
    entries: &[
        Entries {
            prefix: "ai.telemetry.metadata.",
            into: Into::Metadata,
        },
        Entries {
            prefix: "ai.settings.context.",
            into: Into::Metadata,
        },
    ],
    ..Producer::new(
        "Vercel AI SDK",
        "https://ai-sdk.dev/docs/ai-sdk-core/telemetry",
    )
};
