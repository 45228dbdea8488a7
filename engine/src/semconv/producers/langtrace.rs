//! Langtrace, all versions: later ones send OpenTelemetry's keys beside some of these.

use super::Concern::{
    InputTokens, Inputs, OutputTokens, Outputs, Provider, ResponseModel, SpanType, ThreadId,
    TotalTokens,
};
use super::{Others, Producer, Words, key, member};

/// Counts as a JSON object.
const COUNTS: &str = "llm.token.counts";

/// The words of `langtrace.service.type`; that of a vector database is also that of a write.
const TYPES: &[(&str, &str)] = &[("llm", "LLM"), ("framework", "CHAIN")];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "langtrace.service.type"),
        // The request's, and then the answer's.
        key(ResponseModel, "llm.model"),
        key(Provider, "langtrace.service.name"),
        member(InputTokens, COUNTS, &["input_tokens", "prompt_tokens"]),
        member(
            OutputTokens,
            COUNTS,
            &["output_tokens", "completion_tokens"],
        ),
        member(TotalTokens, COUNTS, &["total_tokens"]),
        key(Inputs, "llm.prompts"),
        key(Inputs, "langchain.inputs"),
        key(Inputs, "llamaindex.inputs"),
        key(Inputs, "graphlit.inputs"),
        key(Inputs, "dspy.signature.args"),
        key(Inputs, "db.query"),
        key(Outputs, "llm.responses"),
        key(Outputs, "langchain.outputs"),
        key(Outputs, "llamaindex.outputs"),
        key(Outputs, "graphlit.outputs"),
        key(Outputs, "dspy.signature.result"),
        key(ThreadId, "llm.conversation_id"),
    ],
    words: &[Words {
        key: "langtrace.service.type",
        types: TYPES,
        others: Others::Nothing,
    }],
    ..Producer::new(
        "Langtrace",
        "https://github.com/Scale3-Labs/langtrace-trace-attributes/tree/main/schemas",
    )
};
