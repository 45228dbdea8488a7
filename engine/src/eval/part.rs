//! Scores as they are stored: a part of a run is a file of the catalogue with the scores of some of its items.
//!
//! Beside what SQL shows, a score keeps what its item was (a session's id) and what a judge answered, so that the same
//! question is not asked twice.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use tracehouse_storage::columns::{floats, ints, text, text_at, times};
use tracehouse_storage::schema::timestamp;

use crate::catalog_entry::Entry;
use crate::error::Result;

/// What one scorer said of one item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScoreRow {
    /// The scorer's name.
    pub scorer: String,
    /// Its version.
    pub scorer_version: String,
    /// The trace that was judged; of a session its first trace, of a record the trace it was made of.
    pub trace_id: Option<String>,
    /// The span that was judged.
    pub span_id: Option<String>,
    /// The record that was judged.
    pub dataset_record_id: Option<String>,
    /// The session that was judged.
    pub session_id: Option<String>,
    /// JSON text; `None` for an error.
    pub value: Option<String>,
    /// The value as a number; 1 and 0 for true and false.
    pub value_number: Option<f64>,
    /// Whether it was good enough; `None` when the scorer only measures.
    pub passed: Option<bool>,
    /// Why.
    pub rationale: Option<String>,
    /// Why there is no value.
    pub error: Option<String>,
    /// How long the scorer took, in nanoseconds.
    pub duration_ns: i64,
    /// What it cost, in US dollars.
    pub cost_usd: Option<f64>,
    /// When it was stored, Unix nanoseconds.
    pub created_at_ns: i64,
    /// The key of a judge's question.
    #[serde(skip)]
    pub(crate) question_key: Option<String>,
    /// What the judge answered, as JSON text.
    #[serde(skip)]
    pub(crate) answer: Option<String>,
}

impl ScoreRow {
    /// What tells the judged item from others of its run: the trace of a record or session does not.
    pub(crate) fn item_key(&self) -> ItemKey {
        let is_trace = self.dataset_record_id.is_none() && self.session_id.is_none();
        ItemKey {
            trace_id: self.trace_id.clone().filter(|_| is_trace),
            span_id: self.span_id.clone().filter(|_| is_trace),
            dataset_record_id: self.dataset_record_id.clone(),
            session_id: self.session_id.clone(),
        }
    }
}

/// What tells an item from others of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ItemKey {
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
    pub dataset_record_id: Option<String>,
    pub session_id: Option<String>,
}

/// What the manifest says of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub run_id: String,
    /// Counted from 0, in the order of their commits.
    pub number: u32,
    pub row_count: u64,
}

impl Entry for Part {
    const KIND: &'static str = "eval_scores";
}

fn word(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8View, nullable)
}

static STORED: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        word("scorer", false),
        word("scorer_version", false),
        word("trace_id", true),
        word("span_id", true),
        word("dataset_record_id", true),
        word("session_id", true),
        word("value", true),
        Field::new("value_number", DataType::Float64, true),
        Field::new("passed", DataType::Boolean, true),
        word("rationale", true),
        word("error", true),
        Field::new("duration_ns", DataType::Int64, false),
        Field::new("cost_usd", DataType::Float64, true),
        Field::new("created_at", timestamp(), false),
        word("question_key", true),
        word("answer", true),
    ]))
});

/// The columns of a part's file.
pub(crate) fn part_schema() -> SchemaRef {
    STORED.clone()
}

/// One batch of the stored schema, a row for each score.
pub(crate) fn part_batch(rows: &[ScoreRow]) -> Result<RecordBatch> {
    let required = |get: fn(&ScoreRow) -> &String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(get)))
    };
    let optional = |get: fn(&ScoreRow) -> &Option<String>| -> ArrayRef {
        Arc::new(StringViewArray::from_iter(
            rows.iter().map(|row| get(row).as_deref()),
        ))
    };
    let number = |get: fn(&ScoreRow) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(rows.iter().map(get)))
    };
    let times = rows.iter().map(|row| row.created_at_ns);
    let columns: Vec<ArrayRef> = vec![
        required(|row| &row.scorer),
        required(|row| &row.scorer_version),
        optional(|row| &row.trace_id),
        optional(|row| &row.span_id),
        optional(|row| &row.dataset_record_id),
        optional(|row| &row.session_id),
        optional(|row| &row.value),
        number(|row| row.value_number),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.passed))),
        optional(|row| &row.rationale),
        optional(|row| &row.error),
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| row.duration_ns),
        )),
        number(|row| row.cost_usd),
        Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC")),
        optional(|row| &row.question_key),
        optional(|row| &row.answer),
    ];
    Ok(RecordBatch::try_new(part_schema(), columns)?)
}

/// The scores of a batch of the stored schema.
pub(crate) fn scores_of(batch: &RecordBatch) -> Result<Vec<ScoreRow>> {
    let texts = |name: &str| text(batch, name);
    let (scorers, versions) = (texts("scorer")?, texts("scorer_version")?);
    let (traces, spans) = (texts("trace_id")?, texts("span_id")?);
    let (records, sessions) = (texts("dataset_record_id")?, texts("session_id")?);
    let (values, rationales, errors) = (texts("value")?, texts("rationale")?, texts("error")?);
    let (keys, answers) = (texts("question_key")?, texts("answer")?);
    let (numbers, costs) = (floats(batch, "value_number")?, floats(batch, "cost_usd")?);
    let (durations, created) = (ints(batch, "duration_ns")?, times(batch, "created_at")?);
    let passed = booleans(batch, "passed")?;
    let owned = |array: &StringViewArray, row: usize| text_at(array, row).map(str::to_string);
    let number = |array: &Float64Array, row: usize| array.is_valid(row).then(|| array.value(row));
    let rows = (0..batch.num_rows()).map(|row| ScoreRow {
        scorer: scorers.value(row).to_string(),
        scorer_version: versions.value(row).to_string(),
        trace_id: owned(traces, row),
        span_id: owned(spans, row),
        dataset_record_id: owned(records, row),
        session_id: owned(sessions, row),
        value: owned(values, row),
        value_number: number(numbers, row),
        passed: passed.is_valid(row).then(|| passed.value(row)),
        rationale: owned(rationales, row),
        error: owned(errors, row),
        duration_ns: durations.value(row),
        cost_usd: number(costs, row),
        created_at_ns: created.value(row),
        question_key: owned(keys, row),
        answer: owned(answers, row),
    });
    Ok(rows.collect())
}

/// A column of booleans.
pub(super) fn booleans<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a BooleanArray> {
    batch
        .column_by_name(column)
        .and_then(|array| array.as_any().downcast_ref())
        .ok_or_else(|| crate::Error::internal(format!("scores without the column {column}")))
}
