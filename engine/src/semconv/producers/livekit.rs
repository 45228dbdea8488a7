//! LiveKit Agents. Newer versions name what may be private `lk.pii.*`.

use super::Concern::{Inputs, Outputs, ToolName};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(ToolName, "lk.function_tool.name"),
        key(Inputs, "lk.pii.user_input"),
        key(Inputs, "lk.user_input"),
        key(Inputs, "lk.user_transcript"),
        key(Inputs, "lk.pii.function_tool.arguments"),
        key(Inputs, "lk.function_tool.arguments"),
        key(Inputs, "lk.pii.chat_ctx"),
        key(Inputs, "lk.chat_ctx"),
        key(Inputs, "lk.input_text"),
        key(Outputs, "lk.pii.response.text"),
        key(Outputs, "lk.response.text"),
        key(Outputs, "lk.pii.response.function_calls"),
        key(Outputs, "lk.response.function_calls"),
        key(Outputs, "lk.pii.function_tool.output"),
        key(Outputs, "lk.function_tool.output"),
    ],
    // Around the request, without counts of their own.
    names: &[
        ("livekit-agents", "llm_node", "LLM"),
        ("livekit-agents", "llm_request_run", "LLM"),
    ],
    ..Producer::new(
        "LiveKit Agents",
        "https://docs.livekit.io/agents/build/metrics/",
    )
};
