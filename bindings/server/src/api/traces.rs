//! Single traces: with their spans and assessments, some at once, and their end.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::json;
use tracehouse::{Database, ErrorKind, Table};

use super::answer::{self, Text};
use super::asked::Asked;
use super::batches::{self, Batches};
use super::rows::{self, Rows};
use super::sight::Sight;
use super::{Answer, sight};
use crate::ask::{ask, change};
use crate::error::ApiError;

/// Traces of one call.
const BATCH_MAX: usize = 1_000;

/// `GET /api/v1/traces/{trace_id}`.
pub(super) async fn get(mut asked: Asked) -> Answer {
    let (trace_id, sight) = (asked.path("trace_id")?, Sight::of(&asked.caller));
    asked.input().await?.end()?;
    let mut out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        let trace = sight.trace(&db, &trace_id)?;
        write(&db, &trace, &trace_id, &mut out)?;
        Ok(out)
    });
    Ok(answer.await?.into_response())
}

/// `GET /api/v1/traces/{trace_id}/spans`, in the order of their starts.
pub(super) async fn spans(mut asked: Asked) -> Answer {
    let (trace_id, sight) = (asked.path("trace_id")?, Sight::of(&asked.caller));
    asked.input().await?.end()?;
    if asked.wants_arrow() {
        return batches::answer(&asked.state, None, move |db| {
            sight.trace(&db, &trace_id)?;
            Ok(Batches::one(sorted_spans(&db, &trace_id)?))
        })
        .await;
    }
    let mut out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        sight.trace(&db, &trace_id)?;
        out.push("{\"spans\":")?;
        rows::array(&mut out, [sorted_spans(&db, &trace_id)])?;
        out.push("}")?;
        Ok(out)
    });
    Ok(answer.await?.into_response())
}

/// `POST /api/v1/traces:batch`: those of `trace_ids` that are there, in their order, and which are `missing`.
pub(super) async fn batch(mut asked: Asked) -> Answer {
    let mut input = asked.input().await?;
    let (trace_ids, sight) = (input.texts("trace_ids")?, Sight::of(&asked.caller));
    if trace_ids.is_empty() {
        return Err(input.missing("trace_ids"));
    }
    input.end()?;
    if trace_ids.len() > BATCH_MAX {
        return Err(ApiError::bad_request(format!(
            "trace_ids has {} ids: at most {BATCH_MAX} expected",
            trace_ids.len()
        )));
    }
    let out = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| {
        write_many(&db, &sight, &trace_ids, out)
    });
    Ok(answer.await?.into_response())
}

fn write_many(
    db: &Database,
    sight: &Sight,
    trace_ids: &[String],
    mut out: Text,
) -> Result<Text, ApiError> {
    let (mut missing, mut is_first) = (Vec::new(), true);
    out.push("{\"traces\":[")?;
    for trace_id in trace_ids {
        match sight.trace(db, trace_id) {
            Ok(trace) => {
                if !std::mem::take(&mut is_first) {
                    out.push(",")?;
                }
                write(db, &trace, trace_id, &mut out)?;
            }
            Err(error) if error.status == http::StatusCode::NOT_FOUND => missing.push(trace_id),
            Err(error) => return Err(error),
        }
    }
    out.push("],\"missing\":")?;
    out.push_json(&missing)?;
    out.push("}")?;
    Ok(out)
}

/// `{"trace":{..},"spans":[..],"assessments":[..]}`; the trace has the column `root_span_id` besides.
fn write(
    db: &Database,
    trace: &RecordBatch,
    trace_id: &str,
    out: &mut Text,
) -> Result<(), ApiError> {
    out.push("{\"trace\":")?;
    Rows::objects().write(out, &with_root(db, trace, trace_id)?)?;
    out.push(",\"spans\":")?;
    rows::array(out, [sorted_spans(db, trace_id)])?;
    out.push(",\"assessments\":")?;
    rows::array(out, [assessments(db, trace_id)])?;
    out.push("}")
}

/// The row of a trace with the span that stands for it, which is no column of the table.
fn with_root(db: &Database, trace: &RecordBatch, trace_id: &str) -> Result<RecordBatch, ApiError> {
    let root = match db.get_trace_info(trace_id) {
        Ok(row) => row.root_span_id,
        // It was deleted since.
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let schema = trace.schema();
    let mut fields = schema.fields().to_vec();
    fields.push(Arc::new(Field::new("root_span_id", DataType::Utf8, true)));
    let mut columns = trace.columns().to_vec();
    let root: ArrayRef = Arc::new(StringArray::from(vec![root]));
    columns.push(root);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| ApiError::internal(format!("a trace cannot be written: {error}")))
}

fn sorted_spans(db: &Database, trace_id: &str) -> Result<RecordBatch, ApiError> {
    sorted(
        &db.trace_rows(Table::Spans, trace_id)?,
        ["start_time", "span_id"],
    )
}

/// The assessments of a trace, oldest first.
pub(super) fn assessments(db: &Database, trace_id: &str) -> Result<RecordBatch, ApiError> {
    sorted(
        &db.trace_rows(Table::Assessments, trace_id)?,
        ["created_at", "assessment_id"],
    )
}

fn sorted(batch: &RecordBatch, by: [&str; 2]) -> Result<RecordBatch, ApiError> {
    let columns = by.into_iter().filter_map(|name| batch.column_by_name(name));
    let columns: Vec<SortColumn> = columns
        .map(|column| SortColumn {
            values: Arc::clone(column),
            options: None,
        })
        .collect();
    lexsort_to_indices(&columns, None)
        .and_then(|order| take_record_batch(batch, &order))
        .map_err(|error| ApiError::internal(format!("rows cannot be sorted: {error}")))
}

/// `DELETE /api/v1/traces/{trace_id}`: invisible when answered; with `erase` its bytes are gone, and the answer is the
/// receipt of that. An erase also takes one that was deleted before.
pub(super) async fn delete(mut asked: Asked) -> Answer {
    let (trace_id, sight) = (asked.path("trace_id")?, Sight::of(&asked.caller));
    let mut input = asked.input().await?;
    let erase = input.flag("erase")?;
    input.end()?;
    if erase {
        // What was deleted before has no experiment that could be looked at.
        asked.caller.check_all_experiments("an erase")?;
        let receipt = change(&asked.state, move |db| {
            let receipt = db.erase_traces(&[trace_id])?;
            db.index_text()?;
            Ok(receipt)
        });
        return answer::json(&asked.state, &receipt.await?);
    }
    let deleted = change(&asked.state, move |db| {
        let trace = sight.trace(&db, &trace_id)?;
        Ok(db.delete_traces(&sight::texts(&trace, "trace_id")?)?)
    });
    let deleted = deleted.await?;
    answer::json(&asked.state, &json!({ "deleted": deleted }))
}
