//! A part of a span that came by another way than the span itself: the log records that name it.
//!
//! Producers send texts of requests and answers as log records with the ids of their span, in requests
//! of their own, before the span or after it. What is known of a span is the set of both, see `join`.

use serde::{Deserialize, Serialize};

use super::Event;

/// Log records of one span, as events, with what is known of where they come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fragment {
    /// The span's trace.
    pub trace_id: String,
    /// The span.
    pub span_id: String,
    /// The scope the trace belongs to, should the span never come.
    pub experiment_id: String,
    /// `service.name` of the records' resource.
    pub service_name: Option<String>,
    /// Instrumentation scope of the records.
    pub scope_name: Option<String>,
    /// Its version.
    pub scope_version: Option<String>,
    /// JSON object text: every attribute of the records' resource.
    pub resource: String,
    /// The records.
    pub events: Vec<Event>,
}

impl Fragment {
    /// Bytes of its own texts.
    pub fn text_bytes(&self) -> usize {
        self.events
            .iter()
            .map(|event| event.name.len() + event.attributes.len())
            .sum()
    }
}
