//! Pipecat, whose keys are plain words: read only where a span names its operation, or is a conversation or a turn.

use super::Concern::{Inputs, Outputs, ThreadId, UserId};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    marks: &["gen_ai.operation.name", "conversation.type", "turn.number"],
    keys: &[
        key(Inputs, "input"),
        // What is to be spoken, and what was heard.
        key(Inputs, "text"),
        key(Outputs, "output"),
        key(Outputs, "transcript"),
        key(Outputs, "text_output"),
        key(ThreadId, "conversation.id"),
        key(UserId, "user_id"),
    ],
    ..Producer::new(
        "Pipecat",
        "https://docs.pipecat.ai/server/utilities/opentelemetry",
    )
};
