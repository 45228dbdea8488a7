//! Haystack's own tracing: what a component, pipeline or agent got and gave, types by the names of classes.

use super::Concern::{
    CacheReadTokens, InputTokens, Inputs, OutputTokens, Outputs, ResponseModel, SpanType, ToolName,
    TotalTokens,
};
use super::{Others, Producer, Words, key, member};

/// What a component gave; generators have models and counts in it.
const OUTPUT: &str = "haystack.component.output";

/// How names of component classes end, longer endings first.
const COMPONENTS: &[(&str, &str)] = &[
    ("Generator", "LLM"),
    ("Embedder", "EMBEDDING"),
    ("Retriever", "RETRIEVER"),
    ("Ranker", "RERANKER"),
    ("ToolInvoker", "TOOL"),
    ("Builder", "CHAIN"),
    ("Agent", "AGENT"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "haystack.component.type"),
        // A run of a pipeline or an agent has these, whether its contents are sent or not.
        key(SpanType, "haystack.pipeline.max_runs_per_component"),
        key(SpanType, "haystack.agent.max_steps"),
        member(
            ResponseModel,
            OUTPUT,
            &["replies.0.meta.model", "meta.0.model", "meta.model"],
        ),
        member(
            InputTokens,
            OUTPUT,
            &[
                "replies.0.meta.usage.prompt_tokens",
                "meta.0.usage.prompt_tokens",
                "meta.usage.prompt_tokens",
            ],
        ),
        member(
            OutputTokens,
            OUTPUT,
            &[
                "replies.0.meta.usage.completion_tokens",
                "meta.0.usage.completion_tokens",
                "meta.usage.completion_tokens",
            ],
        ),
        member(
            TotalTokens,
            OUTPUT,
            &[
                "replies.0.meta.usage.total_tokens",
                "meta.0.usage.total_tokens",
                "meta.usage.total_tokens",
            ],
        ),
        member(
            CacheReadTokens,
            OUTPUT,
            &[
                "replies.0.meta.usage.prompt_tokens_details.cached_tokens",
                "meta.0.usage.prompt_tokens_details.cached_tokens",
            ],
        ),
        member(
            ToolName,
            OUTPUT,
            &["tool_messages.0.content.0.tool_call_result.origin.tool_name"],
        ),
        key(Inputs, "haystack.component.input"),
        key(Inputs, "haystack.agent.input"),
        key(Inputs, "haystack.pipeline.input_data"),
        key(Outputs, OUTPUT),
        key(Outputs, "haystack.agent.output"),
        key(Outputs, "haystack.pipeline.output_data"),
    ],
    words: &[
        Words {
            key: "haystack.component.type",
            types: COMPONENTS,
            others: Others::BySuffix,
        },
        Words {
            key: "haystack.pipeline.max_runs_per_component",
            types: &[],
            others: Others::Always("WORKFLOW"),
        },
        Words {
            key: "haystack.agent.max_steps",
            types: &[],
            others: Others::Always("AGENT"),
        },
    ],
    ..Producer::new("Haystack", "https://docs.haystack.deepset.ai/docs/tracing")
};
