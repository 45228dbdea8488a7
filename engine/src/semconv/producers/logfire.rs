//! Pydantic Logfire's own instrumentations of model clients. It sends each span when it begins, too
//! (`pending_span`), which `pending` puts in the place of the real one.

use super::Concern::{Inputs, Outputs, TraceLabels, TraceName};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(Inputs, "request_data"),
        key(Outputs, "response_data"),
        // Names of spans are templates; this is one filled in.
        key(TraceName, "logfire.msg"),
        key(TraceLabels, "logfire.tags"),
    ],
    marks: &["logfire.span_type", "logfire.msg_template"],
    ..Producer::new(
        "Logfire",
        "https://logfire.pydantic.dev/docs/reference/sql/",
    )
};
