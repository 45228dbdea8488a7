//! Trace documents that are not OTLP/JSON but say the same: each is recognised by its members and
//! written anew as OTLP/JSON, which `json` then reads with all its limits.
//!
//! | form | from | told by |
//! |---|---|---|
//! | list | a JSON array of any of the others | `[` |
//! | resource spans | one `ResourceSpans` without its request | `scopeSpans` |
//! | batches | Grafana Tempo's API, version 1 | `batches` |
//! | trace | Grafana Tempo's API, version 2 | `trace` with `resourceSpans` |
//! | Jaeger | Jaeger's API and download button | `data` with `processes` and `spans` |
//! | console span | the console exporter of the Python SDK, `span.to_json()` | `context` with `trace_id` |
//! | stdout span | the stdout exporter of the Go SDK | `SpanContext` |
//!
//! Metrics, logs and profiles are recognised, too: they are another signal, not a mistake.

mod console;
mod jaeger;
mod otlp_value;

use serde_json::{Value as Json, json};

use super::error::DecodeError;

/// Keys of requests of other signals.
const OTHER_SIGNALS: &[&str] = &[
    "resourceMetrics",
    "resource_metrics",
    "resourceLogs",
    "resource_logs",
    "resourceProfiles",
    "resource_profiles",
];

/// What a document that is no OTLP trace request is.
pub(super) enum Form {
    /// Traces, as the text of an OTLP/JSON request.
    Traces(String),
    /// A request of another signal.
    OtherSignal,
}

/// Recognises a document; `None` when it is of no known form.
///
/// # Errors
/// When it is of a known form and something in it is missing or wrong.
pub(super) fn recognise(document: &[u8]) -> Result<Option<Form>, DecodeError> {
    let Ok(document) = serde_json::from_slice::<Json>(document) else { return Ok(None) };
    if OTHER_SIGNALS.iter().any(|key| document.get(key).is_some()) {
        return Ok(Some(Form::OtherSignal));
    }
    let mut resource_spans = Vec::new();
    if !collect(document, &mut resource_spans)? {
        return Ok(None);
    }
    Ok(Some(Form::Traces(json!({ "resourceSpans": resource_spans }).to_string())))
}

