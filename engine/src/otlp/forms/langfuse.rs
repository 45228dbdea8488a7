//! Langfuse's exports: traces with or without their observations, observations, scores; as the API answers them, as the
//! UI exports them, and with the columns of the export to blob storage (in snake case).
//! Form: the API's reference, <https://api.reference.langfuse.com>, and `web/src/features/batch-exports` of
//! <https://github.com/langfuse/langfuse>.
//!
//! * A trace becomes the root span of its observations, with the trace's id, as Langfuse shows it: it has inputs and
//!   outputs of its own. An observation without a parent hangs below it, so that files may come in any order.
//! * Everything is written under the names that Langfuse's own OpenTelemetry spans use, so that their table decides
//!   what fills which column; other members keep their own names below `langfuse.trace.` or `langfuse.observation.`.
//! * A score becomes a feedback with the score's id. The UI's export has a member for each name of a score, with a list of
//!   values: what it does not name itself and is such a list is a score.

use serde_json::{Map, Value as Json, json};

use super::Found;
use super::object::{Record, SpanRecord, text_of};
use super::score::{Score, score_value};
use super::{Members, parsed};
use crate::otlp::error::DecodeError;

pub(super) const TRACE_FORM: &str = "Langfuse trace";
pub(super) const OBSERVATION_FORM: &str = "Langfuse observation";
pub(super) const SCORE_FORM: &str = "Langfuse score";

const SCOPE: &str = "langfuse";

/// Members by which an observation, a trace and a score are told, besides their ids.
const OF_OBSERVATIONS: &[&str] = &[
    "parentObservationId",
    "startTime",
    "usageDetails",
    "completionStartTime",
];
const OF_TRACES: &[&str] = &[
    "htmlPath",
    "bookmarked",
    "public",
    "sessionId",
    "userId",
    "release",
    "observations",
];
const OF_SCORES: &[&str] = &[
    "dataType",
    "stringValue",
    "configId",
    "observationId",
    "comment",
];

/// Members that only the UI's export has.
const OF_UI_TRACES: &[&str] = &["observationCount", "errorCount"];
const OF_UI_OBSERVATIONS: &[&str] = &["traceTimestamp", "traceTags"];

/// Lists of the UI's export that are no scores.
const UI_LISTS: &[&str] = &[
    "tags",
    "traceTags",
    "comments",
    "observations",
    "toolCalls",
    "toolCallNames",
];

/// What a record of Langfuse is.
pub(super) fn form(record: &Record) -> Option<&'static str> {
    let has_any = |names: &[&str]| names.iter().any(|name| record.knows(name));
    if !record.has("id") {
        return None;
    }
    if record.has("traceId") && record.has("type") && has_any(OF_OBSERVATIONS) {
        return Some(OBSERVATION_FORM);
    }
    if record.has("name") && record.knows("value") && record.has("source") && has_any(OF_SCORES) {
        return Some(SCORE_FORM);
    }
    (record.has("timestamp") && !record.has("traceId") && has_any(OF_TRACES)).then_some(TRACE_FORM)
}

/// The trace of what the UI downloads of one, `{"trace", "observations", "scores"}`, with these inside it as the API has
/// them; `None` when the object is something else.
///
/// # Errors
/// When it is too large.
pub(super) fn download(members: &Members<'_>) -> Result<Option<Record>, DecodeError> {
    let Some(trace) = members
        .get("trace")
        .filter(|json| json.get().starts_with('{'))
    else {
        return Ok(None);
    };
    let mut trace = parsed(trace.get())?;
    if form(&Record::new(trace.clone())) != Some(TRACE_FORM) {
        return Ok(None);
    }
    for name in ["observations", "scores"] {
        let beside = members.get(name).map(|list| list.get()).unwrap_or("[]");
        let Ok(Json::Array(beside)) = serde_json::from_str::<Json>(beside) else {
            continue;
        };
        match trace.get_mut(name) {
            Some(Json::Array(inside)) => {
                let known: Vec<Json> = inside
                    .iter()
                    .filter_map(|of| of.get("id").cloned())
                    .collect();
                let is_known = |item: &Json| item.get("id").is_some_and(|id| known.contains(id));
                inside.extend(beside.into_iter().filter(|item| !is_known(item)));
            }
            _ => drop(trace.insert(name.to_string(), Json::Array(beside))),
        }
    }
    Ok(Some(Record::new(trace)))
}

