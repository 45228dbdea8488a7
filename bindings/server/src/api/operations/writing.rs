//! Operations that store: spans, starts of traces, tags, assessments, links.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tracehouse::{Assessment, Database, ImportReport, Span, StartUsage, TraceStart};

use crate::api::input::Members;
use crate::error::{ApiError, quoted};

/// Members of a span.
const SPAN: [&str; 35] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "experiment_id",
    "session_id",
    "user_id",
    "name",
    "span_type",
    "kind",
    "status",
    "status_message",
    "start_time_ns",
    "end_time_ns",
    "service_name",
    "scope_name",
    "scope_version",
    "operation",
    "model",
    "provider",
    "tool_name",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cost_usd",
    "cost_source",
    "inputs",
    "outputs",
    "attributes",
    "resource",
    "extra",
    "events",
    "links",
    "hint",
];

/// Members of an assessment.
const ASSESSMENT: [&str; 16] = [
    "assessment_id",
    "trace_id",
    "span_id",
    "name",
    "kind",
    "value",
    "source_type",
    "source_id",
    "rationale",
    "error_code",
    "error_message",
    "metadata",
    "overrides",
    "valid",
    "created_at_ns",
    "updated_at_ns",
];

/// The rows of a list, whose members are `known` ones: serde passes over those that the engine's type has not.
fn rows_of<T: DeserializeOwned>(
    list: &str,
    given: &[Box<RawValue>],
    known: &[&str],
) -> Result<Vec<T>, ApiError> {
    let row = |(at, row): (usize, &RawValue)| {
        let wrong = |what: String| ApiError::bad_request(format!("{list}[{at}]: {what}"));
        let Members(members) =
            serde_json::from_str(row.get()).map_err(|error| wrong(error.to_string()))?;
        let unknown = members
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()));
        match unknown {
            Some((name, _)) => Err(wrong(format!("{} is not known", quoted(name)))),
            None => serde_json::from_str(row.get()).map_err(|error| wrong(error.to_string())),
        }
    };
    given
        .iter()
        .map(AsRef::as_ref)
        .enumerate()
        .map(row)
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Append {
    spans: Vec<Box<RawValue>>,
}

/// Stores spans that a program made.
pub(super) fn append(db: &Database, given: Append) -> Result<ImportReport, ApiError> {
    let spans: Vec<Span> = rows_of("spans", &given.spans, &SPAN)?;
    let spans: Vec<Span> = spans.into_iter().map(filled).collect();
    Ok(db.append(&spans)?)
}

/// A span with what a new one says where nothing was said.
fn filled(mut span: Span) -> Span {
    let new = Span::new("", "", "");
    for (text, default) in [
        (&mut span.experiment_id, new.experiment_id),
        (&mut span.span_type, new.span_type),
        (&mut span.kind, new.kind),
        (&mut span.status, new.status),
        (&mut span.attributes, new.attributes),
        (&mut span.resource, new.resource),
    ] {
        if text.is_empty() {
            *text = default;
        }
    }
    span
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Starts {
    starts: Vec<Start>,
}

/// What is known of a trace as a whole.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    trace_id: String,
    request_time_ns: i64,
    experiment_id: Option<String>,
    duration_ns: Option<i64>,
    state: Option<String>,
    finalised: Option<bool>,
    name: Option<String>,
    client_request_id: Option<String>,
    request_preview: Option<String>,
    response_preview: Option<String>,
    session_id: Option<String>,
    user_id: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    metadata: Option<BTreeMap<String, String>>,
    usage: Option<Usage>,
}

/// Tokens and costs of a trace. As the engine's own type, whose costs are texts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Usage {
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    total_tokens: Option<i64>,
    cache_read_input_tokens: Option<i64>,
    cache_creation_input_tokens: Option<i64>,
    cache_creation_input_tokens_above_1hr: Option<i64>,
    input_cost: Option<f64>,
    output_cost: Option<f64>,
    total_cost: Option<f64>,
}

impl From<Usage> for StartUsage {
    fn from(given: Usage) -> Self {
        Self {
            input_tokens: given.input_tokens,
            output_tokens: given.output_tokens,
            total_tokens: given.total_tokens,
            cache_read_input_tokens: given.cache_read_input_tokens,
            cache_creation_input_tokens: given.cache_creation_input_tokens,
            cache_creation_input_tokens_above_1hr: given.cache_creation_input_tokens_above_1hr,
            input_cost: given.input_cost,
            output_cost: given.output_cost,
            total_cost: given.total_cost,
        }
    }
}

impl From<Start> for TraceStart {
    fn from(given: Start) -> Self {
        let mut start = Self::new(given.trace_id, given.request_time_ns)
            .previews(given.request_preview, given.response_preview)
            .usage(given.usage.unwrap_or_default().into());
        if let Some(experiment_id) = given.experiment_id {
            start.experiment_id = experiment_id;
        }
        if let Some(state) = given.state {
            start.state = state;
        }
        start.finalised = given.finalised.unwrap_or(start.finalised);
        start.duration_ns = given.duration_ns;
        start.name = given.name;
        start.client_request_id = given.client_request_id;
        start.session_id = given.session_id;
        start.user_id = given.user_id;
        start.tags = given.tags.unwrap_or_default();
        start.metadata = given.metadata.unwrap_or_default();
        start
    }
}

/// Starts traces in one commit.
pub(super) fn start_traces(db: &Database, given: Starts) -> Result<(), ApiError> {
    let starts = given.starts.into_iter().map(TraceStart::from);
    Ok(db.start_traces(&starts.collect::<Vec<_>>())?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagOn {
    trace_ids: Vec<String>,
    key: String,
    value: String,
}

/// Sets a tag of several traces; of how many. Unknown ids are left out.
pub(super) fn set_tag_on(db: &Database, given: TagOn) -> Result<u64, ApiError> {
    Ok(db.set_tag_on(&given.trace_ids, &given.key, &given.value)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagKeys {
    trace_id: String,
    keys: Vec<String>,
}

/// Deletes tags of a trace, all or none.
pub(super) fn delete_tags(db: &Database, given: TagKeys) -> Result<(), ApiError> {
    Ok(db.delete_tags(&given.trace_id, given.keys.iter().map(String::as_str))?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assessments {
    assessments: Vec<Box<RawValue>>,
}

/// Stores assessments as they are, with ids, times and validity.
pub(super) fn put_assessments(db: &Database, given: Assessments) -> Result<(), ApiError> {
    let rows: Vec<Assessment> = rows_of("assessments", &given.assessments, &ASSESSMENT)?;
    Ok(db.put_assessments(rows)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkRun {
    trace_ids: Vec<String>,
    run_id: String,
    link: bool,
}

/// Links traces to a run, or takes the link away.
pub(super) fn link_run(db: &Database, given: LinkRun) -> Result<(), ApiError> {
    let linked = match given.link {
        true => db.link_traces_to_run(&given.trace_ids, &given.run_id),
        false => db.unlink_traces_from_run(&given.trace_ids, &given.run_id),
    };
    Ok(linked?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkPrompts {
    trace_id: String,
    prompts: Vec<String>,
    link: bool,
}

/// Links prompts to a trace, or takes the link away.
pub(super) fn link_prompts(db: &Database, given: LinkPrompts) -> Result<(), ApiError> {
    let linked = match given.link {
        true => db.link_prompts_to_trace(&given.trace_id, &given.prompts),
        false => db.unlink_prompts_from_trace(&given.trace_id, &given.prompts),
    };
    Ok(linked?)
}
