//! Braintrust: its SDKs for Go, Java, Ruby and .NET send these, its Python and JavaScript ones to an API of their own.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, InputTokens, Inputs, OutputTokens, Outputs, Provider,
    ResponseModel, SessionId, SpanType, TotalTokens, TraceLabels, TraceMetadata, UserId,
};
use super::{Others, Producer, Words, key, member};

const METADATA: &str = "braintrust.metadata";
const METRICS: &str = "braintrust.metrics";

/// What types are called.
const TYPES: &[(&str, &str)] = &[
    ("function", "TOOL"),
    ("score", "EVALUATOR"),
    ("scorer", "EVALUATOR"),
    ("eval", "EVALUATOR"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        member(SpanType, "braintrust.span_attributes", &["type"]),
        key(SpanType, "braintrust.span_attributes.type"),
        member(ResponseModel, METADATA, &["model"]),
        member(Provider, METADATA, &["provider"]),
        member(InputTokens, METRICS, &["prompt_tokens"]),
        key(InputTokens, "braintrust.metrics.prompt_tokens"),
        member(OutputTokens, METRICS, &["completion_tokens"]),
        key(OutputTokens, "braintrust.metrics.completion_tokens"),
        member(TotalTokens, METRICS, &["tokens"]),
        key(TotalTokens, "braintrust.metrics.tokens"),
        member(CacheReadTokens, METRICS, &["prompt_cached_tokens"]),
        member(
            CacheCreationTokens,
            METRICS,
            &["prompt_cache_creation_tokens"],
        ),
        key(Inputs, "braintrust.input_json"),
        key(Inputs, "braintrust.input"),
        key(Outputs, "braintrust.output_json"),
        key(Outputs, "braintrust.output"),
        member(SessionId, METADATA, &["session_id", "sessionId"]),
        member(UserId, METADATA, &["user_id", "userId"]),
        key(TraceLabels, "braintrust.tags"),
        key(TraceMetadata, METADATA),
    ],
    words: &[
        Words {
            key: "braintrust.span_attributes",
            types: TYPES,
            others: Others::Own,
        },
        Words {
            key: "braintrust.span_attributes.type",
            types: TYPES,
            others: Others::Own,
        },
    ],
    ..Producer::new(
        "Braintrust",
        "https://www.braintrust.dev/docs/integrations/sdk-integrations/opentelemetry/attributes",
    )
};