/// Takes a record.
pub(super) fn add(found: &mut Found, form: &'static str, mut record: Record) {
    found.saw(form);
    let added = match form {
        OBSERVATION_FORM => {
            let scores = score_members(&mut record, OF_UI_OBSERVATIONS);
            let span = observation(record);
            if let Ok(span) = &span {
                add_scores(found, of_span(scores, &span.span_id), &span.trace_id);
            }
            found.span(span);
            Ok(())
        }
        SCORE_FORM => score(found, record, None),
        _ => trace(found, record),
    };
    if let Err(error) = added {
        found.reject(form, error);
    }
}

fn trace(found: &mut Found, mut record: Record) -> Result<(), DecodeError> {
    let id = record.required("id")?;
    let named = |error: DecodeError| DecodeError::new(format!("{id}: {error}"));
    let start_ns = record
        .time_ns("timestamp")
        .map_err(named)?
        .unwrap_or_default();
    let latency_ns = record
        .take("latency")
        .and_then(|latency| latency.as_f64())
        .map(|seconds| seconds * 1e9);
    let latency_ns = latency_ns.filter(|ns| (0.0..1e18).contains(ns));
    let mut span = SpanRecord {
        trace_id: id.clone(),
        span_id: id.clone(),
        name: record.text("name").unwrap_or_default(),
        start_ns,
        end_ns: latency_ns.map(|ns| start_ns.saturating_add(ns as i64)),
        // A trace without a latency does not say that it goes on.
        status: latency_ns.map_or("OK", |_| "").to_string(),
        scope: SCOPE,
        ..SpanRecord::default()
    };
    let observations = record.list("observations").unwrap_or_default();
    let scores = record.list("scores");
    let (whole, ids): (Vec<Json>, Vec<Json>) = observations.into_iter().partition(Json::is_object);
    span.add(
        "langfuse.trace.observation_ids",
        (!ids.is_empty()).then_some(Json::Array(ids)),
    );
    add_trace_members(&mut span, &mut record);
    let total = record.take("totalCost");
    if whole.is_empty() {
        // What the observations cost and counted, where they are not at hand.
        let total = total.and_then(|total| number(&total));
        cost(&mut span, total.map(|total| json!({ "total": total })));
        usage(&mut span, &mut record);
    }
    let mut listed = scores.unwrap_or_else(|| named_scores(&mut record));
    listed.extend(score_members(&mut record, OF_UI_TRACES));
    span.add_rest("langfuse.trace.", record);
    found.span(Ok(span));
    for observation in whole {
        let Json::Object(mut members) = observation else {
            continue;
        };
        members
            .entry("traceId")
            .or_insert_with(|| Json::String(id.clone()));
        found.saw(OBSERVATION_FORM);
        found.span(self::observation(Record::new(members)));
    }
    add_scores(found, listed, &id);
    Ok(())
}

/// What a trace says of itself.
fn add_trace_members(span: &mut SpanRecord, record: &mut Record) {
    let name = Some(Json::String(span.name.clone()));
    span.add("langfuse.trace.name", name.filter(|name| name != ""));
    span.add("langfuse.session.id", record.take("sessionId"));
    span.add("langfuse.user.id", record.take("userId"));
    span.add("langfuse.trace.tags", record.take("tags"));
    span.add_text("langfuse.trace.input", record.take("input"));
    span.add_text("langfuse.trace.output", record.take("output"));
    for (key, name) in [
        ("langfuse.release", "release"),
        ("langfuse.version", "version"),
        ("langfuse.environment", "environment"),
    ] {
        span.add(key, record.take(name).filter(|value| value != ""));
    }
    metadata(span, "langfuse.trace.metadata", record.take("metadata"));
}

fn add_scores(found: &mut Found, scores: Vec<Json>, trace_id: &str) {
    for item in scores {
        let Json::Object(members) = item else {
            continue;
        };
        found.saw(SCORE_FORM);
        if let Err(error) = score(found, Record::new(members), Some(trace_id)) {
            found.reject(SCORE_FORM, error);
        }
    }
}

/// The scores that a record of the UI's export has as members of their names; `marks` tell such a record.
fn score_members(record: &mut Record, marks: &[&str]) -> Vec<Json> {
    if !marks.iter().any(|name| record.knows(name)) {
        return Vec::new();
    }
    let is_score = |name: &str, value: &Json| {
        let is_value = |value: &Json| value.is_number() || value.is_string() || value.is_boolean();
        let is_list = value
            .as_array()
            .is_some_and(|values| !values.is_empty() && values.iter().all(is_value));
        is_list && !UI_LISTS.contains(&name)
    };
    let taken = record.take_where(is_score);
    let score = |(name, value): (String, Json)| match value {
        Json::Array(values) => values
            .into_iter()
            .map(|value| named_score(&name, value))
            .collect(),
        _ => Vec::new(),
    };
    taken.into_iter().flat_map(score).collect()
}

