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

/// Whether these are the members of a span of the JavaScript SDK's console exporter.
pub(super) fn is_js(span: &Map<String, Json>) -> bool {
    ["traceId", "id", "timestamp", "duration", "name", "kind"]
        .iter()
        .all(|name| span.contains_key(*name))
}

/// A span of the JavaScript SDK's console exporter, as one `ResourceSpans`. Times are microseconds.
pub(super) fn js(span: &Map<String, Json>) -> Result<Json, DecodeError> {
    let start = micros(span, "timestamp")?;
    let of_parent = text(span.get("parentSpanContext"), "spanId");
    let parent = span
        .get("parentId")
        .or_else(|| span.get("parentSpanId"))
        .and_then(Json::as_str)
        .unwrap_or(of_parent);
    let kind = span.get("kind").and_then(Json::as_i64);
    let listed = |name: &str| {
        let list = span.get(name).and_then(Json::as_array);
        list.map(Vec::as_slice).unwrap_or_default()
    };
    let otlp = json!({
        "traceId": text_member(span, "traceId"),
        "spanId": text_member(span, "id"),
        "parentSpanId": parent,
        "name": span.get("name"),
        // The SDK's numbers begin at 0, those of OTLP have 0 for what is not said.
        "kind": kind.map_or(0, |kind| kind.saturating_add(1)),
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": start.saturating_add(micros(span, "duration")?).to_string(),
        "attributes": attributes(span.get("attributes")),
        "status": {
            "code": span.get("status").and_then(|status| status.get("code")).unwrap_or(&Json::Null),
            "message": text(span.get("status"), "message"),
        },
        "events": listed("events").iter().map(js_event).collect::<Vec<_>>(),
        "links": listed("links").iter().map(js_link).collect::<Vec<_>>(),
    });
    let scope = span
        .get("instrumentationScope")
        .or_else(|| span.get("instrumentationLibrary"));
    let scope = json!({ "name": text(scope, "name"), "version": text(scope, "version") });
    let resource = span
        .get("resource")
        .and_then(|resource| resource.get("attributes"));
    Ok(resource_spans(attributes(resource), scope, otlp))
}

/// Nanoseconds of a number of microseconds, whose digits a double of nanoseconds would not have.
fn micros(span: &Map<String, Json>, key: &str) -> Result<i64, DecodeError> {
    const NS_PER_US: f64 = 1e3;
    let number = span.get(key).and_then(Json::as_f64);
    let whole = number.filter(|number| (0.0..9e15).contains(number));
    let ns = whole.map(|number| {
        let part = (number.fract() * NS_PER_US).round() as i64;
        (number.trunc() as i64) * NS_PER_US as i64 + part
    });
    ns.ok_or_else(|| DecodeError::new(format!("{key} is no number of microseconds")))
}

fn js_event(event: &Json) -> Json {
    let part = |at: usize| event.get("time").and_then(|time| time.get(at)?.as_i64());
    let seconds = part(0).unwrap_or_default();
    let time = seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(part(1).unwrap_or_default());
    json!({
        "name": event.get("name"),
        "timeUnixNano": time.max(0).to_string(),
        "attributes": attributes(event.get("attributes")),
    })
}

fn js_link(link: &Json) -> Json {
    let context = link.get("context");
    json!({
        "traceId": text(context, "traceId"),
        "spanId": text(context, "spanId"),
        "attributes": attributes(link.get("attributes")),
    })
}

/// The spans of a resource as the PHP SDK's console exporter prints them, as one `ResourceSpans`.
pub(super) fn php(printed: &Map<String, Json>) -> Json {
    let listed = |of: Option<&Json>| of.and_then(Json::as_array).cloned().unwrap_or_default();
    let scopes = listed(printed.get("scopes"));
    let scopes = scopes.iter().map(|scope| {
        let spans = listed(scope.get("spans"));
        json!({
            "scope": { "name": text(Some(scope), "name"), "version": text(Some(scope), "version") },
            "spans": spans.iter().map(php_span).collect::<Vec<_>>(),
        })
    });
    let resource = printed
        .get("resource")
        .and_then(|resource| resource.get("attributes"));
    json!({
        "resource": { "attributes": attributes(resource) },
        "scopeSpans": scopes.collect::<Vec<_>>(),
    })
}

fn php_span(span: &Json) -> Json {
    let time = |of: &Json, name: &str| of.get(name).and_then(Json::as_i64).unwrap_or_default();
    let listed = |name: &str| {
        span.get(name)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
    };
    let events = listed("events").map(|event| {
        json!({
            "name": event.get("name"),
            "timeUnixNano": time(event, "timestamp").to_string(),
            "attributes": attributes(event.get("attributes")),
        })
    });
    json!({
        "traceId": text(span.get("context"), "trace_id"),
        "spanId": text(span.get("context"), "span_id"),
        "parentSpanId": text(Some(span), "parent_span_id"),
        "name": span.get("name"),
        "kind": format!("SPAN_{}", text(Some(span), "kind")),
        "startTimeUnixNano": time(span, "start").to_string(),
        "endTimeUnixNano": time(span, "end").to_string(),
        "attributes": attributes(span.get("attributes")),
        "status": {
            "code": status_code(text(span.get("status"), "code")),
            "message": text(span.get("status"), "description"),
        },
        "events": events.collect::<Vec<_>>(),
        "links": listed("links").map(python_link).collect::<Vec<_>>(),
    })
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

#[cfg(test)]
mod tests {
    use crate::otlp::Request;

    #[test]
    fn numbers_that_json_does_not_have_are_null() {
        let printed = r#"{"name":"train","context":{"trace_id":"0x0af7651916cd43dd8448eb211c80319c",
            "span_id":"0xb7ad6b7169203331","trace_state":"[]"},"kind":"SpanKind.INTERNAL","parent_id":null,
            "start_time":"2026-01-01T00:00:00.000000Z","end_time":"2026-01-01T00:00:01.000000Z",
            "status":{"status_code":"OK"},"attributes":{"loss":NaN,"best":-Infinity,"note":"NaN \"is\" lost"},
            "events":[],"links":[],"resource":{"attributes":{"service.name":"lab"},"schema_url":""}}"#;
        let bytes = printed.as_bytes().to_vec();
        let decoded = Request::Json { line: 1, bytes }.decode("0").unwrap();
        assert_eq!((decoded.spans.len(), decoded.rejected.len()), (1, 0));
        let attributes = &decoded.spans[0].attributes;
        assert!(attributes.contains(r#""loss":null"#), "{attributes}");
        assert!(
            attributes.contains(r#""note":"NaN \"is\" lost""#),
            "{attributes}"
        );
    }
}