/// Adds the resource spans of a document; false when it is of no known form.
fn collect(document: Json, out: &mut Vec<Json>) -> Result<bool, DecodeError> {
    match document {
        Json::Array(items) => {
            let mut is_known = !items.is_empty();
            for item in items {
                // Lists in lists would make the depth of calls the input's choice.
                is_known &= !item.is_array() && collect(item, out)?;
            }
            Ok(is_known)
        }
        Json::Object(mut members) => {
            for key in ["resourceSpans", "resource_spans", "batches"] {
                if let Some(Json::Array(listed)) = members.get_mut(key).map(Json::take) {
                    out.extend(listed);
                    return Ok(true);
                }
            }
            if let Some(trace @ Json::Object(_)) = members.get("trace")
                && ["resourceSpans", "batches"].iter().any(|key| trace.get(key).is_some())
            {
                return collect(trace.clone(), out);
            }
            let has = |key: &str| members.contains_key(key);
            if has("scopeSpans") || has("scope_spans") || has("instrumentationLibrarySpans") {
                out.push(Json::Object(members));
            } else if has("context") && has("start_time") {
                out.push(console::python(&members)?);
            } else if has("SpanContext") {
                out.push(console::go(&members)?);
            } else if let Some(traces) = jaeger::traces(&members) {
                out.extend(jaeger::resource_spans(traces)?);
            } else {
                return Ok(false);
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use tracehouse_storage::model::Span;

    use crate::otlp::{DecodeError, Decoded, Request};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const REQUEST: &str = r#"{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},
        "scopeSpans":[{"scope":{"name":"lib"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b7","name":"step","kind":3,"startTimeUnixNano":"1000","endTimeUnixNano":"2000",
        "status":{"code":2,"message":"boom"},"attributes":[{"key":"n","value":{"intValue":"1"}}]}]}]}"#;

    fn decode(document: &str) -> Result<Decoded, DecodeError> {
        Request::Json { line: 1, bytes: document.as_bytes().to_vec() }.decode("0")
    }

    fn only_span(document: &str) -> Span {
        let mut decoded = decode(document).unwrap();
        assert_eq!(
            (decoded.spans.len(), decoded.rejected.len()),
            (1, 0),
            "{document}: {:?}",
            decoded.rejected
        );
        decoded.spans.remove(0)
    }

    #[test]
    fn wrappers_of_resource_spans_are_opened() {
        let wanted = only_span(&format!(r#"{{"resourceSpans":[{REQUEST}]}}"#));
        assert_eq!((wanted.service_name.as_deref(), wanted.status.as_str()), (Some("svc"), "ERROR"));
        for document in [
            REQUEST.to_string(),
            format!(r#"{{"batches":[{REQUEST}]}}"#),
            format!(r#"{{"trace":{{"resourceSpans":[{REQUEST}]}}}}"#),
            format!(r#"[{{"resourceSpans":[{REQUEST}]}}]"#),
            REQUEST
                .replace("scopeSpans", "instrumentationLibrarySpans")
                .replace("\"scope\"", "\"instrumentationLibrary\""),
        ] {
            assert_eq!(only_span(&document), wanted, "{document}");
        }
    }

    #[test]
    fn spans_as_sdks_print_them() {
        let python = only_span(
            r#"{"name":"step","context":{"trace_id":"0x4bf92f3577b34da6a3ce929d0e0e4736","span_id":"0x00f067aa0ba902b7"},
            "kind":"SpanKind.CLIENT","parent_id":"0x00f067aa0ba902b8","start_time":"1970-01-01T00:00:00.000001Z",
            "end_time":"1970-01-01T00:00:00.000002Z","status":{"status_code":"ERROR","description":"boom"},
            "attributes":{"n":1,"list":["a",true,0.5]},"events":[{"name":"e","timestamp":"1970-01-01T00:00:00Z","attributes":{}}],
            "links":[],"resource":{"attributes":{"service.name":"svc"},"schema_url":""}}"#,
        );
        assert_eq!((python.trace_id.as_str(), python.span_id.as_str()), (TRACE, "00f067aa0ba902b7"));
        assert_eq!(python.parent_span_id.as_deref(), Some("00f067aa0ba902b8"));
        assert_eq!((python.start_time_ns, python.end_time_ns), (1000, Some(2000)));
        assert_eq!((python.kind.as_str(), python.status.as_str()), ("CLIENT", "ERROR"));
        assert_eq!(python.attributes, r#"{"list":["a",true,0.5],"n":1}"#);
        assert_eq!((python.service_name.as_deref(), python.events.len()), (Some("svc"), 1));
        let go = only_span(
            r#"{"Name":"step","SpanContext":{"TraceID":"4bf92f3577b34da6a3ce929d0e0e4736","SpanID":"00f067aa0ba902b7"},
            "Parent":{"TraceID":"00000000000000000000000000000000","SpanID":"0000000000000000"},"SpanKind":1,
            "StartTime":"1970-01-01T00:00:00.000001Z","EndTime":"1970-01-01T00:00:00.000002Z",
            "Attributes":[{"Key":"n","Value":{"Type":"INT64","Value":1}}],"Events":null,"Links":null,
            "Status":{"Code":"Error","Description":"boom"},"Resource":[{"Key":"service.name","Value":{"Type":"STRING","Value":"svc"}}],
            "InstrumentationScope":{"Name":"lib","Version":""}}"#,
        );
        assert_eq!((go.parent_span_id.as_deref(), go.kind.as_str()), (None, "INTERNAL"));
        assert_eq!((go.status.as_str(), go.attributes.as_str()), ("ERROR", r#"{"n":1}"#));
        assert_eq!((go.service_name.as_deref(), go.scope_name.as_deref()), (Some("svc"), Some("lib")));
    }

    #[test]
    fn traces_of_the_jaeger_api() {
        let span = only_span(
            r#"{"data":[{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spans":[{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736",
            "spanID":"00f067aa0ba902b7","operationName":"step","references":[{"refType":"CHILD_OF","spanID":"00f067aa0ba902b8"}],
            "startTime":1,"duration":1,"tags":[{"key":"error","type":"bool","value":true},{"key":"span.kind","type":"string","value":"client"}],
            "logs":[{"timestamp":1,"fields":[{"key":"event","type":"string","value":"e"}]}],"processID":"p1"}],
            "processes":{"p1":{"serviceName":"svc","tags":[]}}}]}"#,
        );
        assert_eq!((span.start_time_ns, span.end_time_ns), (1000, Some(2000)));
        assert_eq!((span.kind.as_str(), span.status.as_str()), ("CLIENT", "ERROR"));
        assert_eq!(span.parent_span_id.as_deref(), Some("00f067aa0ba902b8"));
        assert_eq!((span.service_name.as_deref(), span.events[0].name.as_str()), (Some("svc"), "e"));
    }

    #[test]
    fn values_are_read_or_their_span_is_rejected() {
        let value = |value: &str| REQUEST.replace(r#"{"intValue":"1"}"#, value);
        let go = only_span(&value(r#"{"Value":{"IntValue":1}}"#));
        assert_eq!(go.attributes, r#"{"n":1}"#);
        let unknown = decode(&format!(r#"{{"resourceSpans":[{}]}}"#, value(r#"{"textValue":"v"}"#))).unwrap();
        assert_eq!(unknown.spans.len(), 0);
        assert!(unknown.rejected[0].contains("textValue"), "{:?}", unknown.rejected);
    }

    #[test]
    fn other_signals_are_skipped_and_other_documents_are_errors() {
        for signal in [r#"{"resourceLogs":[]}"#, r#"{"resourceMetrics":[]}"#] {
            assert_eq!(decode(signal).unwrap(), Decoded { skipped: 1, ..Decoded::default() });
        }
        for document in ["[]", "[[]]", r#"{"a":1}"#, r#"{"data":[]}"#, "[1]", r#"{"trace":{}}"#] {
            assert!(decode(document).is_err(), "{document}");
        }
        let no_time = r#"{"context":{"trace_id":"0x1"},"start_time":"soon"}"#;
        assert!(decode(no_time).unwrap_err().to_string().contains("\"soon\" is no RFC 3339 time"));
    }
}