/// A score of the UI's export. One that is a text is a category, even when its text is a number.
fn named_score(name: &str, value: Json) -> Json {
    let member = if value.is_string() {
        "stringValue"
    } else {
        "value"
    };
    json!({ "name": name, member: value })
}

/// Scores that are about an observation.
fn of_span(mut scores: Vec<Json>, span_id: &str) -> Vec<Json> {
    let members = scores.iter_mut().filter_map(Json::as_object_mut);
    members.for_each(|score| drop(score.insert("observationId".to_string(), span_id.into())));
    scores
}

/// The scores of the older UI's export: an object of names with a value or a list of values each.
fn named_scores(record: &mut Record) -> Vec<Json> {
    let Some(by_name) = record.object("scores") else {
        return Vec::new();
    };
    let values = |value: &Json| match value {
        Json::Array(values) => values.clone(),
        value => vec![value.clone()],
    };
    by_name
        .iter()
        .flat_map(|(name, value)| {
            values(value)
                .into_iter()
                .map(move |value| named_score(name, value))
        })
        .collect()
}

fn observation(mut record: Record) -> Result<SpanRecord, DecodeError> {
    let id = record.required("id")?;
    let named = |error: DecodeError| DecodeError::new(format!("{id}: {error}"));
    let trace_id = record.required("traceId").map_err(named)?;
    let start_ns = record.time_ns("startTime").map_err(named)?;
    let kind = record.text("type").unwrap_or_default();
    let mut span = SpanRecord {
        parent_id: Some(
            record
                .text("parentObservationId")
                .unwrap_or_else(|| trace_id.clone()),
        ),
        trace_id,
        span_id: id.clone(),
        name: record.text("name").unwrap_or_default(),
        start_ns: start_ns.ok_or_else(|| named(DecodeError::new("startTime is missing")))?,
        end_ns: record.time_ns("endTime").map_err(named)?,
        scope: SCOPE,
        ..SpanRecord::default()
    };
    if kind.eq_ignore_ascii_case("event") {
        // A point in time.
        span.end_ns = span.end_ns.or(Some(span.start_ns));
    }
    // What the UI's export and that to blob storage repeat of the trace.
    for (key, name) in [
        ("langfuse.trace.name", "traceName"),
        ("langfuse.trace.tags", "traceTags"),
        ("langfuse.trace.tags", "tags"),
        ("langfuse.release", "release"),
        ("langfuse.environment", "environment"),
        ("langfuse.session.id", "sessionId"),
        ("langfuse.user.id", "userId"),
    ] {
        span.add(
            key,
            record
                .take(name)
                .filter(|value| value != "" && value != &json!([])),
        );
    }
    add_observation_members(&mut span, &mut record, &kind);
    usage(&mut span, &mut record);
    let details = record
        .take("costDetails")
        .filter(|details| details.as_object().is_some_and(|all| !all.is_empty()));
    let total = record
        .take_any(&["calculatedTotalCost", "totalCost"])
        .and_then(|total| number(&total));
    cost(
        &mut span,
        details.or_else(|| total.map(|total| json!({ "total": total }))),
    );
    span.add_rest("langfuse.observation.", record);
    Ok(span)
}

/// What an observation says of itself.
fn add_observation_members(span: &mut SpanRecord, record: &mut Record, kind: &str) {
    span.add(
        "langfuse.observation.type",
        Some(Json::String(kind.to_lowercase())),
    );
    span.add("langfuse.observation.level", record.take("level"));
    span.add(
        "langfuse.observation.status_message",
        record.take("statusMessage"),
    );
    span.add(
        "langfuse.observation.model.name",
        record.take_any(&["model", "providedModelName"]),
    );
    span.add_text(
        "langfuse.observation.model.parameters",
        record.take("modelParameters"),
    );
    span.add_text("langfuse.observation.input", record.take("input"));
    span.add_text("langfuse.observation.output", record.take("output"));
    span.add(
        "langfuse.observation.prompt.name",
        record.take("promptName"),
    );
    span.add(
        "langfuse.observation.prompt.version",
        record.take("promptVersion"),
    );
    metadata(
        span,
        "langfuse.observation.metadata",
        record.take("metadata"),
    );
}

