//! Trace documents that are not OTLP/JSON but say the same: each is recognised by its members and
//! written anew as OTLP/JSON, which `json` then reads with all its limits.
//!
//! | form | from | told by |
//! |---|---|---|
//! | list | a JSON array of any of the others, or an object with one | `[`, or a member of [`LISTS`] |
//! | request | a request of spans or log records in a list | `resourceSpans`, `resourceLogs` |
//! | resource spans | one `ResourceSpans` without its request | `scopeSpans` |
//! | span | one OTLP `Span` by itself | `traceId` with `startTimeUnixNano` |
//! | batches | Grafana Tempo's API, version 1 | `batches` |
//! | trace | Grafana Tempo's API, version 2; Jaeger's, version 3 | `trace`, `result` or `data` with `resourceSpans` |
//! | Jaeger | Jaeger's API and download button | `data` with `processes` and `spans` |
//! | console span | the console exporter of the Python SDK, `span.to_json()` | `context` with `trace_id` |
//! | stdout span | the stdout exporter of the Go SDK | `SpanContext` |
//! | printed span | the console exporter of the JavaScript SDK | `traceId`, `id`, `timestamp` and `duration` |
//! | Zipkin span | Zipkin's API, and exporters for it | `traceId`, `id`, `timestamp`, and `localEndpoint` or `tags` |
//! | scopes | the console exporter of the PHP SDK | `resource` with `scopes` |
//! | MLflow, Langfuse, LangSmith, Phoenix, OpenAI Agents | their exports | see the file of each |
//!
//! Exports of products hold more than spans: what they say of a trace as a whole, and what was said about it. Their
//! ids may be any text. Metrics and profiles are recognised, too: they are another signal, not a mistake.

mod console;
mod found;
mod jaeger;
mod langfuse;
mod langsmith;
mod mlflow;
mod object;
mod openai_agents;
mod otlp_value;
mod phoenix;
mod score;
mod zipkin;

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};
use tracehouse_storage::json::nulled as without_non_finite;

use super::error::DecodeError;
pub(super) use found::Found;
use object::Record;

/// Keys of requests of other signals.
const OTHER_SIGNALS: &[&str] = &[
    "resourceMetrics",
    "resource_metrics",
    "resourceProfiles",
    "resource_profiles",
];

/// Keys of requests that are read as they are, unless they are damaged.
const REQUESTS: &[&str] = &["resourceSpans", "resourceLogs", "resource_logs"];

/// Keys of lists of resource logs.
const LOGS: &[&str] = &["resourceLogs", "resource_logs"];

/// Keys of lists of resource spans.
const WRAPPERS: &[&str] = &["resourceSpans", "resource_spans", "batches"];

/// Keys of objects around a request, and what they are called: Tempo's answer, Jaeger's, other proxies'.
const ANSWERS: &[(&str, &str)] = &[
    ("trace", "Tempo trace"),
    ("result", "Jaeger answer"),
    ("data", "OTLP request"),
];

/// Keys that one `ResourceSpans` has.
const RESOURCE_SPANS: &[&str] = &["scopeSpans", "scope_spans", "instrumentationLibrarySpans"];

/// Keys of the lists of records that APIs answer with.
const LISTS: &[&str] = &[
    "data",
    "runs",
    "traces",
    "spans",
    "observations",
    "scores",
    "annotations",
];

/// Keys that a record has, and not an object around a list of records.
const OF_RECORDS: &[&str] = &[
    "id",
    "object",
    "context",
    "context.trace_id",
    "run_id",
    "annotator_kind",
];

/// How deep lists of records may lie in each other.
const LIST_DEPTH_MAX: usize = 3;

/// Largest span or answer that is taken apart into values, which take some ten times its bytes.
const PARSED_BYTES_MAX: usize = 16 << 20;

/// What a document that is no OTLP trace request is.
pub(super) enum Form {
    /// Traces, and what is said of them.
    Traces(Box<Found>),
    /// A request of another signal.
    OtherSignal,
}

