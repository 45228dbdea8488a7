//! pydantic-ai, all versions of its instrumentation. Version 1 sends messages as one attribute
//! `events`, which `io` takes apart.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, Cost, InputTokens, Inputs, OutputTokens, Outputs,
    RequestModel, UserId,
};
use super::{Producer, key};

/// Messages and answer of a model as a JSON array (version 1).
pub(in crate::semconv) const EVENTS: &str = "events";

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(CacheReadTokens, "gen_ai.usage.details.cache_read_tokens"),
        key(CacheReadTokens, "gen_ai.usage.details.cached_tokens"),
        key(
            CacheReadTokens,
            "gen_ai.usage.details.cache_read_input_tokens",
        ),
        key(
            CacheCreationTokens,
            "gen_ai.usage.details.cache_write_tokens",
        ),
        key(
            CacheCreationTokens,
            "gen_ai.usage.details.cache_creation_input_tokens",
        ),
        // Of an agent, the sum of its calls.
        key(InputTokens, "gen_ai.aggregated_usage.input_tokens"),
        key(OutputTokens, "gen_ai.aggregated_usage.output_tokens"),
        key(
            CacheReadTokens,
            "gen_ai.aggregated_usage.cache_read.input_tokens",
        ),
        key(
            CacheCreationTokens,
            "gen_ai.aggregated_usage.cache_creation.input_tokens",
        ),
        key(Cost, "operation.cost"),
        key(Inputs, "pydantic_ai.all_messages"),
        key(Inputs, "all_messages_events"),
        key(Inputs, "tool_arguments"),
        key(Outputs, "final_result"),
        key(Outputs, "tool_response"),
        key(RequestModel, "model_name"),
        key(UserId, "user_id"),
    ],
    // Version 1.
    names: &[
        ("pydantic-ai", "agent run", "AGENT"),
        ("pydantic-ai", "running tools", "CHAIN"),
        ("pydantic-ai", "running tool", "TOOL"),
    ],
    ..Producer::new("pydantic-ai", "https://ai.pydantic.dev/logfire/")
};
