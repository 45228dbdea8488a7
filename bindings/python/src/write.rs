//! Single writes: starts, tags, assessments, links, deletes.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tracehouse::{
    Assessment, AssessmentUpdate, NewAssessment, StartUsage, TraceDeletion, TraceStart,
};

use crate::handle::Database;
use crate::objects::{self, Class};
use crate::{call, errors};

static RECEIPT: Class = Class::new("tracehouse.reports", "EraseReceipt");

/// A member of a dictionary that callers of this module always give.
fn member<'py, T>(given: &Bound<'py, PyDict>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let value = given.get_item(name)?;
    let value = value.unwrap_or_else(|| given.py().None().into_bound(given.py()));
    value
        .extract()
        .map_err(|error: PyErr| errors::invalid(given.py(), &format!("{name} is {value}: {error}")))
}

#[pyfunction]
fn start_trace<'py>(
    py: Python<'py>,
    db: &Database,
    trace_id: String,
    given: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let start = trace_start(&trace_id, given)?;
    let row = call::run(py, db.handle()?, move |db| {
        db.start_trace(&start)?;
        db.get_trace_info(&trace_id)
    })?;
    objects::info(py, &row)
}

#[pyfunction]
fn start_traces(
    py: Python<'_>,
    db: &Database,
    given: Vec<(String, Bound<'_, PyDict>)>,
) -> PyResult<()> {
    let starts: PyResult<Vec<_>> = given
        .iter()
        .map(|(id, start)| trace_start(id, start))
        .collect();
    let starts = starts?;
    call::run(py, db.handle()?, move |db| db.start_traces(&starts))
}

fn trace_start(trace_id: &str, given: &Bound<'_, PyDict>) -> PyResult<TraceStart> {
    let text = |name: &str| member::<Option<String>>(given, name);
    let mut start = TraceStart::new(trace_id, member(given, "request_time_ns")?)
        .experiment_id(member::<String>(given, "experiment_id")?)
        .state(member::<String>(given, "state")?)
        .finalised(member(given, "finalised")?)
        .previews(text("request_preview")?, text("response_preview")?)
        .usage(usage(given)?);
    start.duration_ns = member(given, "duration_ns")?;
    start.name = text("name")?;
    start.client_request_id = text("client_request_id")?;
    start.session_id = text("session_id")?;
    start.user_id = text("user_id")?;
    start.tags = member(given, "tags")?;
    start.metadata = member(given, "metadata")?;
    Ok(start)
}

/// The member `usage` of a start.
fn usage(start: &Bound<'_, PyDict>) -> PyResult<StartUsage> {
    const NAMES: [&str; 9] = [
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation_input_tokens_above_1hr",
        "input_cost",
        "output_cost",
        "total_cost",
    ];
    let Some(given) = start.get_item("usage")? else {
        return Ok(StartUsage::default());
    };
    let given = given.cast::<PyDict>()?;
    for name in given.keys() {
        let name: String = name.extract()?;
        if !NAMES.contains(&name.as_str()) {
            let message = format!("usage has {name:?}: one of {} expected", NAMES.join(", "));
            return Err(errors::invalid(given.py(), &message));
        }
    }
    Ok(StartUsage {
        input_tokens: member(given, "input_tokens")?,
        output_tokens: member(given, "output_tokens")?,
        total_tokens: member(given, "total_tokens")?,
        cache_read_input_tokens: member(given, "cache_read_input_tokens")?,
        cache_creation_input_tokens: member(given, "cache_creation_input_tokens")?,
        cache_creation_input_tokens_above_1hr: member(
            given,
            "cache_creation_input_tokens_above_1hr",
        )?,
        input_cost: member(given, "input_cost")?,
        output_cost: member(given, "output_cost")?,
        total_cost: member(given, "total_cost")?,
    })
}

#[pyfunction]
fn set_tags(
    py: Python<'_>,
    db: &Database,
    trace_id: String,
    tags: BTreeMap<String, String>,
) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| {
        db.set_tags(
            &trace_id,
            tags.iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        )
    })
}

#[pyfunction]
fn set_tag_on(
    py: Python<'_>,
    db: &Database,
    trace_ids: Vec<String>,
    key: String,
    value: String,
) -> PyResult<u64> {
    call::run(py, db.handle()?, move |db| {
        db.set_tag_on(&trace_ids, &key, &value)
    })
}

