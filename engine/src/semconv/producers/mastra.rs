//! Mastra: OpenTelemetry's keys, and inputs and outputs under the type of the span.

use super::Concern::{
    Inputs, Outputs, SessionId, SpanType, ThreadId, ToolName, TraceLabels, UserId,
};
use super::{Entries, Into, Others, Producer, Words, key};

/// The words of `mastra.span.type`.
const TYPES: &[(&str, &str)] = &[
    ("agent_run", "AGENT"),
    ("model_generation", "LLM"),
    ("model_step", "TASK"),
    ("model_chunk", "TASK"),
    ("tool_call", "TOOL"),
    ("mcp_tool_call", "TOOL"),
    ("workflow_run", "WORKFLOW"),
    ("workflow_step", "TASK"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "mastra.span.type"),
        key(ToolName, "mastra.metadata.toolName"),
        key(Inputs, "mastra.agent_run.input"),
        key(Inputs, "mastra.model_generation.input"),
        key(Inputs, "mastra.model_step.input"),
        key(Inputs, "mastra.tool_call.input"),
        key(Inputs, "mastra.workflow_run.input"),
        key(Inputs, "mastra.workflow_step.input"),
        key(Outputs, "mastra.agent_run.output"),
        key(Outputs, "mastra.model_generation.output"),
        key(Outputs, "mastra.model_step.output"),
        key(Outputs, "mastra.model_chunk.output"),
        key(Outputs, "mastra.tool_call.output"),
        key(Outputs, "mastra.workflow_run.output"),
        key(Outputs, "mastra.workflow_step.output"),
        key(SessionId, "mastra.metadata.sessionId"),
        key(ThreadId, "mastra.metadata.threadId"),
        key(UserId, "mastra.metadata.userId"),
        key(UserId, "mastra.metadata.resourceId"),
        key(TraceLabels, "mastra.tags"),
    ],
    words: &[Words {
        key: "mastra.span.type",
        types: TYPES,
        others: Others::Nothing,
    }],
    entries: &[Entries {
        prefix: "mastra.metadata.",
        into: Into::Metadata,
    }],
    ..Producer::new("Mastra", "https://mastra.ai/docs/observability/overview")
};