/// The members of an object, each still the text that it is.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Recognises a document; `None` when it is of no known form, or is a request that is damaged. `now_ns` is the time of
/// what has none.
///
/// # Errors
/// When it is of a known form and something in it is missing or wrong.
pub(super) fn recognise(document: &[u8], now_ns: i64) -> Result<Option<Form>, DecodeError> {
    let Ok(text) = std::str::from_utf8(document) else {
        return Ok(None);
    };
    let nulled;
    let document = match serde_json::from_str::<&RawValue>(text) {
        Ok(document) => document,
        // What Python's exporters print may have numbers that JSON does not have.
        Err(_) => {
            nulled = without_non_finite(text).unwrap_or_default();
            let Ok(document) = serde_json::from_str(&nulled) else {
                return Ok(None);
            };
            document
        }
    };
    let mut found = Found::at(now_ns);
    let is_known = match document.get().starts_with('[') {
        true => found.add_list(document, 0)?,
        false => match members(document.get()) {
            Some(members) if REQUESTS.iter().any(|key| members.contains_key(*key)) => {
                return Ok(None);
            }
            _ => found.add(document.get(), 0)?,
        },
    };
    Ok(match (is_known, found.is_other_signal()) {
        (false, _) => None,
        (true, true) => Some(Form::OtherSignal),
        (true, false) => Some(Form::Traces(Box::new(found))),
    })
}

/// The members of an object of no known form, for the error; `None` for another document, and for a request, of which
/// the error says what is wrong.
pub(super) fn members_seen(document: &[u8]) -> Option<String> {
    const SHOWN_MAX: usize = 12;
    const NAME_CHARS_MAX: usize = 64;
    let members: Members<'_> = serde_json::from_slice(document).ok()?;
    if REQUESTS.iter().any(|key| members.contains_key(*key)) {
        return None;
    }
    let shown: Vec<String> = members
        .keys()
        .take(SHOWN_MAX)
        .map(|name| name.chars().take(NAME_CHARS_MAX).collect())
        .collect();
    let more = if members.len() > SHOWN_MAX {
        ", ..."
    } else {
        ""
    };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

/// Whether rows with these columns are records of a product.
pub(super) fn is_table(columns: &[String]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let row = Record::new(
        columns
            .iter()
            .map(|name| (name.clone(), Json::Bool(true)))
            .collect(),
    );
    let form = langsmith::form(&row)
        .or_else(|| phoenix::form(&row))
        .or_else(|| langfuse::form(&row));
    form.is_some() || (has("trace") && (has("trace_id") || has("request_id")))
}

/// Whether a text is a time or a number.
pub(super) fn is_time_or_number(text: &str) -> bool {
    object::time_ns(&Json::String(text.to_string())).is_some() || text.parse::<f64>().is_ok()
}

/// Unix nanoseconds of a time as products write it: a text, or a number whose size tells its unit.
pub(crate) fn time_ns(value: &Json) -> Option<i64> {
    object::time_ns(value)
}

fn members(json: &str) -> Option<Members<'_>> {
    if json.starts_with('{') {
        serde_json::from_str(json).ok()
    } else {
        None
    }
}

impl Found {
    /// Adds what the elements of a list hold, which may be nothing; false when the first one is of no known form. A later
    /// one that is not is rejected.
    ///
    /// # Errors
    /// What the first element gives.
    fn add_list(&mut self, list: &RawValue, depth: usize) -> Result<bool, DecodeError> {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(list.get()) else {
            return Ok(false);
        };
        for (number, item) in items.iter().enumerate() {
            let added = self.add(item.get(), depth + 1);
            if number == 0 && !matches!(added, Ok(true)) {
                return added;
            }
            match added {
                Ok(true) => {}
                Ok(false) => self.reject(
                    "list",
                    DecodeError::new(format!("element {number} is of no known form")),
                ),
                Err(error) => self.reject(
                    "list",
                    DecodeError::new(format!("element {number}: {error}")),
                ),
            }
        }
        Ok(true)
    }

