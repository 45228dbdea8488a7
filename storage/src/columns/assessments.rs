//! Assessments to a batch of the stored schema, and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringViewArray,
    TimestampNanosecondArray,
};

use super::read::{map_at, text, text_at, times};
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
        optional(rows, |a| a.span_id.as_deref()),
        required(rows, |a| &a.name),
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|a| a.kind.as_str()))),
        required(rows, |a| &a.value),
        Arc::new(Float64Array::from_iter(rows.iter().map(Assessment::value_number))),
        required(rows, |a| &a.source_type),
        optional(rows, |a| a.source_id.as_deref()),
        optional(rows, |a| a.rationale.as_deref()),
        optional(rows, |a| a.error_code.as_deref()),
        optional(rows, |a| a.error_message.as_deref()),
        string_maps(rows.iter().map(|a| &a.metadata))?,
        optional(rows, |a| a.overrides.as_deref()),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|a| Some(a.valid)))),
        time(rows, |a| a.created_at_ns),
        time(rows, |a| a.updated_at_ns),
    ];
    Ok(RecordBatch::try_new(Table::Assessments.schema(), columns)?)
}

fn required(rows: &[Assessment], get: impl Fn(&Assessment) -> &String) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(rows.iter().map(get)))
}

fn optional(rows: &[Assessment], get: impl Fn(&Assessment) -> Option<&str>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(rows.iter().map(get)))
}

fn time(rows: &[Assessment], get: impl Fn(&Assessment) -> i64) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter_values(rows.iter().map(get)).with_timezone("UTC"))
}

/// The assessment at `row` of a batch with all stored columns.
///
/// # Errors
/// `Internal` when a column is missing or holds an unknown type word.
pub fn assessment_at(batch: &RecordBatch, row: usize) -> Result<Assessment> {
    let word = |column: &str| -> Result<Option<String>> {
        Ok(text_at(text(batch, column)?, row).map(str::to_string))
    };
    let must = |column: &str| -> Result<String> { Ok(word(column)?.unwrap_or_default()) };
    let kind = must("type")?;
    let valid = batch.column_by_name("valid").and_then(|array| array.as_boolean_opt());
    let valid = valid.ok_or_else(|| Error::internal("no boolean column valid"))?;
    Ok(Assessment {
        assessment_id: must("assessment_id")?,
        trace_id: must("trace_id")?,
        span_id: word("span_id")?,
        name: must("name")?,
        kind: AssessmentKind::parse(&kind)
            .ok_or_else(|| Error::internal(format!("unknown assessment type {kind}")))?,
        value: must("value")?,
        source_type: must("source_type")?,
        source_id: word("source_id")?,
        rationale: word("rationale")?,
        error_code: word("error_code")?,
        error_message: word("error_message")?,
        metadata: map_at(batch, "metadata", row)?,
        overrides: word("overrides")?,
        valid: valid.is_valid(row) && valid.value(row),
        created_at_ns: times(batch, "created_at")?.value(row),
        updated_at_ns: times(batch, "updated_at")?.value(row),
    })
}
