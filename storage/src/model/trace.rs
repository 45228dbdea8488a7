//! A trace row: the fold of a trace's spans with the explicit edits on top.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TraceEdit;

/// Token counts and cost of a trace or span; `None` where nothing was reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
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
}

/// One row of the `traces` table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceRow {
    /// The trace.
    pub trace_id: String,
    /// The scope it belongs to.
    pub experiment_id: String,
    /// Tag `mlflow.traceName`, else the name of the root span.
    pub name: Option<String>,
    /// `OK`, `ERROR`, `IN_PROGRESS` or `STATE_UNSPECIFIED`.
    pub state: String,
    /// Earliest span start, Unix nanoseconds.
    pub request_time_ns: i64,
    /// Latest span end, Unix nanoseconds.
    pub end_time_ns: Option<i64>,
    /// From `request_time` to `end_time`.
    pub duration_ns: Option<i64>,
    /// Service of the root span, else of the first span.
    pub service_name: Option<String>,
    /// Session of the root span, else of the first span that has one.
    pub session_id: Option<String>,
    /// User of the root span, else of the first span that has one.
    pub user_id: Option<String>,
    /// The client's own id of the request.
    pub client_request_id: Option<String>,
    /// Start of what was asked.
    pub request_preview: Option<String>,
    /// Start of what was answered.
    pub response_preview: Option<String>,
    /// Number of spans.
    pub span_count: i64,
    /// Number of spans with status `ERROR`.
    pub error_span_count: i64,
    /// Tokens and cost by the no-double-count rule.
    pub usage: Usage,
    /// Models used, distinct and sorted.
    pub models: Vec<String>,
    /// Mutable labels.
    pub tags: BTreeMap<String, String>,
    /// Set at start.
    pub metadata: BTreeMap<String, String>,
    /// The root span; while there is none, the top span that stands for it.
    pub root_span_id: Option<String>,
    /// Explicit changes.
    pub edit: TraceEdit,
}

impl TraceRow {
    /// Lays all that was said of the trace over a row fresh from the fold. `has_root` says whether its spans
    /// have a root.
    pub fn apply_all(&mut self, edit: TraceEdit, has_root: bool) {
        if let Some(start) = &edit.start {
            start.apply(self, has_root);
        }
        self.apply(edit);
    }

    /// Lays a further change over the row. One with a start needs a row fresh from the fold.
    pub fn apply(&mut self, edit: TraceEdit) {
        for (key, value) in &edit.tags {
            match value {
                Some(value) => self.tags.insert(key.clone(), value.clone()),
                None => self.tags.remove(key),
            };
        }
        if let Some(name) = edit.tags.get(super::TRACE_NAME_TAG) {
            self.name = name.clone();
        }
        self.edit.merge(edit);
        self.edit.forget_unlinked();
    }
}
