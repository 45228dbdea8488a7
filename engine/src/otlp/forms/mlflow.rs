//! MLflow's traces as files: `trace.to_json()`, the artifact `traces.json` (spans alone), a row of `search_traces` as a
//! table, what mlflow-export-import writes, and the state of a trace alone (`TraceInfo`, as its REST API lists them).
//! Form: `mlflow.entities.Trace.to_dict`, schemas 2 and 3.
//!
//! The state of the trace (tags, metadata, previews, times) becomes its start, as MLflow's own `start_trace` has it;
//! assessments keep their ids.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value as Json, json};
use tracehouse_storage::model::normalize_trace_id;

use super::object::{Record, SpanRecord, event, text_of, time_ns};
use super::otlp_value::attributes;
use super::{Found, Members, members, parsed};
use crate::otlp::error::DecodeError;
use crate::otlp::{base64, id};
use crate::semconv::STORE_TAGS;
use crate::start::TraceStart;

const FORM: &str = "MLflow trace";
const SPANS_FORM: &str = "MLflow spans";
const INFO_FORM: &str = "MLflow trace info";
/// What tells the state of a trace: an id, a time, and something that only MLflow has.
const INFO_MEMBERS: [&[&str]; 3] = [
    &["trace_id", "request_id"],
    &["request_time", "request_time_ms", "timestamp_ms"],
    &["trace_location", "trace_metadata", "request_metadata"],
];
/// What tells a row of `search_traces` whose column `trace` was left out.
const ROW_COLUMNS: [&str; 3] = ["trace_id", "request_time", "trace_metadata"];
/// Its columns that are no state of the trace.
const ROW_PAYLOADS: &[&str] = &["spans", "request", "response"];
/// The attribute by which a span names its trace.
const REQUEST_ID: &str = "mlflow.traceRequestId";
const NS_PER_MS: i64 = 1_000_000;

/// Takes a document of MLflow; false when it is none.
///
/// # Errors
/// When it is one and its trace has no id or no time.
pub(super) fn add(found: &mut Found, members: &Members<'_>) -> Result<bool, DecodeError> {
    let get = |key: &str| members.get(key).copied();
    if let Some(inner) = get("mlflow").and_then(|inner| self::members(inner.get())) {
        return if get("system").is_some() {
            add(found, &inner)
        } else {
            Ok(false)
        };
    }
    if let Some(trace) = get("trace") {
        // As a text, or as it is.
        let text: Option<String> = serde_json::from_str(trace.get()).ok();
        let inner = self::members(text.as_deref().unwrap_or(trace.get()));
        let is_trace = |inner: &Members<'_>| {
            ["info", "trace_info"]
                .iter()
                .any(|key| inner.contains_key(*key))
        };
        return match inner.filter(is_trace) {
            Some(inner) => add(found, &inner),
            None => Ok(false),
        };
    }
    if let Some(info) = get("info").or(get("trace_info")) {
        let spans = get("data").or(get("trace_data")).or(get("spans"));
        let Some(spans) = spans.and_then(spans_of) else {
            return Ok(false);
        };
        found.saw(FORM);
        trace(found, info, &spans)?;
        return Ok(true);
    }
    let Some(spans) = get("spans").and_then(spans_of) else {
        let has_any = |names: &&[&str]| names.iter().any(|name| get(name).is_some());
        let is_info = INFO_MEMBERS.iter().all(has_any);
        return match is_info {
            true => add_state(found, INFO_FORM, members, &[]).map(|()| true),
            false => Ok(false),
        };
    };
    if ROW_COLUMNS.iter().all(|name| get(name).is_some()) {
        add_state(found, FORM, members, &spans)?;
        return Ok(true);
    }
    if !is_mlflow(&spans) {
        return Ok(false);
    }
    found.saw(SPANS_FORM);
    found.own_part(None, |found| {
        spans.iter().for_each(|span| add_span(found, span, None))
    });
    Ok(true)
}

/// Adds the trace whose state is the members of an object, but for its payloads.
fn add_state(
    found: &mut Found,
    form: &'static str,
    members: &Members<'_>,
    spans: &[&RawValue],
) -> Result<(), DecodeError> {
    let state: BTreeMap<_, _> = members
        .iter()
        .filter(|(name, _)| !ROW_PAYLOADS.contains(&name.as_str()))
        .collect();
    let info = to_raw_value(&state).map_err(|error| DecodeError::new(error.to_string()))?;
    found.saw(form);
    trace(found, &info, spans)
}

/// The spans of `data`, which is a list or an object with one.
fn spans_of(json: &RawValue) -> Option<Vec<&RawValue>> {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        spans: Vec<&'a RawValue>,
    }
    let list = serde_json::from_str(json.get()).ok();
    list.or_else(|| {
        serde_json::from_str::<Data<'_>>(json.get())
            .ok()
            .map(|data| data.spans)
    })
}

