//! CrewAI under Traceloop: a crew is said to invoke an agent, and is a workflow. Its other keys are in Traceloop's
//! table.

use super::Concern::SpanType;
use super::{Others, Producer, Words, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[key(SpanType, "crewai.crew.id")],
    words: &[Words {
        key: "crewai.crew.id",
        types: &[],
        others: Others::Always("WORKFLOW"),
    }],
    ..Producer::new(
        "CrewAI",
        "https://github.com/traceloop/openllmetry/tree/main/packages/opentelemetry-instrumentation-crewai",
    )
};
