//! LangSmith's runs, as the API answers them (`{"runs": [...]}`), as the SDK writes them (`run.json()`), with nested
//! `child_runs` or without; as rows of a bulk export, whose structure is JSON text; and its feedback.
//! Form: `Run` and `Feedback` of <https://github.com/langchain-ai/langsmith-sdk>, `python/langsmith/schemas.py`.
//!
//! Runs are written under the names that LangSmith's own OpenTelemetry export uses. `session_id` of a run is the
//! project that it is logged to; a conversation is named by its metadata.

use serde_json::{Map, Value as Json};

use super::Found;
use super::object::{Record, SpanRecord, event, opened, text_of, time_ns};
use super::score::{Score, score_value};
use crate::otlp::error::DecodeError;

pub(super) const RUN_FORM: &str = "LangSmith run";
pub(super) const FEEDBACK_FORM: &str = "LangSmith feedback";

/// What a record of LangSmith is.
pub(super) fn form(record: &Record) -> Option<&'static str> {
    let is_run = record.has("run_type")
        && ((record.has("start_time") && record.has("id")) || record.has("run_id"));
    let is_feedback = record.has("key")
        && record.knows("run_id")
        && (record.has("run_id") || record.has("trace_id"))
        && (record.knows("score") || record.knows("value"));
    is_run
        .then_some(RUN_FORM)
        .or(is_feedback.then_some(FEEDBACK_FORM))
}

/// Takes a record.
pub(super) fn add(found: &mut Found, form: &'static str, record: Record) {
    found.saw(form);
    match form {
        FEEDBACK_FORM => {
            if let Err(error) = feedback(found, record) {
                found.reject(form, error);
            }
        }
        _ => run(found, record, None),
    }
}

/// Takes a run and those below it. The nesting is bounded by that of JSON.
fn run(found: &mut Found, mut record: Record, parent: Option<(&str, &str)>) {
    let children = record.list("child_runs").unwrap_or_default();
    let statistics = record.object("feedback_stats").unwrap_or_default();
    let span = run_span(record, parent);
    if let Ok(span) = &span {
        let (trace_id, id) = (span.trace_id.clone(), span.span_id.clone());
        for (key, value) in &statistics {
            if let Some(score) = statistic(&id, key, value) {
                found.score(&trace_id, score);
            }
        }
        for child in children {
            let Json::Object(members) = child else {
                continue;
            };
            found.saw(RUN_FORM);
            run(found, Record::new(members), Some((&trace_id, &id)));
        }
    }
    found.span(span);
}

fn run_span(mut record: Record, parent: Option<(&str, &str)>) -> Result<SpanRecord, DecodeError> {
    // Its command line calls it `run_id`.
    let id = record.text("id").or_else(|| record.text("run_id"));
    let id = id.ok_or_else(|| DecodeError::new("a run without id"))?;
    let named = |error: DecodeError| DecodeError::new(format!("run {id}: {error}"));
    let parent_id = record
        .text("parent_run_id")
        .or_else(|| parent.map(|(_, id)| id.to_string()));
    let order = record.text("dotted_order");
    let trace_id = record
        .text("trace_id")
        .or_else(|| parent.map(|(trace, _)| trace.to_string()));
    let trace_id = trace_id
        .or_else(|| first_of(order.as_deref()?))
        .or_else(|| parent_id.is_none().then(|| id.clone()));
    let start_ns = record
        .time_ns("start_time")
        .map_err(named)?
        .or_else(|| time_of_id(&id));
    let mut span = SpanRecord {
        trace_id: trace_id
            .ok_or_else(|| named(DecodeError::new("trace_id and dotted_order are missing")))?,
        parent_id,
        name: record.text("name").unwrap_or_default(),
        start_ns: start_ns.ok_or_else(|| named(DecodeError::new("start_time is missing")))?,
        end_ns: record.time_ns("end_time").map_err(named)?,
        scope: "langsmith",
        span_id: id.clone(),
        ..SpanRecord::default()
    };
    if let Some(error) = record.take("error").filter(|error| error != "") {
        (span.status, span.status_message) = ("ERROR".to_string(), text_of(&error));
    } else if record
        .text("status")
        .is_some_and(|status| status == "success")
    {
        span.status = "OK".to_string();
    }
    span.add("langsmith.span.kind", record.take("run_type"));
    span.add("langsmith.span.dotted_order", order.map(Json::String));
    span.add(
        "langsmith.span.tags",
        record
            .list("tags")
            .filter(|tags| !tags.is_empty())
            .map(Json::Array),
    );
    tokens(&mut span, &mut record);
    span.add_text("gen_ai.prompt", record.take("inputs"));
    span.add_text("gen_ai.completion", record.take("outputs"));
    extra(&mut span, record.object("extra").unwrap_or_default());
    let metadata = record.object("custom_metadata").unwrap_or_default();
    metadata
        .into_iter()
        .for_each(|(key, value)| span.add(format!("langsmith.metadata.{key}"), Some(value)));
    let listed = record.list("events").unwrap_or_default();
    span.events = listed.iter().filter_map(event_of).collect();
    span.add("langsmith.trace.session_id", record.take("session_id"));
    span.add("langsmith.trace.session_name", record.take("session_name"));
    span.add_rest("langsmith.run.", record);
    Ok(span)
}

