//! Assessments: feedback and expectations about traces and spans. An answer has the columns of the table `assessments`.

use arrow::array::RecordBatch;
use serde_json::json;
use serde_json::value::RawValue;
use tracehouse::model::AssessmentKind;
use tracehouse::{AssessmentUpdate, Database, NewAssessment, SqlQuery, SqlValue};

use super::answer::{self, Text};
use super::asked::Asked;
use super::batches::{self, Batches};
use super::input::Input;
use super::rows::{self, Rows};
use super::sight::{Sight, texts};
use super::{Answer, traces};
use crate::ask::{ask, change};
use crate::error::{ApiError, quoted};

/// `GET /api/v1/assessments?trace_id=..`: those of a trace, oldest first, overridden ones as well.
pub(super) async fn list(mut asked: Asked) -> Answer {
    let mut input = asked.input().await?;
    let (trace_id, sight) = (input.needed_text("trace_id")?, Sight::of(&asked.caller));
    input.end()?;
    if asked.wants_arrow() {
        return batches::answer(&asked.state, None, move |db| {
            sight.trace(&db, &trace_id)?;
            Ok(Batches::one(traces::assessments(&db, &trace_id)?))
        })
        .await;
    }
    let mut out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        sight.trace(&db, &trace_id)?;
        out.push("{\"assessments\":")?;
        rows::array(&mut out, [traces::assessments(&db, &trace_id)])?;
        out.push("}")?;
        Ok(out)
    });
    Ok(answer.await?.into_response())
}

/// `POST /api/v1/assessments`.
pub(super) async fn create(mut asked: Asked) -> Answer {
    let mut input = asked.input().await?;
    let (trace_id, sight) = (input.needed_text("trace_id")?, Sight::of(&asked.caller));
    let assessment = new(&mut input)?;
    input.end()?;
    let out = Text::begin(&asked.state);
    let answer = change(&asked.state, move |db| {
        sight.trace(&db, &trace_id)?;
        let id = db.assess(&trace_id, assessment)?;
        write(&db, &trace_id, &id, out)
    });
    Ok(answer.await?.into_response())
}

fn new(input: &mut Input) -> Result<NewAssessment, ApiError> {
    let name = input.needed_text("name")?;
    let make: fn(String, String) -> NewAssessment = match input.text("type")?.as_deref() {
        None | Some("feedback") => NewAssessment::feedback,
        Some("expectation") => NewAssessment::expectation,
        Some("issue") => issue,
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "type is {}: feedback, expectation or issue expected",
                quoted(other)
            )));
        }
    };
    let (code, message) = (input.text("error_code")?, input.text("error_message")?);
    let value = match input.json_or_null("value")? {
        Some(value) => value,
        // A scorer that failed has an error and no value.
        None if code.is_some() || message.is_some() => RawValue::NULL.to_owned(),
        None => return Err(input.missing("value")),
    };
    let mut assessment = make(name, value.get().to_string());
    if let Some((source_type, source_id)) = source(input)? {
        assessment = assessment.source(source_type, source_id);
    }
    (assessment.error_code, assessment.error_message) = (code, message);
    assessment.rationale = input.text("rationale")?;
    assessment.span_id = input.text("span_id")?;
    assessment.overrides = input.text("overrides")?;
    assessment.metadata = input.pairs("metadata")?.into_iter().collect();
    Ok(assessment)
}

/// A reference to an issue, of which `value` is the name.
fn issue(id: String, value: String) -> NewAssessment {
    let mut issue = NewAssessment::issue(id, "");
    issue.value = value;
    issue
}

/// Who judged: `"source":"HUMAN:ana"`, `"source":{"source_type","source_id"}`, or these two beside the others.
fn source(input: &mut Input) -> Result<Option<(String, String)>, ApiError> {
    let (source_type, source_id) = (input.text("source_type")?, input.text("source_id")?);
    let Some(source) = input.json("source")? else {
        return match (source_type, source_id) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(input.missing("source_type")),
            (Some(source_type), id) => Ok(Some((source_type, id.unwrap_or_default()))),
        };
    };
    if source_type.is_some() || source_id.is_some() {
        return Err(ApiError::bad_request(
            "source says who judged, and source_type and source_id say it again: one of them expected",
        ));
    }
    if let Ok(text) = serde_json::from_str::<String>(source.get()) {
        let (source_type, id) = text.split_once(':').unwrap_or((&text, ""));
        return Ok(Some((source_type.to_string(), id.to_string())));
    }
    let mut members = Input::of_object(&source, "source")?;
    let source_type = members.needed_text("source_type")?;
    let id = members.text("source_id")?.unwrap_or_default();
    members.end()?;
    Ok(Some((source_type, id)))
}