/// Whether spans without a word about their trace are those of MLflow, which names it in each.
fn is_mlflow(spans: &[&RawValue]) -> bool {
    !spans.is_empty() && spans.iter().all(|span| span.get().contains(REQUEST_ID))
}

fn trace(found: &mut Found, info: &RawValue, spans: &[&RawValue]) -> Result<(), DecodeError> {
    let assessments = members(info.get()).and_then(|info| info.get("assessments").copied());
    let mut info = Record::new(parsed(info.get())?);
    let trace_id = info.text("traceId").or_else(|| info.text("requestId"));
    let trace_id = trace_id.ok_or_else(|| DecodeError::new("an MLflow trace without trace_id"))?;
    let trace_id = normalize_trace_id(&trace_id);
    info.take("assessments");
    let start = start(found, &trace_id, info)?;
    let experiment_id = start.experiment_id.clone();
    found.starts.push(start);
    found.own_part(Some(experiment_id), |found| {
        spans
            .iter()
            .for_each(|span| add_span(found, span, Some(&trace_id)));
    });
    let listed: Vec<&RawValue> = match assessments {
        Some(list) => serde_json::from_str(list.get()).unwrap_or_else(|_| vec![list]),
        None => Vec::new(),
    };
    let said = listed.iter().filter(|item| item.get() != "null");
    found.assess_json(&trace_id, said.map(|item| item.get()));
    Ok(())
}

/// The start that the state of a trace is.
fn start(found: &mut Found, trace_id: &str, mut info: Record) -> Result<TraceStart, DecodeError> {
    let mut time = info.time_ns("requestTime")?;
    for name in ["requestTimeMs", "timestampMs"] {
        time = time.or(info.time_ns(name)?);
    }
    let time = time.ok_or_else(|| DecodeError::new("an MLflow trace without request_time"))?;
    let mut start = TraceStart::new(trace_id, time);
    start.experiment_id = experiment(&mut info).unwrap_or_else(|| "0".to_string());
    start.duration_ns = duration_ns(&mut info);
    if let Some(state) = info.text("state").or_else(|| info.text("status")) {
        start.state = state;
    }
    (start.request_preview, start.response_preview) =
        (info.text("requestPreview"), info.text("responsePreview"));
    start.client_request_id = info.text("clientRequestId");
    let metadata = info.take_any(&["traceMetadata", "requestMetadata"]);
    start.metadata.extend(pairs(metadata.as_ref()));
    start.metadata.extend(info_rest(&mut info));
    for (key, value) in pairs(info.take("tags").as_ref()) {
        if !STORE_TAGS.contains(&key.as_str()) {
            start.tags.insert(key, value);
        }
    }
    start
        .metadata
        .extend(info.rest().map(|(key, value)| (key, text_of(&value))));
    found.keep_allowed(&mut start);
    Ok(start)
}

/// Where a trace was that was in no experiment.
fn info_rest(info: &mut Record) -> Option<(String, String)> {
    let location = info.take("traceLocation")?;
    Some(("mlflow.trace.location".to_string(), location.to_string()))
}

fn experiment(info: &mut Record) -> Option<String> {
    if let Some(id) = info.text("experimentId") {
        return Some(id);
    }
    let location = info.take("traceLocation")?;
    match location
        .get("mlflow_experiment")
        .and_then(|experiment| experiment.get("experiment_id"))
    {
        Some(id) => Some(text_of(id)),
        None => {
            info.put("traceLocation", location);
            None
        }
    }
}

/// `execution_duration_ms`, or a text such as `"0.102s"`.
fn duration_ns(info: &mut Record) -> Option<i64> {
    let ms = info
        .take_any(&["executionDurationMs", "executionTimeMs"])
        .and_then(|ms| ms.as_f64());
    let text = info.text("executionDuration");
    let seconds = text.and_then(|text| text.strip_suffix('s')?.parse::<f64>().ok());
    let ms = ms
        .or(seconds.map(|seconds| seconds * 1e3))
        .filter(|ms| (0.0..1e15).contains(ms))?;
    Some((ms * NS_PER_MS as f64) as i64)
}

/// Tags and metadata: an object, or a list of `{"key": ..., "value": ...}`.
fn pairs(given: Option<&Json>) -> Vec<(String, String)> {
    let named = |item: &Json| {
        Some((
            item.get("key")?.as_str()?.to_string(),
            text_of(item.get("value")?),
        ))
    };
    match given {
        Some(Json::Object(members)) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(k, v)| (k.clone(), text_of(v)))
            .collect(),
        Some(Json::Array(items)) => items.iter().filter_map(named).collect(),
        _ => Vec::new(),
    }
}

