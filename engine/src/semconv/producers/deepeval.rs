//! DeepEval (Confident AI).

use super::Concern::{
    InputTokens, Inputs, LevelMessage, OutputTokens, Outputs, RequestModel, SpanType, ThreadId,
    ToolName, TraceLabels, TraceMetadata, TraceName, UserId,
};
use super::{Others, Producer, Words, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "confident.span.type"),
        key(RequestModel, "confident.llm.model"),
        key(ToolName, "confident.tool.name"),
        key(InputTokens, "confident.llm.input_token_count"),
        key(OutputTokens, "confident.llm.output_token_count"),
        key(Inputs, "confident.span.input"),
        key(Inputs, "confident.trace.input"),
        key(Outputs, "confident.span.output"),
        key(Outputs, "confident.span.retrieval_context"),
        key(Outputs, "confident.trace.output"),
        key(ThreadId, "confident.trace.thread_id"),
        key(UserId, "confident.trace.user_id"),
        key(TraceName, "confident.trace.name"),
        key(TraceLabels, "confident.trace.tags"),
        key(TraceMetadata, "confident.trace.metadata"),
        key(LevelMessage, "confident.span.error"),
    ],
    words: &[Words {
        key: "confident.span.type",
        types: &[
            ("llm", "LLM"),
            ("agent", "AGENT"),
            ("tool", "TOOL"),
            ("retriever", "RETRIEVER"),
            ("base", "CHAIN"),
        ],
        others: Others::Nothing,
    }],
    ..Producer::new(
        "DeepEval",
        "https://www.confident-ai.com/docs/integrations/opentelemetry",
    )
};