#[pyfunction]
fn delete_tags(py: Python<'_>, db: &Database, trace_id: String, keys: Vec<String>) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| {
        db.delete_tags(&trace_id, keys.iter().map(String::as_str))
    })
}

/// The assessment to be stored of what Python gives of it.
fn new_assessment(kind: &str, name: &str, given: &Bound<'_, PyDict>) -> PyResult<NewAssessment> {
    let value: String = member(given, "value")?;
    let mut new = match kind {
        "feedback" => NewAssessment::feedback(name, value),
        "expectation" => NewAssessment::expectation(name, value),
        "issue" => {
            let mut issue = NewAssessment::issue(name, "");
            issue.value = value;
            issue
        }
        _ => {
            let message =
                format!("assessment type {kind:?}: feedback, expectation or issue expected");
            return Err(errors::invalid(given.py(), &message));
        }
    };
    if let Some((source_type, source_id)) = member::<Option<(String, String)>>(given, "source")? {
        new = new.source(source_type, source_id);
    }
    if let Some((code, message)) = member::<Option<(String, String)>>(given, "error")? {
        new = new.error(code, message);
    }
    new.rationale = member(given, "rationale")?;
    new.span_id = member(given, "span_id")?;
    new.metadata = member(given, "metadata")?;
    new.overrides = member(given, "overrides")?;
    Ok(new)
}

#[pyfunction]
fn assess<'py>(
    py: Python<'py>,
    db: &Database,
    trace_id: String,
    kind: &str,
    name: &str,
    given: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let new = new_assessment(kind, name, given)?;
    let row: Assessment = call::run(py, db.handle()?, move |db| {
        let id = db.assess(&trace_id, new)?;
        db.get_assessment(&trace_id, &id)
    })?;
    objects::assessment(py, &row)
}

#[pyfunction]
fn assess_many(
    py: Python<'_>,
    db: &Database,
    given: Vec<(String, String, String, Bound<'_, PyDict>)>,
) -> PyResult<Vec<String>> {
    let mut new = Vec::with_capacity(given.len());
    for (trace_id, kind, name, given) in given {
        new.push((trace_id, new_assessment(&kind, &name, &given)?));
    }
    call::run(py, db.handle()?, move |db| db.assess_many(new))
}

/// Assessments as they are, with ids, times and validity.
#[pyfunction]
fn put_assessments(py: Python<'_>, db: &Database, given: Vec<Bound<'_, PyDict>>) -> PyResult<()> {
    let rows: PyResult<Vec<Assessment>> = given.iter().map(assessment_row).collect();
    let rows = rows?;
    call::run(py, db.handle()?, move |db| db.put_assessments(rows))
}

fn assessment_row(given: &Bound<'_, PyDict>) -> PyResult<Assessment> {
    let kind: String = member(given, "type")?;
    let name: String = member(given, "name")?;
    let new = new_assessment(&kind, &name, given)?;
    Ok(Assessment {
        assessment_id: member(given, "assessment_id")?,
        trace_id: member(given, "trace_id")?,
        span_id: new.span_id,
        name: new.name,
        kind: new.kind,
        value: new.value,
        source_type: new.source_type,
        source_id: new.source_id,
        rationale: new.rationale,
        error_code: new.error_code,
        error_message: new.error_message,
        metadata: new.metadata,
        overrides: new.overrides,
        valid: member(given, "valid")?,
        created_at_ns: member(given, "created_at_ns")?,
        updated_at_ns: member(given, "updated_at_ns")?,
    })
}

/// The assessments of traces, in the order of the ids.
#[pyfunction]
fn assessments<'py>(
    py: Python<'py>,
    db: &Database,
    trace_ids: Vec<String>,
) -> PyResult<Bound<'py, PyList>> {
    let rows = call::run(py, db.handle()?, move |db| db.assessments(&trace_ids))?;
    let made: PyResult<Vec<_>> = rows
        .iter()
        .map(|row| objects::assessment(py, row))
        .collect();
    PyList::new(py, made?)
}

#[pyfunction]
fn get_assessment<'py>(
    py: Python<'py>,
    db: &Database,
    trace_id: String,
    assessment_id: String,
) -> PyResult<Bound<'py, PyAny>> {
    let read = move |db: &tracehouse::Database| db.get_assessment(&trace_id, &assessment_id);
    objects::assessment(py, &call::run(py, db.handle()?, read)?)
}