/// The time in an id that is a UUID of version 7, which begins with Unix milliseconds.
fn time_of_id(id: &str) -> Option<i64> {
    let (high, rest) = id.split_once('-')?;
    let (low, version) = rest.split_once('-')?;
    let is_uuid = id.len() == 36 && high.len() == 8 && low.len() == 4 && version.starts_with('7');
    let ms = i64::from_str_radix(&format!("{high}{low}"), 16).ok();
    ms.filter(|_| is_uuid)?.checked_mul(1_000_000)
}

/// The trace in `20240501T120000123456Z<trace id>.20240501...Z<run id>`.
fn first_of(order: &str) -> Option<String> {
    let (_, id) = order.split('.').next()?.split_once('Z')?;
    Some(id.to_string()).filter(|id| !id.is_empty())
}

/// Tokens and cost as LangSmith counted them, else as the model's answer says.
fn tokens(span: &mut SpanRecord, record: &mut Record) {
    const COUNTS: [&str; 3] = ["prompt_tokens", "completion_tokens", "total_tokens"];
    let listed = record.object("token_usage").unwrap_or_default();
    let own = COUNTS.map(|name| record.take(name).or_else(|| listed.get(name).cloned()));
    let own =
        own.map(|count| count.filter(|count| count.as_f64().is_some_and(|count| count > 0.0)));
    let answered = answered(record);
    let own_details = record.object("prompt_token_details").map(Json::Object);
    let details = own_details.clone().or(answered.input_details);
    let counted = own.iter().any(Option::is_some);
    let [input, output, total] = if counted { own } else { answered.counts };
    span.add("gen_ai.usage.input_tokens", input);
    span.add("gen_ai.usage.output_tokens", output);
    span.add("gen_ai.usage.total_tokens", total);
    let detail = |name: &str| details.as_ref()?.get(name).cloned();
    span.add("gen_ai.usage.cache_read.input_tokens", detail("cache_read"));
    span.add(
        "gen_ai.usage.cache_creation.input_tokens",
        detail("cache_creation"),
    );
    let costs = record.object("costs").unwrap_or_default();
    let cost = record
        .take("total_cost")
        .or_else(|| costs.get("total_cost").cloned())
        .filter(|cost| text_of(cost).parse().is_ok_and(|cost: f64| cost > 0.0));
    span.add("gen_ai.usage.cost", cost);
    span.add("langsmith.run.prompt_token_details", own_details);
}

/// What a model's answer says of its tokens.
#[derive(Default)]
struct Answered {
    counts: [Option<Json>; 3],
    input_details: Option<Json>,
}

/// Where `usage_metadata` stands in `outputs`: beside the answer, or in its message.
const USAGE_PATHS: &[&str] = &[
    "/usage_metadata",
    "/usage",
    "/message/usage_metadata",
    "/generations/0/0/message/kwargs/usage_metadata",
    "/generations/0/message/kwargs/usage_metadata",
    "/generations/0/0/message/usage_metadata",
    "/output/usage_metadata",
    "/output/kwargs/usage_metadata",
];

/// The tokens in `outputs`: `usage_metadata`, or `llm_output.token_usage`.
fn answered(record: &mut Record) -> Answered {
    let Some(outputs) = record.take("outputs") else {
        return Answered::default();
    };
    let read = opened(outputs.clone(), Json::is_object);
    record.put("outputs", outputs);
    let is_usage = |usage: &&Json| usage.get("input_tokens").is_some();
    let usage = USAGE_PATHS
        .iter()
        .find_map(|path| read.pointer(path).filter(is_usage));
    let older = read.pointer("/llm_output/token_usage");
    let count = |name: &str, older_name: &str| {
        let count = usage.and_then(|usage| usage.get(name));
        count.or_else(|| older?.get(older_name)).cloned()
    };
    Answered {
        counts: [
            count("input_tokens", "prompt_tokens"),
            count("output_tokens", "completion_tokens"),
            count("total_tokens", "total_tokens"),
        ],
        input_details: usage.and_then(|usage| usage.get("input_token_details").cloned()),
    }
}

