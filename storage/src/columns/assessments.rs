//! Assessments to a batch of the stored schema, and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};

use super::build::{float, optional, required, time};
use super::read::{Row, map_at};
use super::traces::string_maps;
use crate::error::{Error, Result};
use crate::model::{Assessment, AssessmentKind};
use crate::schema::Table;

/// One batch with a row for each assessment, in order.
///
/// # Errors
/// `Internal` when a column cannot be built.
pub fn assessments_batch(rows: &[Assessment]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        required(rows, |a| &a.assessment_id),
        required(rows, |a| &a.trace_id),
        optional(rows, |a| &a.span_id),
        required(rows, |a| &a.name),
        required(rows, |a| a.kind.as_str()),
        required(rows, |a| &a.value),
        float(rows, Assessment::value_number),
        required(rows, |a| &a.source_type),
        optional(rows, |a| &a.source_id),
        optional(rows, |a| &a.rationale),
        optional(rows, |a| &a.error_code),
        optional(rows, |a| &a.error_message),
        string_maps(rows.iter().map(|a| &a.metadata))?,
        optional(rows, |a| &a.overrides),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|a| Some(a.valid)))),
        time(rows, |a| Some(a.created_at_ns)),
        time(rows, |a| Some(a.updated_at_ns)),
    ];
    Ok(RecordBatch::try_new(Table::Assessments.schema(), columns)?)
}

/// The assessment at `row` of a batch with all stored columns.
///
/// # Errors
/// `Internal` when a column is missing, `Corrupt` for an unknown type word.
pub fn assessment_at(batch: &RecordBatch, row: usize) -> Result<Assessment> {
    let at = Row::new(batch, row);
    let kind = at.required("type")?;
    let valid = batch
        .column_by_name("valid")
        .and_then(|array| array.as_boolean_opt());
    let valid = valid.ok_or_else(|| Error::internal("no boolean column valid"))?;
    Ok(Assessment {
        assessment_id: at.required("assessment_id")?,
        trace_id: at.required("trace_id")?,
        span_id: at.text("span_id")?,
        name: at.required("name")?,
        kind: AssessmentKind::parse(&kind).ok_or_else(|| {
            Error::corrupt(format!(
                "column type of a stored assessment: unknown word {kind:?}"
            ))
        })?,
        value: at.required("value")?,
        source_type: at.required("source_type")?,
        source_id: at.text("source_id")?,
        rationale: at.text("rationale")?,
        error_code: at.text("error_code")?,
        error_message: at.text("error_message")?,
        metadata: map_at(batch, "metadata", row)?,
        overrides: at.text("overrides")?,
        valid: valid.is_valid(row) && valid.value(row),
        created_at_ns: at.required_time("created_at")?,
        updated_at_ns: at.required_time("updated_at")?,
    })
}