#[pyfunction]
#[pyo3(signature = (db, trace_id, assessment_id, name, value, rationale, metadata))]
#[allow(clippy::too_many_arguments)] // One for each thing that can be changed.
fn update_assessment<'py>(
    py: Python<'py>,
    db: &Database,
    trace_id: String,
    assessment_id: String,
    name: Option<String>,
    value: Option<String>,
    rationale: Option<String>,
    metadata: BTreeMap<String, String>,
) -> PyResult<Bound<'py, PyAny>> {
    let row = call::run(py, db.handle()?, move |db| {
        let mut update = AssessmentUpdate::new();
        (update.name, update.rationale, update.metadata) = (name, rationale, metadata);
        if let Some(value) = value {
            let kind = db.get_assessment(&trace_id, &assessment_id)?.kind;
            update = match kind {
                tracehouse::model::AssessmentKind::Expectation => update.expectation(value),
                _ => update.feedback(value),
            };
        }
        db.update_assessment(&trace_id, &assessment_id, update)
    })?;
    objects::assessment(py, &row)
}

#[pyfunction]
fn delete_assessment(
    py: Python<'_>,
    db: &Database,
    trace_id: String,
    assessment_id: String,
) -> PyResult<bool> {
    call::run(py, db.handle()?, move |db| {
        db.delete_assessment(&trace_id, &assessment_id)
    })
}

#[pyfunction]
fn link_run(
    py: Python<'_>,
    db: &Database,
    trace_ids: Vec<String>,
    run_id: String,
    link: bool,
) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| match link {
        true => db.link_traces_to_run(&trace_ids, &run_id),
        false => db.unlink_traces_from_run(&trace_ids, &run_id),
    })
}

#[pyfunction]
fn link_prompts(
    py: Python<'_>,
    db: &Database,
    trace_id: String,
    prompts: Vec<String>,
    link: bool,
) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| match link {
        true => db.link_prompts_to_trace(&trace_id, &prompts),
        false => db.unlink_prompts_from_trace(&trace_id, &prompts),
    })
}

#[pyfunction]
fn delete_traces(py: Python<'_>, db: &Database, trace_ids: Vec<String>) -> PyResult<u64> {
    call::run(py, db.handle()?, move |db| db.delete_traces(&trace_ids))
}

#[pyfunction]
#[pyo3(signature = (db, filter, until_ms, max_traces, experiments))]
fn delete_where(
    py: Python<'_>,
    db: &Database,
    filter: String,
    until_ms: Option<i64>,
    max_traces: Option<usize>,
    experiments: Option<Vec<String>>,
) -> PyResult<u64> {
    let mut deletion = TraceDeletion::matching(filter);
    deletion.until_ms = until_ms;
    deletion.max_traces = max_traces;
    deletion.experiments = experiments;
    call::run(py, db.handle()?, move |db| {
        db.delete_traces_where(&deletion)
    })
}

#[pyfunction]
fn erase_traces<'py>(
    py: Python<'py>,
    db: &Database,
    trace_ids: Vec<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let receipt = call::run(py, db.handle()?, move |db| db.erase_traces(&trace_ids))?;
    RECEIPT.of(py, &receipt)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(start_trace, module)?)?;
    module.add_function(wrap_pyfunction!(start_traces, module)?)?;
    module.add_function(wrap_pyfunction!(set_tags, module)?)?;
    module.add_function(wrap_pyfunction!(set_tag_on, module)?)?;
    module.add_function(wrap_pyfunction!(delete_tags, module)?)?;
    module.add_function(wrap_pyfunction!(assess, module)?)?;
    module.add_function(wrap_pyfunction!(assess_many, module)?)?;
    module.add_function(wrap_pyfunction!(put_assessments, module)?)?;
    module.add_function(wrap_pyfunction!(assessments, module)?)?;
    module.add_function(wrap_pyfunction!(get_assessment, module)?)?;
    module.add_function(wrap_pyfunction!(update_assessment, module)?)?;
    module.add_function(wrap_pyfunction!(delete_assessment, module)?)?;
    module.add_function(wrap_pyfunction!(link_run, module)?)?;
    module.add_function(wrap_pyfunction!(link_prompts, module)?)?;
    module.add_function(wrap_pyfunction!(delete_traces, module)?)?;
    module.add_function(wrap_pyfunction!(delete_where, module)?)?;
    module.add_function(wrap_pyfunction!(erase_traces, module)?)
}
