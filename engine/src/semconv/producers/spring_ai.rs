//! Spring AI: OpenTelemetry's keys, and prompts of vector stores; contents are events, which `io` reads.

use super::Concern::{Inputs, Outputs};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(Inputs, "db.vector.query.content"),
        key(Inputs, "spring.ai.tool.call.arguments"),
        key(Outputs, "spring.ai.tool.call.result"),
    ],
    ..Producer::new("Spring AI", "https://docs.spring.io/spring-ai/reference/observability/index.html")
};
