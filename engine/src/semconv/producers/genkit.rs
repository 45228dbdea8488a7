//! Genkit (Firebase): the model's request and answer as JSON bodies, counts of tokens inside the latter.

use super::Concern::{
    CacheReadTokens, InputTokens, Inputs, OutputTokens, Outputs, RequestModel, ResponseModel,
    SpanType, TotalTokens,
};
use super::{Others, Producer, Words, key, member};

pub(in crate::semconv) const OUTPUT: &str = "genkit:output";

/// The words of `genkit:metadata:subtype`.
const SUBTYPES: &[(&str, &str)] = &[
    ("flow", "WORKFLOW"),
    ("model", "LLM"),
    ("tool", "TOOL"),
    ("retriever", "RETRIEVER"),
    ("embedder", "EMBEDDING"),
    ("prompt", "CHAIN"),
    ("evaluator", "EVALUATOR"),
    ("reranker", "RERANKER"),
    ("indexer", "CHAIN"),
    ("agent", "AGENT"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "genkit:metadata:subtype"),
        key(SpanType, "genkit:type"),
        member(ResponseModel, OUTPUT, &["raw.model", "raw.modelVersion"]),
        member(RequestModel, "genkit:input", &["model"]),
        member(InputTokens, OUTPUT, &["usage.inputTokens"]),
        member(OutputTokens, OUTPUT, &["usage.outputTokens"]),
        member(TotalTokens, OUTPUT, &["usage.totalTokens"]),
        member(
            CacheReadTokens,
            OUTPUT,
            &[
                "usage.cachedContentTokens",
                "raw.usage.prompt_tokens_details.cached_tokens",
            ],
        ),
        key(Inputs, "genkit:input"),
        key(Outputs, OUTPUT),
    ],
    words: &[
        Words {
            key: "genkit:metadata:subtype",
            types: SUBTYPES,
            others: Others::Nothing,
        },
        Words {
            key: "genkit:type",
            types: &[("util", "CHAIN"), ("flowStep", "TASK")],
            others: Others::Nothing,
        },
    ],
    ..Producer::new(
        "Genkit",
        "https://genkit.dev/docs/observability/getting-started/",
    )
};