/// The texts of the first column of a statement.
fn matching(db: &Database, statement: &str, values: &[&str]) -> Result<Vec<String>, ApiError> {
    let values = values.iter().zip(1_usize..);
    let query = SqlQuery {
        statement: statement.to_string(),
        parameters: values
            .map(|(value, at)| (at.to_string(), SqlValue::Text((*value).to_string())))
            .collect(),
        tables: Vec::new(),
    };
    let mut found = Vec::new();
    for batch in db.sql_batches(query)? {
        let batch = batch?;
        let schema = batch.schema();
        let name = schema.fields().first().map(|field| field.name().as_str());
        found.extend(texts(&batch, name.unwrap_or_default())?);
    }
    Ok(found)
}

/// The trace of an assessment, which the caller may see. `told` is the one that the request names, which is only needed
/// where assessments of several traces have one id.
fn trace_of(
    db: &Database,
    sight: &Sight,
    id: &str,
    told: Option<String>,
) -> Result<String, ApiError> {
    let absent = || ApiError::not_found(format!("assessment {} not found", quoted(id)));
    if let Some(trace_id) = told {
        sight.trace(db, &trace_id)?;
        return Ok(trace_id);
    }
    let statement = "SELECT trace_id FROM assessments WHERE assessment_id = $1";
    let mut seen = matching(db, statement, &[id])?;
    seen.retain(|trace_id| sight.trace(db, trace_id).is_ok());
    match seen.len() {
        0 | 1 => seen.pop().ok_or_else(absent),
        count => Err(ApiError::bad_request(format!(
            "{count} traces have an assessment {}: trace_id has to say which",
            quoted(id)
        ))),
    }
}

/// The stored row.
fn row(db: &Database, trace_id: &str, id: &str) -> Result<RecordBatch, ApiError> {
    let rows = traces::assessments(db, trace_id)?;
    let at = texts(&rows, "assessment_id")?
        .iter()
        .position(|known| known == id);
    let at =
        at.ok_or_else(|| ApiError::not_found(format!("assessment {} not found", quoted(id))))?;
    Ok(rows.slice(at, 1))
}

fn write(db: &Database, trace_id: &str, id: &str, mut out: Text) -> Result<Text, ApiError> {
    Rows::objects().write(&mut out, &row(db, trace_id, id)?)?;
    Ok(out)
}

/// `GET /api/v1/assessments/{assessment_id}`.
pub(super) async fn get(mut asked: Asked) -> Answer {
    let (id, sight) = (asked.path("assessment_id")?, Sight::of(&asked.caller));
    let mut input = asked.input().await?;
    let told = input.text("trace_id")?;
    input.end()?;
    let out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        let trace_id = trace_of(&db, &sight, &id, told)?;
        write(&db, &trace_id, &id, out)
    });
    Ok(answer.await?.into_response())
}

/// `PATCH /api/v1/assessments/{assessment_id}`: `name`, `value`, `rationale` take the place of what is there, `metadata`
/// is laid over it.
pub(super) async fn update(mut asked: Asked) -> Answer {
    let (id, sight) = (asked.path("assessment_id")?, Sight::of(&asked.caller));
    let mut input = asked.input().await?;
    let told = input.text("trace_id")?;
    let value = input.json_or_null("value")?;
    let mut update = AssessmentUpdate::new();
    update.name = input.text("name")?;
    update.rationale = input.text("rationale")?;
    update.metadata = input.pairs("metadata")?.into_iter().collect();
    if value.is_none() && update == AssessmentUpdate::new() {
        return Err(input.missing("value, name, rationale or metadata"));
    }
    input.end()?;
    let out = Text::begin(&asked.state);
    let answer = change(&asked.state, move |db| {
        let trace_id = trace_of(&db, &sight, &id, told)?;
        if let Some(value) = value {
            let value = value.get().to_string();
            match db.get_assessment(&trace_id, &id)?.kind {
                AssessmentKind::Expectation => update.expectation = Some(value),
                _ => update.feedback = Some(value),
            }
        }
        db.update_assessment(&trace_id, &id, update)?;
        write(&db, &trace_id, &id, out)
    });
    Ok(answer.await?.into_response())
}

/// `DELETE /api/v1/assessments/{assessment_id}`.
pub(super) async fn delete(mut asked: Asked) -> Answer {
    let (id, sight) = (asked.path("assessment_id")?, Sight::of(&asked.caller));
    let mut input = asked.input().await?;
    let told = input.text("trace_id")?;
    input.end()?;
    let deleted = change(&asked.state, move |db| {
        let trace_id = trace_of(&db, &sight, &id, told)?;
        match db.delete_assessment(&trace_id, &id)? {
            true => Ok(id),
            false => Err(ApiError::not_found(format!(
                "assessment {} not found",
                quoted(&id)
            ))),
        }
    });
    let deleted = deleted.await?;
    answer::json(&asked.state, &json!({ "deleted": deleted }))
}
