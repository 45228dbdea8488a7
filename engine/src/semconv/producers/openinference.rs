//! OpenInference (Arize Phoenix).

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, Cost, CostPart, InputTokens, Inputs, OutputTokens,
    Outputs, Provider, RequestModel, ResponseModel, SessionId, SpanType, ThreadId, ToolName,
    TotalTokens, TraceLabels, TraceMetadata, UserId,
};
use super::{Others, Producer, Words, key, member};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "openinference.span.kind"),
        // A validator of a guard, which has no kind.
        key(SpanType, "validator_on_fail"),
        key(ResponseModel, "llm.response.model_name"),
        key(RequestModel, "llm.model_name"),
        key(RequestModel, "llm.request.model_name"),
        key(RequestModel, "embedding.model_name"),
        key(RequestModel, "reranker.model_name"),
        key(Provider, "llm.provider"),
        key(Provider, "llm.system"),
        key(ToolName, "tool.name"),
        key(InputTokens, "llm.token_count.prompt"),
        key(OutputTokens, "llm.token_count.completion"),
        key(TotalTokens, "llm.token_count.total"),
        key(CacheReadTokens, "llm.token_count.prompt_details.cache_read"),
        key(
            CacheCreationTokens,
            "llm.token_count.prompt_details.cache_write",
        ),
        key(Cost, "llm.cost.total"),
        key(CostPart, "llm.cost.prompt"),
        key(CostPart, "llm.cost.completion"),
        key(Inputs, "input.value"),
        key(Inputs, "tool.parameters"),
        key(Inputs, "reranker.query"),
        key(Outputs, "output.value"),
        key(SessionId, "session.id"),
        member(SessionId, "metadata", &["session_id", "sessionId"]),
        member(
            ThreadId,
            "metadata",
            &["thread_id", "conversation_id", "threadId"],
        ),
        key(UserId, "user.id"),
        member(UserId, "metadata", &["user_id", "userId"]),
        key(TraceLabels, "tag.tags"),
        key(TraceMetadata, "metadata"),
    ],
    words: &[
        Words {
            key: "openinference.span.kind",
            types: &[],
            others: Others::Own,
        },
        Words {
            key: "validator_on_fail",
            types: &[],
            others: Others::Always("GUARDRAIL"),
        },
    ],
    indexed_inputs: &[
        "llm.input_messages.",
        "llm.prompts.",
        "reranker.input_documents.",
        "embedding.embeddings.",
    ],
    indexed_outputs: &[
        "llm.output_messages.",
        "llm.choices.",
        "retrieval.documents.",
        "reranker.output_documents.",
    ],
    ..Producer::new(
        "OpenInference",
        "https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md",
    )
};
