//! Spring AI: OpenTelemetry's keys, chat clients, tools and vector stores; contents of chats are events, which `io`
//! reads.

use super::Concern::{Inputs, Outputs, SpanType, ThreadId, ToolName};
use super::{Others, Producer, Words, key};

/// The words of `spring.ai.kind`.
const KINDS: &[(&str, &str)] = &[
    ("chat_client", "CHAIN"),
    ("advisor", "CHAIN"),
    ("tool_call", "TOOL"),
    ("vector_store", "RETRIEVER"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "spring.ai.kind"),
        key(ToolName, "spring.ai.tool.definition.name"),
        key(Inputs, "spring.ai.tool.call.arguments"),
        key(Inputs, "db.vector.query.content"),
        key(Outputs, "spring.ai.tool.call.result"),
        key(Outputs, "db.vector.query.response.documents"),
        key(ThreadId, "spring.ai.chat.client.conversation.id"),
    ],
    words: &[Words {
        key: "spring.ai.kind",
        types: KINDS,
        others: Others::Nothing,
    }],
    ..Producer::new(
        "Spring AI",
        "https://docs.spring.io/spring-ai/reference/observability/index.html",
    )
};
