//! Alibaba Cloud ARMS and its LoongSuite agents: OpenTelemetry's keys, and some of their own. Others (Future AGI) write
//! the kind of a span under the same key.

use super::Concern::{Inputs, Outputs, RequestModel, SessionId, SpanType, UserId};
use super::{Others, Producer, Words, key};

/// The words of `gen_ai.span.kind` that are no types themselves.
const TYPES: &[(&str, &str)] = &[
    ("entry", "CHAIN"),
    ("step", "CHAIN"),
    ("mcp_client", "TOOL"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "gen_ai.span.kind"),
        key(RequestModel, "gen_ai.model_name"),
        key(Inputs, "retrieval.query"),
        key(Inputs, "gen_ai.entity.input"),
        key(Outputs, "retrieval.document"),
        key(Outputs, "gen_ai.entity.output"),
        key(SessionId, "gen_ai.session.id"),
        key(UserId, "gen_ai.user.id"),
    ],
    words: &[Words {
        key: "gen_ai.span.kind",
        types: TYPES,
        others: Others::Own,
    }],
    ..Producer::new(
        "Alibaba Cloud ARMS",
        "https://www.alibabacloud.com/help/en/opentelemetry/developer-reference/llm-trace-field-definition-description",
    )
};