    /// Adds what an object holds; false when it is of no known form.
    fn add(&mut self, json: &str, depth: usize) -> Result<bool, DecodeError> {
        let Some(members) = members(json).filter(|_| depth <= LIST_DEPTH_MAX) else {
            return Ok(false);
        };
        if mlflow::add(self, &members)? {
            return Ok(true);
        }
        let has = |keys: &[&str]| keys.iter().any(|key| members.contains_key(*key));
        let of = |keys: &[&str]| keys.iter().find_map(|key| members.get(*key).copied());
        if has(WRAPPERS) || has(LOGS) {
            self.saw("OTLP request");
            let is_read = of(WRAPPERS).is_none_or(|listed| self.add_resources(listed, Self::otlp));
            return Ok(
                of(LOGS).is_none_or(|listed| self.add_resources(listed, Self::otlp_logs))
                    && is_read,
            );
        } else if has(OTHER_SIGNALS) {
            self.saw_other_signal();
        } else if let Some((form, listed)) = answer(&members) {
            self.saw(form);
            return Ok(self.add_resources(listed, Self::otlp));
        } else if has(RESOURCE_SPANS) {
            self.saw("OTLP resource spans");
            self.otlp(json.to_string());
        } else if is_otlp_span(&members) {
            self.saw("OTLP span");
            self.otlp(format!("{{\"scopeSpans\":[{{\"spans\":[{json}]}}]}}"));
        } else if has(&["SpanContext"]) {
            self.saw("Go SDK span");
            self.otlp(console::go(&parsed(json)?)?.to_string());
        } else if has(&["scopes"]) && has(&["resource"]) {
            self.saw("PHP SDK spans");
            self.otlp(console::php(&parsed(json)?).to_string());
        } else if has(OF_RECORDS) {
            return Ok(self.add_record(json)? || self.add_lists(&members, depth)?);
        } else if members.get("data").is_some_and(|data| is_jaeger(data)) {
            let members = parsed(json)?;
            let Some(traces) = jaeger::traces(&members) else {
                return Ok(false);
            };
            self.saw("Jaeger traces");
            jaeger::resource_spans(traces)?
                .iter()
                .for_each(|spans| self.otlp(spans.to_string()));
        } else if let Some(record) = langfuse::download(&members)? {
            langfuse::add(self, langfuse::TRACE_FORM, record);
        } else {
            return self.add_lists(&members, depth);
        }
        Ok(true)
    }

    /// Adds the lists of records that an object is around; false when none of them is of a known form.
    fn add_lists(&mut self, members: &Members<'_>, depth: usize) -> Result<bool, DecodeError> {
        let mut is_known = false;
        for list in LISTS.iter().filter_map(|key| members.get(*key)) {
            is_known |= self.add_list(list, depth)?;
        }
        Ok(is_known)
    }

    /// Adds a record of a product; false when it is of none.
    fn add_record(&mut self, json: &str) -> Result<bool, DecodeError> {
        let members = parsed(json)?;
        if let Some(form) = members
            .get("object")
            .and_then(Json::as_str)
            .and_then(openai_agents::form)
        {
            openai_agents::add(self, form, members);
            return Ok(true);
        }
        if zipkin::is_span(&members) {
            self.saw(zipkin::FORM);
            self.otlp(zipkin::resource_spans(&members)?.to_string());
            return Ok(true);
        }
        let record = Record::new(members.clone());
        if let Some(form) = langsmith::form(&record) {
            langsmith::add(self, form, record);
        } else if let Some(form) = phoenix::form(&record) {
            phoenix::add(self, form, record);
        } else if let Some(form) = langfuse::form(&record) {
            langfuse::add(self, form, record);
        } else if members.contains_key("context") && members.contains_key("start_time") {
            self.saw("SDK console span");
            self.otlp(console::python(&members)?.to_string());
        } else if console::is_js(&members) {
            self.saw("JavaScript SDK span");
            self.otlp(console::js(&members)?.to_string());
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Adds a list of resource spans or logs as it stands; false when it is no list.
    fn add_resources(&mut self, listed: &RawValue, add: fn(&mut Self, String)) -> bool {
        let inner = listed
            .get()
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'));
        if let Some(inner) = inner.map(str::trim).filter(|inner| !inner.is_empty()) {
            add(self, inner.to_string());
        }
        inner.is_some()
    }
}

/// Whether these are the members of a span of OTLP, whose attributes are a list.
fn is_otlp_span(members: &Members<'_>) -> bool {
    let has_any = |keys: [&str; 2]| keys.iter().any(|key| members.contains_key(*key));
    let is_list = |attributes: &&RawValue| attributes.get().starts_with('[');
    has_any(["traceId", "trace_id"])
        && has_any(["startTimeUnixNano", "start_time_unix_nano"])
        && members.get("attributes").is_none_or(is_list)
}

/// Whether a list is one of Jaeger's traces.
fn is_jaeger(list: &RawValue) -> bool {
    let traces: Vec<&RawValue> = serde_json::from_str(list.get()).unwrap_or_default();
    let is_trace =
        |members: Members<'_>| members.contains_key("processes") && members.contains_key("spans");
    traces
        .first()
        .and_then(|first| members(first.get()))
        .is_some_and(is_trace)
}

/// The list of resource spans that an API answers with, and what the answer is called.
fn answer<'a>(members: &Members<'a>) -> Option<(&'static str, &'a RawValue)> {
    ANSWERS
        .iter()
        .find_map(|(key, form)| Some((*form, wrapped(members.get(*key).copied()?)?)))
}

/// The list of resource spans inside an object.
fn wrapped(json: &RawValue) -> Option<&RawValue> {
    let members = members(json.get())?;
    WRAPPERS.iter().find_map(|key| members.get(*key).copied())
}

fn parsed(json: &str) -> Result<Map<String, Json>, DecodeError> {
    if json.len() > PARSED_BYTES_MAX {
        return Err(DecodeError::new(format!(
            "a span of more than {} MiB",
            PARSED_BYTES_MAX >> 20
        )));
    }
    serde_json::from_str(json).map_err(|error| DecodeError::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tracehouse_storage::model::Span;

    use crate::otlp::{DecodeError, Decoded, Request};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const REQUEST: &str = r#"{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},
        "scopeSpans":[{"scope":{"name":"lib"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b7","name":"step","kind":3,"startTimeUnixNano":"1000","endTimeUnixNano":"2000",
        "status":{"code":2,"message":"boom"},"attributes":[{"key":"n","value":{"intValue":"1"}}]}]}]}"#;

