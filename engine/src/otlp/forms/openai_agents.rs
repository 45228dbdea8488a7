//! Traces and spans of the OpenAI Agents SDK as its processors export them, one a line or in batches, `{"data": [...]}`.
//! Form: `Trace.export` and `Span.export` of <https://github.com/openai/openai-agents-python>, `src/agents/tracing`.
//!
//! What stands in `span_data` becomes attributes under that name. A trace has no time of its own: its spans tell.

use serde_json::{Map, Value as Json};

use super::Found;
use super::object::{Record, SpanRecord, event, text_of};
use crate::otlp::error::DecodeError;
use crate::start::TraceStart;

pub(super) const TRACE_FORM: &str = "OpenAI Agents trace";
pub(super) const SPAN_FORM: &str = "OpenAI Agents span";

/// Whether the word in `object` is one of the SDK.
pub(super) fn form(object: &str) -> Option<&'static str> {
    match object {
        "trace" => Some(TRACE_FORM),
        "trace.span" => Some(SPAN_FORM),
        _ => None,
    }
}

/// Takes a trace or span.
pub(super) fn add(found: &mut Found, form: &'static str, members: Map<String, Json>) {
    found.saw(form);
    let mut record = Record::new(members);
    record.take("object");
    if form == SPAN_FORM {
        found.span(span(record));
        return;
    }
    match record.required("id") {
        Ok(id) => {
            let start = start(found, id, record);
            found.starts.push(start);
        }
        Err(error) => found.reject(form, error),
    }
}

fn start(found: &mut Found, id: String, mut record: Record) -> TraceStart {
    let mut start = TraceStart::new(id, found.now_ns)
        .state("IN_PROGRESS")
        .finalised(false);
    start.name = record.text("workflowName");
    start.session_id = record.text("groupId");
    let metadata = record.object("metadata").unwrap_or_default();
    start.metadata = metadata
        .iter()
        .map(|(key, value)| (key.clone(), text_of(value)))
        .collect();
    // The SDK has no member for the user; metadata names it.
    let mut names = ["user_id", "userId"].iter();
    start.user_id = names.find_map(|name| start.metadata.get(*name).cloned());
    start
        .metadata
        .extend(record.rest().map(|(key, value)| (key, text_of(&value))));
    found.keep_allowed(&mut start);
    start
}

fn span(mut record: Record) -> Result<SpanRecord, DecodeError> {
    let id = record.text("id").or_else(|| record.text("spanId"));
    let span_id = id.ok_or_else(|| DecodeError::new("an OpenAI Agents span without id"))?;
    let named =
        |error: DecodeError| DecodeError::new(format!("OpenAI Agents span {span_id}: {error}"));
    let start_ns = record.time_ns("startedAt").map_err(named)?;
    let mut data = Record::new(record.object("spanData").unwrap_or_default());
    let kind = data.text("type").unwrap_or_default();
    let mut span = SpanRecord {
        trace_id: record.required("traceId").map_err(named)?,
        parent_id: record.text("parentId"),
        start_ns: start_ns.ok_or_else(|| named(DecodeError::new("started_at is missing")))?,
        end_ns: record.time_ns("endedAt").map_err(named)?,
        scope: "openai-agents",
        span_id: span_id.clone(),
        ..SpanRecord::default()
    };
    let handoff = data.text("toAgent");
    let name = data
        .text("name")
        .or_else(|| handoff.as_ref().map(|to| format!("handoff to {to}")));
    span.name = name.clone().unwrap_or_else(|| kind.clone());
    span.add(
        "span_data.name",
        name.filter(|_| handoff.is_none()).map(Json::String),
    );
    span.add("span_data.to_agent", handoff.map(Json::String));
    span.add("span_data.type", Some(Json::String(kind)));
    for text in ["input", "output"] {
        span.add_text(format!("span_data.{text}"), data.take(text));
    }
    span.add_rest("span_data.", data);
    if let Some(error) = record.take("error") {
        span.status = "ERROR".to_string();
        span.status_message = error
            .get("message")
            .map(text_of)
            .unwrap_or_else(|| text_of(&error));
        let at = span.end_ns.unwrap_or(span.start_ns);
        span.events = error
            .is_object()
            .then(|| event("error", at, Some(&error)))
            .into_iter()
            .collect();
    }
    span.add_rest("openai.", record);
    Ok(span)
}
