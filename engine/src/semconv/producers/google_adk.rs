//! Google's Agent Development Kit. It sets the keys of requests to `{}` on spans of tools.

use super::Concern::{Inputs, Outputs, SessionId, UserId};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(Inputs, "gcp.vertex.agent.llm_request"),
        key(Inputs, "gcp.vertex.agent.tool_call_args"),
        key(Inputs, "gcp.vertex.agent.data"),
        key(Outputs, "gcp.vertex.agent.llm_response"),
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
