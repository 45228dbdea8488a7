//! Spans of Zipkin, version 2 of its API, which is what OpenTelemetry's exporters send it: lists of spans, or lists of
//! such lists, times in microseconds, tags that are all text.
//! Form: `Span` of <https://zipkin.io/zipkin-api/zipkin2-api.yaml>.

use serde_json::{Map, Value as Json, json};

use super::otlp_value::{any_value, text};
use crate::otlp::error::DecodeError;

pub(super) const FORM: &str = "Zipkin span";

const NS_PER_US: u64 = 1_000;
const TRACE_ID_DIGITS: usize = 32;
const SPAN_ID_DIGITS: usize = 16;

/// Tags that exporters make of what OTLP has members for: status, its message, scope. `error` has the message, too.
const STATUS: &str = "otel.status_code";
const STATUS_MESSAGE: &str = "otel.status_description";
const ERROR: &str = "error";
const SCOPE_NAMES: [&str; 2] = ["otel.scope.name", "otel.library.name"];
const SCOPE_VERSIONS: [&str; 2] = ["otel.scope.version", "otel.library.version"];
const TOLD: [&str; 2] = [STATUS, STATUS_MESSAGE];

/// How tags begin that exporters make of the resource: these name what ran, not what it did.
const OF_RESOURCE: &[&str] = &[
    "service.",
    "telemetry.",
    "host.",
    "process.",
    "os.",
    "k8s.",
    "container.",
    "deployment.",
    "cloud.",
];

/// Whether these are the members of a span.
pub(super) fn is_span(members: &Map<String, Json>) -> bool {
    let is_text = |name: &str| members.get(name).is_some_and(Json::is_string);
    let endpoint = members.get("localEndpoint").or(members.get("tags"));
    is_text("traceId")
        && is_text("id")
        && members.contains_key("timestamp")
        && members.get("kind").is_none_or(Json::is_string)
        && endpoint.is_some_and(Json::is_object)
}

/// A span as one `ResourceSpans`.
///
/// # Errors
/// When it has no time.
pub(super) fn resource_spans(span: &Map<String, Json>) -> Result<Json, DecodeError> {
    let micros = |name: &str| span.get(name).and_then(Json::as_u64);
    let start = micros("timestamp").ok_or_else(|| {
        DecodeError::new("a Zipkin span whose timestamp is no number of microseconds")
    })?;
    let end = start.saturating_add(micros("duration").unwrap_or_default());
    let tags = span.get("tags").and_then(Json::as_object);
    let tag = |name: &str| tags.and_then(|tags| tags.get(name)).and_then(Json::as_str);
    let first = |names: [&str; 2]| names.into_iter().find_map(tag).unwrap_or_default();
    let error = tag(ERROR).filter(|error| *error != "false");
    let code = match (tag(STATUS), error) {
        (Some(code), _) => code.to_ascii_uppercase(),
        (None, Some(_)) => "ERROR".to_string(),
        (None, None) => String::new(),
    };
    let message = error
        .filter(|error| *error != "true")
        .or(tag(STATUS_MESSAGE));
    let (of_resource, own) = divided(tags);
    let service = text(span.get("localEndpoint"), "serviceName");
    let mut resource = vec![attribute("service.name", &json!(service))];
    resource.extend(of_resource);
    let annotations = span.get("annotations").and_then(Json::as_array);
    Ok(json!({
        "resource": { "attributes": resource },
        "scopeSpans": [{
            "scope": { "name": first(SCOPE_NAMES), "version": first(SCOPE_VERSIONS) },
            "spans": [{
                "traceId": id(span, "traceId", TRACE_ID_DIGITS),
                "spanId": id(span, "id", SPAN_ID_DIGITS),
                "parentSpanId": id(span, "parentId", SPAN_ID_DIGITS),
                "name": span.get("name"),
                "kind": kind(span.get("kind")),
                "startTimeUnixNano": start.saturating_mul(NS_PER_US).to_string(),
                "endTimeUnixNano": end.saturating_mul(NS_PER_US).to_string(),
                "attributes": own,
                "status": { "code": format!("STATUS_CODE_{code}"), "message": message.unwrap_or_default() },
                "events": annotations.into_iter().flatten().map(event).collect::<Vec<_>>(),
            }],
        }],
    }))
}

/// The tags as attributes: those of the resource, and the span's own.
fn divided(tags: Option<&Map<String, Json>>) -> (Vec<Json>, Vec<Json>) {
    let (mut of_resource, mut own) = (Vec::new(), Vec::new());
    let is_told = |name: &str| {
        let mut told = TOLD.iter().chain(&SCOPE_NAMES).chain(&SCOPE_VERSIONS);
        told.any(|known| *known == name)
    };
    for (name, value) in tags.into_iter().flatten() {
        let is_of_resource = OF_RESOURCE.iter().any(|start| name.starts_with(start));
        if name == "service.name" || is_told(name) {
            // It stands for the endpoint, or for a member of its own.
        } else if is_of_resource {
            of_resource.push(attribute(name, value));
        } else {
            own.push(attribute(name, value));
        }
    }
    (of_resource, own)
}

fn attribute(key: &str, value: &Json) -> Json {
    json!({ "key": key, "value": any_value(value) })
}

/// A span without a kind is one of the process's own.
fn kind(kind: Option<&Json>) -> String {
    match kind.and_then(Json::as_str) {
        Some(kind) => format!("SPAN_KIND_{}", kind.to_ascii_uppercase()),
        None => "SPAN_KIND_INTERNAL".to_string(),
    }
}

