//! Google's Agent Development Kit. It sets the keys of requests to `{}` on spans of tools.

use super::Concern::{
    CacheReadTokens, InputTokens, Inputs, OutputTokens, Outputs, SessionId, TotalTokens, UserId,
};
use super::{Producer, key, member};

/// The answer of a model, as Gemini gives it.
const RESPONSE: &str = "gcp.vertex.agent.llm_response";

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(Inputs, "gcp.vertex.agent.llm_request"),
        key(Inputs, "gcp.vertex.agent.tool_call_args"),
        key(Inputs, "gcp.vertex.agent.data"),
        key(Outputs, RESPONSE),
        member(
            InputTokens,
            RESPONSE,
            &["usage_metadata.prompt_token_count"],
        ),
        member(
            OutputTokens,
            RESPONSE,
            &["usage_metadata.candidates_token_count"],
        ),
        member(TotalTokens, RESPONSE, &["usage_metadata.total_token_count"]),
        member(
            CacheReadTokens,
            RESPONSE,
            &["usage_metadata.cached_content_token_count"],
        ),
        key(Outputs, "gcp.vertex.agent.tool_response"),
        key(SessionId, "gcp.vertex.agent.session_id"),
        key(UserId, "gcp.vertex.agent.user_id"),
    ],
    // Version 1, whose spans of runs have no attributes.
    names: &[
        ("gcp.vertex.agent", "agent_run", "AGENT"),
        ("gcp.vertex.agent", "invocation", "CHAIN"),
    ],
    ..Producer::new(
        "Google ADK",
        "https://google.github.io/adk-docs/observability/",
    )
};