/// Tokens: `usageDetails`, else what older versions have in `usage` or beside it.
fn usage(span: &mut SpanRecord, record: &mut Record) {
    let details = record
        .take("usageDetails")
        .filter(|details| details.as_object().is_some_and(|all| !all.is_empty()));
    let details = details.or_else(|| {
        let mut usage = Record::new(record.object("usage").unwrap_or_default());
        let mut counts = Map::new();
        for (name, others) in [
            ("input", ["promptTokens", "inputTokens"].as_slice()),
            ("output", &["completionTokens", "outputTokens"]),
            ("total", &["totalTokens"]),
        ] {
            let count = usage.take(name).or_else(|| record.take_any(others));
            let count = count.filter(|count| count.as_f64().is_some_and(|count| count > 0.0));
            count.and_then(|count| counts.insert(name.to_string(), count));
        }
        (!counts.is_empty()).then_some(Json::Object(counts))
    });
    span.add_text("langfuse.observation.usage_details", details);
}

/// A cost that says something: what was not priced is 0.
fn cost(span: &mut SpanRecord, details: Option<Json>) {
    let says = |details: &Json| {
        details
            .as_object()
            .is_some_and(|all| all.values().any(|v| number(v) > Some(0.0)))
    };
    span.add_text("langfuse.observation.cost_details", details.filter(says));
}

/// A number, or a text that is one, as decimal columns are exported.
fn number(value: &Json) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.parse().ok())
        .filter(|number: &f64| number.is_finite())
}

/// Metadata, one attribute for each member; some exports have it as JSON text.
fn metadata(span: &mut SpanRecord, prefix: &str, metadata: Option<Json>) {
    let of_text = metadata
        .as_ref()
        .and_then(Json::as_str)
        .and_then(|text| serde_json::from_str(text).ok());
    match of_text.filter(Json::is_object).or(metadata) {
        Some(Json::Object(members)) => {
            members
                .into_iter()
                .for_each(|(key, value)| span.add(format!("{prefix}.{key}"), Some(value)));
        }
        other => span.add(prefix, other),
    }
}

fn score(found: &mut Found, mut record: Record, trace_id: Option<&str>) -> Result<(), DecodeError> {
    let name = record.required("name")?;
    let trace_id = record
        .text("traceId")
        .or_else(|| trace_id.map(str::to_string));
    let trace_id = trace_id
        .ok_or_else(|| DecodeError::new(format!("{name}: a score without traceId, of no trace")))?;
    let kind = record.text("dataType").unwrap_or_default();
    let text = record.take("stringValue").filter(|text| text != "");
    let value = record.take("value");
    let value = match (kind.as_str(), value, text) {
        ("BOOLEAN", Some(value), _) if number(&value).is_some() => {
            Json::Bool(number(&value) != Some(0.0))
        }
        // The number of a correction is always 0.
        ("CATEGORICAL" | "TEXT" | "CORRECTION", _, Some(text)) => text,
        ("CATEGORICAL" | "TEXT" | "CORRECTION", Some(value), None) => value,
        (_, Some(value), text) => score_value(Some(&value)).or(text).unwrap_or(value),
        (_, None, text) => text.unwrap_or(Json::Null),
    };
    let author = record.text("authorUserId");
    let source = record.text("source").unwrap_or_default();
    let (source_type, default) = match source.as_str() {
        "ANNOTATION" => ("HUMAN", "annotation"),
        "EVAL" => ("LLM_JUDGE", "eval"),
        "" => ("SOURCE_TYPE_UNSPECIFIED", ""),
        _ => ("CODE", "api"),
    };
    let mut score = Score::new(name, value);
    score.source = (source_type, author.unwrap_or_else(|| default.to_string()));
    score.id = record.text("id");
    score.span_id = record.text("observationId");
    score.rationale = record.text("comment");
    score.created_ns = record
        .time_ns("createdAt")?
        .or(record.time_ns("timestamp")?);
    score.updated_ns = record.time_ns("updatedAt")?;
    let metadata = record.object("metadata").unwrap_or_default();
    score.metadata = metadata
        .iter()
        .map(|(key, value)| (key.clone(), text_of(value)))
        .collect();
    if !kind.is_empty() {
        score.metadata.insert("data_type".to_string(), kind);
    }
    score
        .metadata
        .extend(record.rest().map(|(key, value)| (key, text_of(&value))));
    found.score(&trace_id, score);
    Ok(())
}
