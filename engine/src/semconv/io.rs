//! Inputs and outputs of a span: the text as the producer sent it, or JSON text where it sent
//! structure.
//!
//! Order: a key that holds the whole; messages spread over indexed keys (`messages`); events.

use crate::otlp::value::{KeyValue, Value, write_string, write_value};

use super::EventView;
use super::keys::{Concern, Found};
use super::messages::{self, Side};

pub(super) const INPUT_KEYS: &[&str] = &[
    "mlflow.spanInputs",
    "input.value",
    "gen_ai.input.messages",
    "gen_ai.tool.call.arguments",
    "traceloop.entity.input",
    "gen_ai.prompt",
    "gcp.vertex.agent.llm_request",
    "gcp.vertex.agent.tool_call_args",
    "ai.prompt.messages",
    "ai.prompt",
    "ai.toolCall.args",
    "ai.value",
    "ai.values",
    "lmnr.span.input",
    "langfuse.observation.input",
    "langfuse.trace.input",
    "tool.parameters",
];

pub(super) const OUTPUT_KEYS: &[&str] = &[
    "mlflow.spanOutputs",
    "output.value",
    "gen_ai.output.messages",
    "gen_ai.tool.call.result",
    "traceloop.entity.output",
    "gen_ai.completion",
    "gcp.vertex.agent.llm_response",
    "gcp.vertex.agent.tool_response",
    "ai.response.text",
    "ai.response.object",
    "ai.response.toolCalls",
    "ai.toolCall.result",
    "ai.embedding",
    "ai.embeddings",
    "lmnr.span.output",
    "langfuse.observation.output",
    "langfuse.trace.output",
];

/// Attributes of events that hold the whole, with the event's name.
const INPUT_EVENTS: &[(&str, &str)] = &[
    ("gen_ai.client.inference.operation.details", "gen_ai.input.messages"),
    ("gen_ai.content.prompt", "gen_ai.prompt"),
];
const OUTPUT_EVENTS: &[(&str, &str)] = &[
    ("gen_ai.client.inference.operation.details", "gen_ai.output.messages"),
    ("gen_ai.content.completion", "gen_ai.completion"),
];

/// Events that are one message each (OTel GenAI before 1.37), with the role they imply.
const MESSAGE_EVENTS: &[(&str, &str)] = &[
    ("gen_ai.system.message", "system"),
    ("gen_ai.user.message", "user"),
    ("gen_ai.assistant.message", "assistant"),
    ("gen_ai.tool.message", "tool"),
];
const CHOICE_EVENTS: &[(&str, &str)] = &[("gen_ai.choice", "assistant")];

/// The inputs of a span.
pub(super) fn inputs(
    found: &Found<'_>,
    attributes: &[KeyValue<'_>],
    events: &[EventView<'_>],
) -> Option<String> {
    whole(found, Concern::Inputs)
        .or_else(|| messages::assemble(attributes, Side::Input))
        .or_else(|| of_events(events, INPUT_EVENTS, MESSAGE_EVENTS))
}

/// The outputs of a span.
pub(super) fn outputs(
    found: &Found<'_>,
    attributes: &[KeyValue<'_>],
    events: &[EventView<'_>],
) -> Option<String> {
    whole(found, Concern::Outputs)
        .or_else(|| messages::assemble(attributes, Side::Output))
        .or_else(|| of_events(events, OUTPUT_EVENTS, CHOICE_EVENTS))
}

fn whole(found: &Found<'_>, concern: Concern) -> Option<String> {
    found.candidates(concern).find_map(|(_, value)| value.to_text())
}

fn of_events(events: &[EventView<'_>], wholes: &[(&str, &str)], messages: &[(&str, &str)]) -> Option<String> {
    if events.is_empty() {
        return None;
    }
    for (event_name, key) in wholes {
        let attributes = events.iter().filter(|(name, _)| name == event_name).flat_map(|(_, pairs)| *pairs);
        let text = attributes.filter(|pair| pair.key == *key).find_map(|pair| pair.value.to_text());
        if text.is_some() {
            return text;
        }
    }
    message_events(events, messages)
}

/// A JSON array with an object per message event: its role, then its attributes.
fn message_events(events: &[EventView<'_>], roles: &[(&str, &str)]) -> Option<String> {
    let mut out = String::new();
    for (name, attributes) in events {
        let Some((_, implied)) = roles.iter().find(|(event_name, _)| event_name == name) else { continue };
        let role = attributes.iter().find(|pair| pair.key == "role").and_then(|pair| pair.value.as_str());
        out.push(if out.is_empty() { '[' } else { ',' });
        out.push_str("{\"role\":");
        write_string(role.unwrap_or(implied), &mut out);
        for pair in attributes.iter().filter(|pair| pair.key != "role" && pair.value != Value::Unset) {
            out.push(',');
            write_string(&pair.key, &mut out);
            out.push(':');
            write_value(&pair.value, &mut out);
        }
        out.push('}');
    }
    if out.is_empty() {
        return None;
    }
    out.push(']');
    Some(out)
}