fn add_span(found: &mut Found, json: &RawValue, trace_id: Option<&str>) {
    let span = parsed(json.get()).and_then(|span| span_record(span, trace_id));
    found.span(span);
}

/// A span of any schema. Attributes stay the JSON texts that they are.
fn span_record(
    members: Map<String, Json>,
    trace_id: Option<&str>,
) -> Result<SpanRecord, DecodeError> {
    let mut span = Record::new(members);
    let context = Record::new(span.object("context").unwrap_or_default());
    let mut ids = context;
    let own_trace = span
        .text("traceId")
        .or_else(|| ids.text("traceId"))
        .map(|text| trace_of(&text));
    let span_id = span.text("spanId").or_else(|| ids.text("spanId"));
    let span_id = span_id.ok_or_else(|| DecodeError::new("an MLflow span without span_id"))?;
    let given = span.take("attributes");
    let named = given
        .as_ref()
        .and_then(|given| given.get(REQUEST_ID))
        .map(|id| quoted(&text_of(id)));
    let trace_id = trace_id
        .map(str::to_string)
        .or_else(|| named.map(|id| normalize_trace_id(&id)));
    let mut record = SpanRecord {
        trace_id: trace_id.or_else(|| own_trace.clone()).unwrap_or_default(),
        span_id: short_id(&span_id),
        parent_id: span
            .text("parentSpanId")
            .or_else(|| span.text("parentId"))
            .map(|id| short_id(&id)),
        name: span.text("name").unwrap_or_default(),
        kind: span.text("kind").unwrap_or_default(),
        scope: "mlflow",
        ..SpanRecord::default()
    };
    let start = span
        .time_ns("startTimeUnixNano")?
        .or(span.time_ns("startTime")?);
    record.start_ns =
        start.ok_or_else(|| DecodeError::new(format!("span {span_id} has no start")))?;
    record.end_ns = span
        .time_ns("endTimeUnixNano")?
        .or(span.time_ns("endTime")?);
    (record.status, record.status_message) = status_of(&mut span);
    if let Some(Json::Object(given)) = given {
        record
            .attributes
            .extend(given.into_iter().filter(|(_, value)| !value.is_null()));
    }
    record.events = span
        .list("events")
        .unwrap_or_default()
        .iter()
        .filter_map(event_of)
        .collect();
    record.links = span
        .list("links")
        .unwrap_or_default()
        .iter()
        .map(link_of)
        .collect();
    if own_trace
        .as_ref()
        .is_some_and(|own| *own != record.trace_id)
    {
        record.add("mlflow.span.trace_id", own_trace.map(Json::String));
    }
    record.add_rest("mlflow.span.", span);
    Ok(record)
}

/// Code and message of a status, which is an object or beside the other members.
fn status_of(span: &mut Record) -> (String, String) {
    let mut status = Record::new(span.object("status").unwrap_or_default());
    let code = status
        .text("code")
        .or_else(|| status.text("statusCode"))
        .or_else(|| span.text("statusCode"))
        .unwrap_or_default();
    let message = status
        .text("message")
        .or_else(|| span.text("statusMessage"));
    let code = code.trim_start_matches("STATUS_CODE_").to_string();
    (code, message.unwrap_or_default())
}

fn event_of(json: &Json) -> Option<Json> {
    let time = json
        .get("time_unix_nano")
        .or_else(|| json.get("timestamp"))
        .and_then(time_ns);
    Some(event(
        json.get("name")?.as_str()?,
        time.unwrap_or_default(),
        json.get("attributes"),
    ))
}

fn link_of(json: &Json) -> Json {
    let id = |key: &str| json.get(key).and_then(Json::as_str).unwrap_or_default();
    json!({
        "traceId": trace_of(id("trace_id")),
        "spanId": short_id(id("span_id")),
        "attributes": attributes(json.get("attributes")),
    })
}

/// The text inside a JSON text of a string.
fn quoted(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.to_string())
}

/// A trace id in base64, hex, with `0x` or `tr-` before it, or of any other kind.
fn trace_of(text: &str) -> String {
    normalize_trace_id(&binary(text, id::TRACE_ID_BYTES))
}

fn short_id(text: &str) -> String {
    binary(text, id::SPAN_ID_BYTES)
}

/// The hex digits of an id of so many bytes, in hex or base64; another text stays as it is.
fn binary(text: &str, bytes: usize) -> String {
    let bare = text.strip_prefix("0x").unwrap_or(text);
    if bare.len() == 2 * bytes && bare.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return bare.to_ascii_lowercase();
    }
    match base64::decode(text).filter(|decoded| decoded.len() == bytes) {
        Some(decoded) => decoded.iter().map(|byte| format!("{byte:02x}")).collect(),
        None => text.to_string(),
    }
}
