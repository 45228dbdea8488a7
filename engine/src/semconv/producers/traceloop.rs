//! Traceloop (OpenLLMetry).

use super::Concern::{
    Cost, InputTokens, Inputs, Operation, OutputTokens, Outputs, Provider, RequestModel,
    ResponseModel, SessionId, SpanType, ThreadId, ToolName, TotalTokens, UserId,
};
use super::{Entries, Into, Others, Producer, Words, key};

/// The words of `llm.request.type`.
const REQUEST_TYPES: &[(&str, &str)] = &[
    ("chat", "CHAT_MODEL"),
    ("completion", "LLM"),
    ("embedding", "EMBEDDING"),
    ("rerank", "RERANKER"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "traceloop.span.kind"),
        key(SpanType, "llm.request.type"),
        key(SpanType, "gen_ai.guardrail.status"),
        key(Operation, "llm.request.type"),
        key(ResponseModel, "llm.response.model"),
        key(RequestModel, "llm.request.model"),
        key(Provider, "llm.vendor"),
        key(InputTokens, "llm.usage.prompt_tokens"),
        key(OutputTokens, "llm.usage.completion_tokens"),
        key(TotalTokens, "llm.usage.total_tokens"),
        key(Cost, "llm.usage.cost"),
        key(Inputs, "traceloop.entity.input"),
        key(Inputs, "gen_ai.task.input"),
        key(Inputs, "crewai.task.description"),
        key(Inputs, "tool.arguments"),
        key(Inputs, "gen_ai.guardrail.input"),
        key(Inputs, "db.marqo.search.query"),
        key(Inputs, "pinecone.query.queries"),
        key(Outputs, "traceloop.entity.output"),
        key(Outputs, "gen_ai.task.output"),
        key(Outputs, "crewai.crew.result"),
        key(Outputs, "gen_ai.guardrail.output"),
        key(Outputs, "gen_ai.guardrail.status"),
        key(SessionId, "traceloop.association.properties.session_id"),
        key(ThreadId, "traceloop.association.properties.thread_id"),
        key(ThreadId, "traceloop.association.properties.conversation_id"),
        key(ThreadId, "traceloop.association.properties.chat_id"),
        key(UserId, "traceloop.association.properties.user_id"),
        key(UserId, "llm.user"),
        key(ToolName, "mcp.tool.name"),
    ],
    words: &[
        Words {
            key: "traceloop.span.kind",
            types: &[],
            others: Others::Own,
        },
        Words {
            key: "llm.request.type",
            types: REQUEST_TYPES,
            others: Others::Nothing,
        },
        Words {
            key: "gen_ai.guardrail.status",
            types: &[],
            others: Others::Always("GUARDRAIL"),
        },
    ],
    indexed_outputs: &["llm.completions."],
    entries: &[Entries {
        prefix: "traceloop.association.properties.",
        into: Into::Metadata,
    }],
    ..Producer::new(
        "Traceloop",
        "https://github.com/traceloop/openllmetry/tree/main/packages/opentelemetry-semantic-conventions-ai",
    )
};
