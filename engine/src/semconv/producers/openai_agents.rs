//! Exports of the OpenAI Agents SDK: the members of `span_data`, as the import of its files writes them.

use super::Concern::{
    CacheReadTokens, InputTokens, Inputs, OutputTokens, Outputs, RequestModel, SpanType,
    TotalTokens,
};
use super::{Others, Producer, Words, key, member};

const USAGE: &str = "span_data.usage";

/// The words of `span_data.type`.
const TYPES: &[(&str, &str)] = &[
    ("agent", "AGENT"),
    ("function", "TOOL"),
    ("generation", "LLM"),
    ("response", "LLM"),
    ("transcription", "LLM"),
    ("speech", "LLM"),
    ("guardrail", "GUARDRAIL"),
    ("handoff", "CHAIN"),
    ("mcp_tools", "CHAIN"),
    ("speech_group", "CHAIN"),
    ("custom", "CHAIN"),
    ("task", "TASK"),
    ("turn", "CHAIN"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "span_data.type"),
        key(RequestModel, "span_data.model"),
        member(InputTokens, USAGE, &["input_tokens", "prompt_tokens"]),
        member(OutputTokens, USAGE, &["output_tokens", "completion_tokens"]),
        member(TotalTokens, USAGE, &["total_tokens"]),
        member(
            CacheReadTokens,
            USAGE,
            &[
                "input_tokens_details.cached_tokens",
                "prompt_tokens_details.cached_tokens",
            ],
        ),
        key(Inputs, "span_data.input"),
        key(Outputs, "span_data.output"),
    ],
    words: &[Words {
        key: "span_data.type",
        types: TYPES,
        others: Others::Own,
    }],
    ..Producer::new(
        "OpenAI Agents SDK, exported",
        "https://github.com/openai/openai-agents-python/blob/main/src/agents/tracing/span_data.py",
    )
};
