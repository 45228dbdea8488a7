//! Traces as Jaeger's API answers them: `{"data": [{"spans": [...], "processes": {...}}]}`, times in
//! microseconds, tags with types.

use serde_json::{Map, Value as Json, json};

use super::otlp_value::{any_value, text};
use crate::otlp::error::DecodeError;

const NS_PER_US: u64 = 1_000;

const TRACE_ID_DIGITS: usize = 32;
const SPAN_ID_DIGITS: usize = 16;

/// The traces of an answer, when the object is one.
pub(super) fn traces(members: &Map<String, Json>) -> Option<&[Json]> {
    let traces = members.get("data")?.as_array()?;
    let is_trace = |trace: &Json| trace.get("spans").is_some() && trace.get("processes").is_some();
    (!traces.is_empty() && traces.iter().all(is_trace)).then_some(traces)
}

/// One `ResourceSpans` for each span.
///
/// # Errors
/// When a span has no time.
pub(super) fn resource_spans(traces: &[Json]) -> Result<Vec<Json>, DecodeError> {
    let mut out = Vec::new();
    for trace in traces {
        for span in trace
            .get("spans")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            let process = trace
                .get("processes")
                .and_then(|all| all.get(text(Some(span), "processID")));
            let mut resource = vec![json!({
                "key": "service.name",
                "value": { "stringValue": text(process, "serviceName") },
            })];
            resource.extend(tags(process.and_then(|process| process.get("tags"))));
            out.push(json!({
                "resource": { "attributes": resource },
                "scopeSpans": [{
                    "scope": { "name": tag(span, "otel.scope.name"), "version": tag(span, "otel.scope.version") },
                    "spans": [of_span(span)?],
                }],
            }));
        }
    }
    Ok(out)
}

fn of_span(span: &Json) -> Result<Json, DecodeError> {
    let microseconds = |key: &str| span.get(key).and_then(Json::as_u64);
    let (Some(start), Some(duration)) = (microseconds("startTime"), microseconds("duration"))
    else {
        return Err(DecodeError::new(
            "a Jaeger span has no startTime and duration in microseconds",
        ));
    };
    let references = span
        .get("references")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let parent = references
        .iter()
        .find(|reference| text(Some(reference), "refType") == "CHILD_OF");
    let is_error = tag(span, "error") == "true" || tag(span, "otel.status_code") == "ERROR";
    let status = if is_error {
        "STATUS_CODE_ERROR".to_string()
    } else {
        format!("STATUS_CODE_{}", tag(span, "otel.status_code"))
    };
    let logs = span
        .get("logs")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    Ok(json!({
        "traceId": id(Some(span), "traceID", TRACE_ID_DIGITS),
        "spanId": id(Some(span), "spanID", SPAN_ID_DIGITS),
        "parentSpanId": id(parent, "spanID", SPAN_ID_DIGITS),
        "name": span.get("operationName"),
        "kind": format!("SPAN_KIND_{}", tag(span, "span.kind").to_ascii_uppercase()),
        "startTimeUnixNano": start.saturating_mul(NS_PER_US).to_string(),
        "endTimeUnixNano": start.saturating_add(duration).saturating_mul(NS_PER_US).to_string(),
        "attributes": tags(span.get("tags")).collect::<Vec<_>>(),
        "status": { "code": status, "message": tag(span, "otel.status_description") },
        "events": logs.iter().map(of_log).collect::<Vec<_>>(),
    }))
}

/// An id with all its digits: Jaeger leaves the first ones out where they are zeros, and has ids of traces of 64 bits.
fn id(of: Option<&Json>, key: &str, digits: usize) -> String {
    let id = text(of, key);
    if id.is_empty() {
        id.to_string()
    } else {
        format!("{id:0>digits$}")
    }
}

fn of_log(log: &Json) -> Json {
    let fields = log.get("fields");
    let name = fields
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .find(|field| text(Some(field), "key") == "event");
    let time = log
        .get("timestamp")
        .and_then(Json::as_u64)
        .unwrap_or_default();
    json!({
        "name": text(name, "value"),
        "timeUnixNano": time.saturating_mul(NS_PER_US).to_string(),
        "attributes": tags(fields).collect::<Vec<_>>(),
    })
}

/// `[{"key": ..., "type": ..., "value": ...}]` as OTLP attributes.
fn tags(listed: Option<&Json>) -> impl Iterator<Item = Json> {
    listed.and_then(Json::as_array).into_iter().flatten().map(
        |tag| json!({ "key": tag.get("key"), "value": any_value(tag.get("value").unwrap_or(&Json::Null)) }),
    )
}

/// The text of a tag; empty when the span does not have it.
fn tag(span: &Json, key: &str) -> String {
    let listed = span
        .get("tags")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let value = listed
        .into_iter()
        .find(|tag| text(Some(tag), "key") == key)
        .and_then(|tag| tag.get("value"));
    match value {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