/// `extra`: metadata, what the model was invoked with, the runtime.
fn extra(span: &mut SpanRecord, mut extra: Map<String, Json>) {
    if let Some(Json::Object(metadata)) = extra.remove("metadata") {
        if let Some(provider) = metadata.get("ls_provider") {
            span.add("gen_ai.system", Some(provider.clone()));
        }
        metadata
            .into_iter()
            .for_each(|(key, value)| span.add(format!("langsmith.metadata.{key}"), Some(value)));
    }
    let invocation = extra.get("invocation_params");
    let model = invocation.and_then(|given| given.get("model").or_else(|| given.get("model_name")));
    span.add(
        "gen_ai.request.model",
        model.filter(|model| model.is_string()).cloned(),
    );
    extra
        .into_iter()
        .for_each(|(key, value)| span.add_text(format!("langsmith.extra.{key}"), Some(value)));
}

fn event_of(json: &Json) -> Option<Json> {
    let time = json.get("time").and_then(time_ns).unwrap_or_default();
    Some(event(json.get("name")?.as_str()?, time, json.get("kwargs")))
}

/// Feedback of a run as its statistics have it: how many, the average of scores, or the values.
fn statistic(run_id: &str, key: &str, value: &Json) -> Option<Score> {
    let values = value
        .get("values")
        .and_then(Json::as_object)
        .filter(|values| !values.is_empty());
    let single = values
        .filter(|values| values.len() == 1)
        .and_then(|values| values.keys().next());
    let average = score_value(value.get("avg"));
    let value_of = average.or_else(|| single.map(|word| Json::String(word.clone())));
    let mut score = Score::new(
        key.to_string(),
        value_of.or_else(|| values.cloned().map(Json::Object))?,
    );
    score.id = Some(format!("feedback_stats:{run_id}:{key}"));
    score.span_id = Some(run_id.to_string());
    for (name, value) in value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
    {
        score
            .metadata
            .insert(format!("feedback_stats.{name}"), text_of(value));
    }
    Some(score)
}

fn feedback(found: &mut Found, mut record: Record) -> Result<(), DecodeError> {
    let key = record.required("key")?;
    let run_id = record.text("run_id");
    // Without a trace it is placed by its run, once that has come.
    let trace_id = record.text("trace_id").unwrap_or_default();
    let (number, value) = (record.take("score"), record.take("value"));
    let other = value.clone().filter(|_| number.is_some());
    let mut score = Score::new(
        key,
        score_value(number.as_ref()).or(value).unwrap_or(Json::Null),
    );
    let mut source = Record::new(record.object("feedback_source").unwrap_or_default());
    let kind = source.text("type").unwrap_or_default();
    let source_type = match kind.as_str() {
        "app" => "HUMAN",
        "model" | "auto_eval" => "LLM_JUDGE",
        "" => "SOURCE_TYPE_UNSPECIFIED",
        _ => "CODE",
    };
    let user = source.text("user_name").or_else(|| source.text("user_id"));
    score.source = (source_type, user.unwrap_or(kind));
    score.id = record.text("id");
    score.span_id = run_id;
    score.rationale = record.text("comment");
    score.created_ns = record.time_ns("created_at")?;
    score.updated_ns = record.time_ns("modified_at")?;
    score
        .metadata
        .extend(other.map(|value| ("value".to_string(), text_of(&value))));
    let rest = record.rest().chain(
        source
            .rest()
            .map(|(key, value)| (format!("feedback_source.{key}"), value)),
    );
    score
        .metadata
        .extend(rest.map(|(key, value)| (key, text_of(&value))));
    found.score(&trace_id, score);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Database, ImportOptions};

    #[test]
    fn feedback_without_a_trace_is_placed_by_its_run() {
        let db = Database::in_memory().unwrap();
        let lines = [
            r#"{"id":"fb-1","key":"tone","run_id":"run-child","trace_id":null,"score":null,"value":"curt"}"#,
            r#"{"id":"fb-2","key":"helpful","run_id":"run-root","score":1}"#,
            r#"{"id":"fb-3","key":"overall","run_id":null,"trace_id":"run-root","score":0.5}"#,
            r#"{"id":"run-root","trace_id":"run-root","run_type":"chain","name":"a","start_time":"2026-01-02T00:00:00Z"}"#,
            r#"{"id":"run-child","trace_id":"run-root","parent_run_id":"run-root","run_type":"tool","name":"b",
                "start_time":"2026-01-02T00:00:00Z"}"#,
        ];
        let text = lines.map(|line| line.replace('\n', "")).join("\n");
        let report = db
            .import_otlp_json_lines(text.as_bytes(), &ImportOptions::default())
            .unwrap();
        assert_eq!((report.rejected, report.assessments), (Vec::new(), 3));
        let given = db.get_trace("run-root").unwrap().assessments;
        let span = |name: &str| {
            let found = given.iter().find(|one| one.name == name).unwrap();
            found.span_id.as_deref()
        };
        assert_eq!(span("tone"), Some("run-child"));
        assert_eq!((span("helpful"), span("overall")), (Some("run-root"), None));
    }
}
