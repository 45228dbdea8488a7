//! Sentry's instrumentations of agents: OpenTelemetry's keys, some spelt in its own way.

use super::Concern::{CacheCreationTokens, CacheReadTokens, Inputs, Outputs};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(CacheReadTokens, "gen_ai.usage.input_tokens.cached"),
        key(CacheCreationTokens, "gen_ai.usage.input_tokens.cache_write"),
        key(Inputs, "gen_ai.request.messages"),
        key(Inputs, "gen_ai.tool.input"),
        key(Outputs, "gen_ai.response.text"),
        key(Outputs, "gen_ai.response.tool_calls"),
        key(Outputs, "gen_ai.tool.output"),
    ],
    ..Producer::new(
        "Sentry",
        "https://develop.sentry.dev/sdk/telemetry/traces/modules/ai-agents/",
    )
};
