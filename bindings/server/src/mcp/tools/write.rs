//! Tools that write: feedback, tags, records of datasets. They are offered where whoever runs the server allows them.

use serde_json::{Value, json};
use tracehouse::{Database, ErrorKind, MergeReport, NewAssessment};

use super::trace::find;
use super::{Call, span};
use crate::error::ApiError;
use crate::mcp::json::Fields;

/// Who may judge.
pub(super) const SOURCE_TYPES: [&str; 3] = ["LLM_JUDGE", "HUMAN", "CODE"];
/// The judge, when a call names none.
const SOURCE_ID: &str = "mcp";
/// Reasons shown why records were not kept.
const REASONS_MAX: usize = 3;
const REASON_BYTES_MAX: usize = 200;

/// Stores a judgement.
pub(super) fn log_feedback(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let arguments = &call.arguments;
    let trace_id = find(db, call)?.trace_id;
    // A null argument is one that is not given, so this is always a value.
    let value = arguments.value("value").cloned().unwrap_or(Value::Null);
    let source_id = arguments.given("source_id").unwrap_or(SOURCE_ID);
    let mut feedback = NewAssessment::feedback(arguments.text("name"), value.to_string())
        .source(arguments.text("source_type"), source_id);
    if let Some(rationale) = arguments.given("rationale") {
        feedback = feedback.rationale(rationale);
    }
    if let Some(span_id) = arguments.given("span_id") {
        span::check(db, call, &trace_id)?;
        feedback = feedback.span_id(span_id);
    }
    let assessment_id = db.assess(&trace_id, feedback)?;
    Ok(fields(
        json!({"assessment_id": assessment_id, "trace_id": trace_id}),
    ))
}

/// Sets a tag.
pub(super) fn set_tag(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let trace_id = find(db, call)?.trace_id;
    let (key, value) = (call.arguments.text("key"), call.arguments.text("value"));
    db.set_tag(&trace_id, key, value)?;
    Ok(fields(json!({"trace_id": trace_id, "set": true})))
}

/// Adds traces to a dataset.
pub(super) fn dataset_add(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    // A dataset may have records of any experiment.
    call.caller.check_all_experiments("dataset_add")?;
    let arguments = &call.arguments;
    let name = arguments.text("dataset");
    let search = call.scope.search(arguments.text("filter"));
    let search = search.limit(arguments.count("limit"));
    tracehouse::check_filter(&search.filter)?;
    // What is to be added is looked for like the answer to a question.
    let db = db.with_timeout(call.timeout);
    let dataset = match db.dataset(name) {
        Err(error) if error.kind() == ErrorKind::NotFound && arguments.is("create") => {
            db.create_dataset(name)?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(ApiError::not_found(format!(
                "{error}. With create = true it is made"
            )));
        }
        found => found?,
    };
    Ok(report(&dataset.add_traces(&search)?))
}

fn report(report: &MergeReport) -> Fields {
    let reasons = report.rejected.iter().take(REASONS_MAX);
    let reasons: Vec<Value> = reasons
        .map(|rejected| crate::mcp::json::preview(&rejected.error, REASON_BYTES_MAX))
        .collect();
    fields(json!({
        "inserted": report.inserted,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "skipped_without_inputs": report.skipped,
        "rejected": report.rejected_count,
        "reasons": reasons,
        "version": report.version,
        "record_count": report.record_count,
    }))
}

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}
