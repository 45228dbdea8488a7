//! Pydantic Logfire's own instrumentations of model clients. It sends each span when it begins, too
//! (`pending_span`), which `pending` puts in the place of the real one.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, InputTokens, Inputs, OutputTokens, Outputs, TotalTokens,
    TraceLabels, TraceName,
};
use super::{Producer, key, member};

/// The answer of a model, with its usage in the words of OpenAI or Anthropic.
const RESPONSE: &str = "response_data";

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(Inputs, "request_data"),
        key(Outputs, RESPONSE),
        member(
            InputTokens,
            RESPONSE,
            &["usage.prompt_tokens", "usage.input_tokens"],
        ),
        member(
            OutputTokens,
            RESPONSE,
            &["usage.completion_tokens", "usage.output_tokens"],
        ),
        member(TotalTokens, RESPONSE, &["usage.total_tokens"]),
        member(
            CacheReadTokens,
            RESPONSE,
            &[
                "usage.prompt_tokens_details.cached_tokens",
                "usage.input_tokens_details.cached_tokens",
                "usage.cache_read_input_tokens",
            ],
        ),
        member(
            CacheCreationTokens,
            RESPONSE,
            &["usage.cache_creation_input_tokens"],
        ),
        // Names of spans are templates; this is one filled in.
        key(TraceName, "logfire.msg"),
        key(TraceLabels, "logfire.tags"),
    ],
    marks: &["logfire.span_type", "logfire.msg_template"],
    ..Producer::new(
        "Logfire",
        "https://logfire.pydantic.dev/docs/reference/sql/",
    )
};