    fn decode(document: &str) -> Result<Decoded, DecodeError> {
        Request::Json {
            line: 1,
            bytes: document.as_bytes().to_vec(),
        }
        .decode("0")
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
        assert_eq!(
            (wanted.service_name.as_deref(), wanted.status.as_str()),
            (Some("svc"), "ERROR")
        );
        for document in [
            REQUEST.to_string(),
            format!(r#"{{"batches":[{REQUEST}]}}"#),
            format!(r#"{{"trace":{{"resourceSpans":[{REQUEST}]}}}}"#),
            format!(r#"[{{"resourceSpans":[{REQUEST}]}}]"#),
            format!(r#"{{"result":{{"resourceSpans":[{REQUEST}]}}}}"#),
            format!(r#"{{"data":{{"resourceSpans":[{REQUEST}]}}}}"#),
            REQUEST
                .replace("scopeSpans", "instrumentationLibrarySpans")
                .replace("\"scope\"", "\"instrumentationLibrary\""),
        ] {
            assert_eq!(only_span(&document), wanted, "{document}");
        }
    }

    #[test]
    fn spans_as_the_sdks_of_python_and_javascript_print_them() {
        let python = only_span(
            r#"{"name":"step","context":{"trace_id":"0x4bf92f3577b34da6a3ce929d0e0e4736","span_id":"0x00f067aa0ba902b7"},
            "kind":"SpanKind.CLIENT","parent_id":"0x00f067aa0ba902b8","start_time":"1970-01-01T00:00:00.000001Z",
            "end_time":"1970-01-01T00:00:00.000002Z","status":{"status_code":"ERROR","description":"boom"},
            "attributes":{"n":1,"list":["a",true,0.5]},"events":[{"name":"e","timestamp":"1970-01-01T00:00:00Z","attributes":{}}],
            "links":[],"resource":{"attributes":{"service.name":"svc"},"schema_url":""}}"#,
        );
        assert_eq!(
            (python.trace_id.as_str(), python.span_id.as_str()),
            (TRACE, "00f067aa0ba902b7")
        );
        assert_eq!(python.parent_span_id.as_deref(), Some("00f067aa0ba902b8"));
        assert_eq!(
            (python.start_time_ns, python.end_time_ns),
            (1000, Some(2000))
        );
        assert_eq!(
            (python.kind.as_str(), python.status.as_str()),
            ("CLIENT", "ERROR")
        );
        assert_eq!(python.attributes, r#"{"list":["a",true,0.5],"n":1}"#);
        assert_eq!(
            (python.service_name.as_deref(), python.events.len()),
            (Some("svc"), 1)
        );
        let js = only_span(
            r#"{"resource":{"attributes":{"service.name":"svc"}},"instrumentationScope":{"name":"lib"},
            "traceId":"4bf92f3577b34da6a3ce929d0e0e4736","parentSpanContext":{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
            "spanId":"00f067aa0ba902b8"},"name":"step","id":"00f067aa0ba902b7","kind":2,"timestamp":1767225600000000.5,
            "duration":1.25,"attributes":{"n":1},"status":{"code":2,"message":"boom"},
            "events":[{"name":"e","attributes":{},"time":[1767225600,7]}],"links":[]}"#,
        );
        assert_eq!(
            (js.start_time_ns, js.end_time_ns),
            (1_767_225_600_000_000_500, Some(1_767_225_600_000_001_750))
        );
        assert_eq!(
            (js.kind.as_str(), js.status.as_str(), js.attributes.as_str()),
            ("CLIENT", "ERROR", r#"{"n":1}"#)
        );
        assert_eq!(js.parent_span_id.as_deref(), Some("00f067aa0ba902b8"));
        assert_eq!(
            (js.service_name.as_deref(), js.events[0].time_ns),
            (Some("svc"), 1_767_225_600_000_000_007)
        );
    }

    #[test]
    fn spans_as_the_sdks_of_php_and_go_print_them() {
        let php = only_span(
            r#"{"resource":{"attributes":{"service.name":"svc"},"dropped_attributes_count":0},"scopes":[{"name":"lib",
            "version":"1","spans":[{"name":"step","context":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
            "span_id":"00f067aa0ba902b7"},"parent_span_id":"00f067aa0ba902b8","kind":"KIND_CLIENT","start":1000,"end":2000,
            "attributes":{"n":1},"status":{"code":"Error","description":"boom"},
            "events":[{"name":"e","timestamp":1500,"attributes":{}}],"links":[]}]}]}"#,
        );
        assert_eq!(
            (php.start_time_ns, php.end_time_ns, php.events[0].time_ns),
            (1000, Some(2000), 1500)
        );
        assert_eq!(
            (
                php.kind.as_str(),
                php.status.as_str(),
                php.scope_name.as_deref()
            ),
            ("CLIENT", "ERROR", Some("lib"))
        );
        assert_eq!(php.parent_span_id.as_deref(), Some("00f067aa0ba902b8"));
        let go = only_span(
            r#"{"Name":"step","SpanContext":{"TraceID":"4bf92f3577b34da6a3ce929d0e0e4736","SpanID":"00f067aa0ba902b7"},
            "Parent":{"TraceID":"00000000000000000000000000000000","SpanID":"0000000000000000"},"SpanKind":1,
            "StartTime":"1970-01-01T00:00:00.000001Z","EndTime":"1970-01-01T00:00:00.000002Z",
            "Attributes":[{"Key":"n","Value":{"Type":"INT64","Value":1}}],"Events":null,"Links":null,
            "Status":{"Code":"Error","Description":"boom"},"Resource":[{"Key":"service.name","Value":{"Type":"STRING","Value":"svc"}}],
            "InstrumentationScope":{"Name":"lib","Version":""}}"#,
        );
        assert_eq!(
            (go.parent_span_id.as_deref(), go.kind.as_str()),
            (None, "INTERNAL")
        );
        assert_eq!(
            (go.status.as_str(), go.attributes.as_str()),
            ("ERROR", r#"{"n":1}"#)
        );
        assert_eq!(
            (go.service_name.as_deref(), go.scope_name.as_deref()),
            (Some("svc"), Some("lib"))
        );
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
        assert_eq!(
            (span.kind.as_str(), span.status.as_str()),
            ("CLIENT", "ERROR")
        );
        assert_eq!(span.parent_span_id.as_deref(), Some("00f067aa0ba902b8"));
        assert_eq!(
            (span.service_name.as_deref(), span.events[0].name.as_str()),
            (Some("svc"), "e")
        );
    }

    #[test]
    fn a_correction_of_langfuse_is_its_text() {
        let decoded = decode(
            r#"{"id":"t1","timestamp":"2026-01-01T00:00:00Z","name":"N","release":"r1","observations":[],"scores":[
            {"id":"s","name":"output","value":0,"stringValue":"corrected","source":"ANNOTATION","dataType":"CORRECTION"}]}"#,
        )
        .unwrap();
        assert_eq!(decoded.assessments[0].assessment.value, r#""corrected""#);
        assert!(
            decoded.spans[0]
                .attributes
                .contains(r#""langfuse.release":"r1""#)
        );
    }

    #[test]
    fn short_ids_of_jaeger_have_their_zeros() {
        let span = only_span(
            r#"{"data":[{"traceID":"a3ce929d0e0e4736","spans":[{"traceID":"a3ce929d0e0e4736","spanID":"f067aa0ba902b7",
            "operationName":"step","references":[{"refType":"CHILD_OF","spanID":"b8"}],"startTime":1,"duration":1,
            "processID":"p1"}],"processes":{"p1":{"serviceName":"svc"}}}]}"#,
        );
        assert_eq!(span.trace_id, "0000000000000000a3ce929d0e0e4736");
        assert_eq!(span.span_id, "00f067aa0ba902b7");
        assert_eq!(span.parent_span_id.as_deref(), Some("00000000000000b8"));
    }

    #[test]
    fn documents_without_line_ends_between_them_are_read_each() {
        let request = format!(r#"{{"resourceSpans":[{REQUEST}]}}"#);
        let other = request.replace("00f067aa0ba902b7", "00f067aa0ba902b8");
        let decoded = decode(&format!("{request}{other} {{\"a\":1}}")).unwrap();
        assert_eq!((decoded.spans.len(), decoded.rejected.len()), (2, 1));
        assert!(decode(&format!("{request} and more")).is_err());
        // What is said of traces, and other signals, come along.
        let trace = |id: &str| {
            format!(
                r#"{{"id":"{id}","timestamp":"2026-01-01T00:00:00Z","name":"N","observations":[],
                "scores":[{{"id":"s-{id}","name":"n","value":1,"source":"API","dataType":"NUMERIC"}}]}}"#
            )
        };
        let decoded = decode(&format!(
            r#"{}{}{{"resourceMetrics":[]}}"#,
            trace("a"),
            trace("b")
        ))
        .unwrap();
        assert_eq!(
            (
                decoded.spans.len(),
                decoded.assessments.len(),
                decoded.skipped
            ),
            (2, 2, 1)
        );
        assert_eq!(decoded.forms.get("Langfuse trace"), Some(&2));
    }

    #[test]
    fn values_are_read_or_their_span_is_rejected() {
        let value = |value: &str| REQUEST.replace(r#"{"intValue":"1"}"#, value);
        let go = only_span(&value(r#"{"Value":{"IntValue":1}}"#));
        assert_eq!(go.attributes, r#"{"n":1}"#);
        let unknown = decode(&format!(
            r#"{{"resourceSpans":[{}]}}"#,
            value(r#"{"textValue":"v"}"#)
        ))
        .unwrap();
        assert_eq!(unknown.spans.len(), 0);
        assert!(
            unknown.rejected[0].contains("textValue"),
            "{:?}",
            unknown.rejected
        );
    }

    #[test]
    fn log_records_in_a_list_beside_spans_are_read() {
        let logs = r#""resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","traceId":"0af7651916cd43dd8448eb211c80319c",
            "spanId":"00f067aa0ba902b7","eventName":"gen_ai.user.message","body":{"stringValue":"hi"}}]}]}]"#;
        let spans = format!(r#""resourceSpans":[{REQUEST}]"#);
        let snake = logs.replace("resourceLogs", "resource_logs");
        for list in [
            format!("[{{{spans}}},{{{logs}}}]"),
            format!("[{{{snake}}},{{{spans}}}]"),
            format!("[{{{spans},{logs}}}]"),
            format!(r#"{{"data":[{{{logs}}},{{{spans}}}]}}"#),
        ] {
            let decoded = decode(&list).unwrap();
            assert_eq!(
                (
                    decoded.spans.len(),
                    decoded.fragments.len(),
                    decoded.records,
                    decoded.rejected.len()
                ),
                (1, 1, 1, 0),
                "{list}"
            );
        }
        // Damage is told, and no other signal.
        assert!(decode(r#"{"resourceLogs":7}"#).is_err());
    }

    #[test]
    fn other_signals_are_skipped_and_other_documents_are_errors() {
        for signal in [r#"{"resourceLogs":[]}"#, r#"{"resourceMetrics":[]}"#] {
            let decoded = decode(signal).unwrap();
            assert_eq!(
                Decoded {
                    forms: BTreeMap::new(),
                    ..decoded
                },
                Decoded {
                    skipped: 1,
                    ..Decoded::default()
                }
            );
        }
        for document in [
            "[[]]",
            r#"{"a":1}"#,
            "[1]",
            r#"{"data":7}"#,
            r#"{"trace":{}}"#,
            r#"{"batches":1}"#,
        ] {
            assert!(decode(document).is_err(), "{document}");
        }
        for empty in [
            "[]",
            r#"{"data":[]}"#,
            r#"{"runs":[]}"#,
            r#"{"batches":[]}"#,
            "{}",
        ] {
            let decoded = decode(empty).unwrap();
            assert_eq!(
                Decoded {
                    forms: BTreeMap::new(),
                    ..decoded
                },
                Decoded::default(),
                "{empty}"
            );
        }
        let no_time = r#"{"context":{"trace_id":"0x1"},"start_time":"soon"}"#;
        assert!(
            decode(no_time)
                .unwrap_err()
                .to_string()
                .contains("\"soon\" is no RFC 3339 time")
        );
    }
}