/// An id with all its digits: those of traces may have 64 bits.
fn id(span: &Map<String, Json>, name: &str, digits: usize) -> String {
    match span.get(name).and_then(Json::as_str).unwrap_or_default() {
        "" => String::new(),
        id => format!("{id:0>digits$}"),
    }
}

/// An annotation; exporters write an event as `NAME`, or as `"NAME":{ATTRIBUTES}`.
fn event(annotation: &Json) -> Json {
    let time = annotation.get("timestamp").and_then(Json::as_u64);
    let value = text(Some(annotation), "value");
    let written = serde_json::from_str::<Map<String, Json>>(&format!("{{{value}}}")).ok();
    let named = written.or_else(|| serde_json::from_str(value).ok());
    let named = named.filter(|named| named.len() == 1);
    let (name, attributes) = match named.as_ref().and_then(|named| named.iter().next()) {
        Some((name, attributes)) => (
            name.as_str(),
            super::otlp_value::attributes(Some(attributes)),
        ),
        None => (value, json!([])),
    };
    json!({
        "name": name,
        "timeUnixNano": time.unwrap_or_default().saturating_mul(NS_PER_US).to_string(),
        "attributes": attributes,
    })
}

#[cfg(test)]
mod tests {
    use tracehouse_storage::model::Span;

    use crate::otlp::{Decoded, Request};

    fn decode(document: &str) -> Decoded {
        let bytes = document.as_bytes().to_vec();
        Request::Json { line: 1, bytes }.decode("0").unwrap()
    }

    const ASK: &str = r#"{"traceId":"9d3f00112233aabb","id":"1f2e","parentId":"77","kind":"CLIENT","name":"ask",
        "timestamp":1767225600000001,"duration":2500,"localEndpoint":{"serviceName":"desk"},
        "annotations":[{"timestamp":1767225600000500,"value":"first token"},
            {"timestamp":1767225600000600,"value":"{\"retry\":{\"attempt\":\"2\"}}"},
            {"timestamp":1767225600000700,"value":"\"wait\": {\"s\": \"1\"}"}],
        "tags":{"gen_ai.operation.name":"chat","gen_ai.request.model":"m-1","gen_ai.usage.input_tokens":"12",
            "gen_ai.prompt":"why?","otel.status_code":"ERROR","error":"no answer","otel.scope.name":"desk.llm",
            "service.name":"desk","telemetry.sdk.language":"go"}}"#;

    fn ask(more: &[(&str, &str)]) -> Span {
        let document = more
            .iter()
            .fold(ASK.to_string(), |text, (from, to)| text.replace(from, to));
        let mut decoded = decode(&document);
        assert_eq!(
            (decoded.spans.len(), decoded.rejected.len()),
            (1, 0),
            "{:?}",
            decoded.rejected
        );
        decoded.spans.remove(0)
    }

    #[test]
    fn a_span_is_what_was_sent() {
        let span = ask(&[]);
        assert_eq!(
            (span.trace_id.as_str(), span.span_id.as_str()),
            ("00000000000000009d3f00112233aabb", "0000000000001f2e")
        );
        assert_eq!(span.parent_span_id.as_deref(), Some("0000000000000077"));
        assert_eq!((span.kind.as_str(), span.name.as_str()), ("CLIENT", "ask"));
        assert_eq!(span.start_time_ns, 1_767_225_600_000_001_000);
        assert_eq!(span.end_time_ns, Some(1_767_225_600_002_501_000));
        assert_eq!(
            (span.status.as_str(), span.status_message.as_deref()),
            ("ERROR", Some("no answer"))
        );
        assert_eq!(span.service_name.as_deref(), Some("desk"));
        assert_eq!(span.scope_name.as_deref(), Some("desk.llm"));
        assert_eq!(
            (span.model.as_deref(), span.input_tokens),
            (Some("m-1"), Some(12))
        );
        assert_eq!(span.inputs.as_deref(), Some("why?"));
        assert!(
            span.resource.contains("telemetry.sdk.language"),
            "{}",
            span.resource
        );
        assert!(!span.attributes.contains("otel."), "{}", span.attributes);
        let events: Vec<(&str, &str)> = span
            .events
            .iter()
            .map(|event| (event.name.as_str(), event.attributes.as_str()))
            .collect();
        assert_eq!(
            events,
            [
                ("first token", "{}"),
                ("retry", r#"{"attempt":"2"}"#),
                ("wait", r#"{"s":"1"}"#)
            ]
        );
    }

    #[test]
    fn what_a_span_does_not_say_is_not_made_up() {
        let plain = ask(&[
            (r#""kind":"CLIENT","#, ""),
            (r#""otel.status_code":"ERROR","error":"no answer","#, ""),
            (r#""duration":2500,"#, ""),
        ]);
        assert_eq!(
            (plain.kind.as_str(), plain.status.as_str()),
            ("INTERNAL", "UNSET")
        );
        let failed = ask(&[(
            r#""otel.status_code":"ERROR","error":"no answer""#,
            r#""error":"true""#,
        )]);
        assert_eq!(
            (failed.status.as_str(), failed.status_message),
            ("ERROR", None)
        );
        let list = decode(&format!("[{ASK}]"));
        assert_eq!(
            (list.spans.len(), list.forms.get("Zipkin span")),
            (1, Some(&1))
        );
    }
}
