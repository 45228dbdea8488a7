//! Spans as the SDKs print them to a terminal.

use serde_json::{Map, Value as Json, json};

use super::otlp_value::{any_value, attributes, text, time_ns};
use crate::otlp::error::DecodeError;

/// A span of the Python SDK's console exporter, as one `ResourceSpans`.
pub(super) fn python(span: &Map<String, Json>) -> Result<Json, DecodeError> {
    let context = span.get("context");
    let id = |key: &str| text(context, key).trim_start_matches("0x").to_string();
    let parent = span
        .get("parent_id")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let status = span.get("status");
    let events = span
        .get("events")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let links = span
        .get("links")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let otlp = json!({
        "traceId": id("trace_id"),
        "spanId": id("span_id"),
        "parentSpanId": parent.trim_start_matches("0x"),
        "name": span.get("name"),
        "kind": text_member(span, "kind").replace("SpanKind.", "SPAN_KIND_"),
        "startTimeUnixNano": time_ns(span, "start_time")?,
        "endTimeUnixNano": time_ns(span, "end_time")?,
        "attributes": attributes(span.get("attributes")),
        "status": { "code": status_code(text(status, "status_code")), "message": text(status, "description") },
        "events": events.iter().map(python_event).collect::<Result<Vec<_>, _>>()?,
        "links": links.iter().map(python_link).collect::<Vec<_>>(),
    });
    let scope = span
        .get("instrumentation_scope")
        .or_else(|| span.get("instrumentation_info"));
    let scope = json!({ "name": text(scope, "name"), "version": text(scope, "version") });
    let resource = span.get("resource");
    // Older versions print the resource's attributes without a member around them.
    let of_resource = resource
        .and_then(|resource| resource.get("attributes"))
        .or(resource);
    Ok(resource_spans(attributes(of_resource), scope, otlp))
}

fn python_event(event: &Json) -> Result<Json, DecodeError> {
    let members = event
        .as_object()
        .ok_or_else(|| DecodeError::new("an event is no object"))?;
    Ok(json!({
        "name": members.get("name"),
        "timeUnixNano": time_ns(members, "timestamp")?,
        "attributes": attributes(members.get("attributes")),
    }))
}

fn python_link(link: &Json) -> Json {
    let context = link.get("context");
    json!({
        "traceId": text(context, "trace_id").trim_start_matches("0x"),
        "spanId": text(context, "span_id").trim_start_matches("0x"),
        "attributes": attributes(link.get("attributes")),
    })
}

/// A span of the Go SDK's stdout exporter, as one `ResourceSpans`.
pub(super) fn go(span: &Map<String, Json>) -> Result<Json, DecodeError> {
    let context = span.get("SpanContext");
    let parent = text(span.get("Parent"), "SpanID");
    let is_root = parent.bytes().all(|digit| digit == b'0');
    let events = span
        .get("Events")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let otlp = json!({
        "traceId": text(context, "TraceID"),
        "spanId": text(context, "SpanID"),
        "parentSpanId": if is_root { "" } else { parent },
        "name": span.get("Name"),
        "kind": span.get("SpanKind").and_then(Json::as_i64).unwrap_or_default(),
        "startTimeUnixNano": time_ns(span, "StartTime")?,
        "endTimeUnixNano": time_ns(span, "EndTime")?,
        "attributes": go_attributes(span.get("Attributes")),
        "status": {
            "code": status_code(text(span.get("Status"), "Code")),
            "message": text(span.get("Status"), "Description"),
        },
        "events": events.iter().map(go_event).collect::<Result<Vec<_>, _>>()?,
    });
    let scope = span
        .get("InstrumentationScope")
        .or_else(|| span.get("InstrumentationLibrary"));
    let scope = json!({ "name": text(scope, "Name"), "version": text(scope, "Version") });
    Ok(resource_spans(
        go_attributes(span.get("Resource")),
        scope,
        otlp,
    ))
}

fn go_event(event: &Json) -> Result<Json, DecodeError> {
    let members = event
        .as_object()
        .ok_or_else(|| DecodeError::new("an event is no object"))?;
    Ok(json!({
        "name": members.get("Name"),
        "timeUnixNano": time_ns(members, "Time")?,
        "attributes": go_attributes(members.get("Attributes")),
    }))
}

/// `[{"Key": ..., "Value": {"Type": ..., "Value": ...}}]`.
fn go_attributes(listed: Option<&Json>) -> Json {
    let pair = |item: &Json| {
        let value = item
            .get("Value")
            .and_then(|value| value.get("Value"))
            .unwrap_or(&Json::Null);
        json!({ "key": item.get("Key"), "value": any_value(value) })
    };
    Json::Array(
        listed
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .map(pair)
            .collect(),
    )
}

fn status_code(word: &str) -> String {
    format!(
        "STATUS_CODE_{}",
        word.trim_start_matches("StatusCode.").to_ascii_uppercase()
    )
}

fn text_member<'j>(members: &'j Map<String, Json>, key: &str) -> &'j str {
    members.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn resource_spans(resource: Json, scope: Json, span: Json) -> Json {
    json!({ "resource": { "attributes": resource }, "scopeSpans": [{ "scope": scope, "spans": [span] }] })
}
