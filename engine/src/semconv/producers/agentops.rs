//! AgentOps. Its spans around models are those of OpenTelemetry GenAI and Traceloop.

use super::Concern::{Inputs, Outputs, SpanType, TraceLabels};
use super::{Others, Producer, Words, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "agentops.span.kind"),
        key(SpanType, "gen_ai.request.type"),
        key(Inputs, "agentops.entity.input"),
        key(Inputs, "agentops.agent.input"),
        key(Inputs, "agentops.tool.input"),
        key(Inputs, "agentops.task.input"),
        key(Inputs, "agentops.operation.input"),
        key(Inputs, "agentops.workflow.input"),
        key(Inputs, "agentops.chain.input"),
        key(Inputs, "agentops.guardrail.input"),
        key(Outputs, "agentops.entity.output"),
        key(Outputs, "agentops.agent.output"),
        key(Outputs, "agentops.tool.output"),
        key(Outputs, "agentops.task.output"),
        key(Outputs, "agentops.operation.output"),
        key(Outputs, "agentops.workflow.output"),
        key(Outputs, "agentops.chain.output"),
        key(Outputs, "agentops.guardrail.output"),
        key(TraceLabels, "agentops.tags"),
    ],
    words: &[
        Words {
            key: "agentops.span.kind",
            types: &[("session", "WORKFLOW"), ("operation", "TASK")],
            others: Others::Own,
        },
        Words {
            key: "gen_ai.request.type",
            types: &[
                ("chat", "CHAT_MODEL"),
                ("completion", "LLM"),
                ("embedding", "EMBEDDING"),
                ("rerank", "RERANKER"),
            ],
            others: Others::Nothing,
        },
    ],
    ..Producer::new(
        "AgentOps",
        "https://github.com/AgentOps-AI/agentops/tree/main/agentops/semconv",
    )
};
