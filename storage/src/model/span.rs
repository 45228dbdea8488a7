//! A span as ingest hands it over: typed columns filled, attributes kept exactly as received.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EXPERIMENT_DEFAULT, normalize_trace_id};

/// One span. Texts that are absent are `None`, never empty.
///
/// [`Span::new`] is a legal one; the default has neither ids nor words and is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Span {
    /// Lower-case hex as OTLP gives it, or any legal id text.
    pub trace_id: String,
    /// Unique inside its trace.
    pub span_id: String,
    /// `None` for a root span.
    pub parent_span_id: Option<String>,
    /// The scope the trace belongs to; `"0"` unless told otherwise.
    pub experiment_id: String,
    /// The span's own session id.
    pub session_id: Option<String>,
    /// The span's own user id.
    pub user_id: Option<String>,
    /// Span name; may be empty.
    pub name: String,
    /// `LLM`, `TOOL`, ... or the producer's own word; `UNKNOWN` when nothing says.
    pub span_type: String,
    /// OTel kind: `INTERNAL`, `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER`, `UNSPECIFIED`.
    pub kind: String,
    /// `UNSET`, `OK` or `ERROR`.
    pub status: String,
    /// Status message.
    pub status_message: Option<String>,
    /// Unix nanoseconds.
    pub start_time_ns: i64,
    /// Unix nanoseconds; `None` while the span is open.
    pub end_time_ns: Option<i64>,
    /// `service.name` of the resource.
    pub service_name: Option<String>,
    /// Instrumentation scope name.
    pub scope_name: Option<String>,
    /// Instrumentation scope version.
    pub scope_version: Option<String>,
    /// Operation, such as `chat` or `execute_tool`.
    pub operation: Option<String>,
    /// The response's model, else the request's.
    pub model: Option<String>,
    /// Model provider.
    pub provider: Option<String>,
    /// Tool called by the span.
    pub tool_name: Option<String>,
    /// Input tokens.
    pub input_tokens: Option<i64>,
    /// Output tokens.
    pub output_tokens: Option<i64>,
    /// Total tokens.
    pub total_tokens: Option<i64>,
    /// Input tokens read from a cache.
    pub cache_read_input_tokens: Option<i64>,
    /// Input tokens written to a cache.
    pub cache_creation_input_tokens: Option<i64>,
    /// Cost in USD.
    pub cost_usd: Option<f64>,
    /// Where the cost is from: `reported` or `computed`. `None` with a cost means reported.
    pub cost_source: Option<String>,
    /// Inputs as the producer sent them.
    pub inputs: Option<String>,
    /// Outputs as the producer sent them.
    pub outputs: Option<String>,
    /// JSON object text: every attribute, typed.
    pub attributes: String,
    /// JSON object text: every resource attribute, typed.
    pub resource: String,
    /// JSON object text with the remaining OTLP fields (trace state, flags, dropped counts, scope
    /// attributes, schema URLs, unknown enum numbers), `None` when all have their default.
    pub extra: Option<String>,
    /// Points inside the span.
    pub events: Vec<Event>,
    /// Links to other spans.
    pub links: Vec<Link>,
    /// What a root span says of its trace; `None` on other spans.
    pub hint: Option<TraceHint>,
}

impl Span {
    /// A root span that begins at 0 and is open, of no special type, in the experiment `"0"`.
    pub fn new(trace_id: &str, span_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            trace_id: normalize_trace_id(trace_id),
            span_id: span_id.into(),
            experiment_id: EXPERIMENT_DEFAULT.to_string(),
            name: name.into(),
            span_type: "UNKNOWN".to_string(),
            kind: "INTERNAL".to_string(),
            status: "UNSET".to_string(),
            attributes: "{}".to_string(),
            resource: "{}".to_string(),
            ..Self::default()
        }
    }

    /// Nanoseconds from start to end, never negative; `None` while the span is open.
    pub fn duration_ns(&self) -> Option<i64> {
        self.end_time_ns
            .map(|end| end.saturating_sub(self.start_time_ns).max(0))
    }

    /// Bytes of its own texts: name, status, attributes, events and links. Inputs and outputs are mostly made
    /// of attributes, so the larger of both counts; the resource is shared and does not.
    pub fn text_bytes(&self) -> usize {
        let events = self
            .events
            .iter()
            .map(|event| event.name.len() + event.attributes.len());
        let links = self.links.iter().map(|link| link.attributes.len());
        let own = self.name.len() + self.status_message.as_ref().map_or(0, String::len);
        let payload = [&self.inputs, &self.outputs]
            .into_iter()
            .flatten()
            .map(String::len)
            .sum();
        own + self.attributes.len().max(payload) + events.chain(links).sum::<usize>()
    }
}

/// A point inside a span.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unix nanoseconds.
    pub time_ns: i64,
    /// Event name.
    pub name: String,
    /// JSON object text.
    pub attributes: String,
}

/// A link to another span.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Trace of the linked span.
    pub trace_id: String,
    /// The linked span.
    pub span_id: String,
    /// JSON object text.
    pub attributes: String,
}

/// What a root span says of its whole trace: previews, tags and metadata.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceHint {
    /// First 1,000 characters of what was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_preview: Option<String>,
    /// First 1,000 characters of what was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_preview: Option<String>,
    /// From `mlflow.traceTag.K` attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Further trace metadata the root span carries.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}
