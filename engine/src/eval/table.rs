//! The tables `eval_runs`, `scores` and `registered_scorers`.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tracehouse_storage::schema::timestamp;

use super::info::EvalRun;
use super::monitor::RegisteredScorer;
use super::part::part_schema;
use crate::database::Database;
use crate::error::{Error, Result};

static RUNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8View, nullable);
    let count = |name: &str, nullable| Field::new(name, DataType::Int64, nullable);
    Arc::new(Schema::new(vec![
        text("run_id", false),
        text("name", false),
        Field::new("created_at", timestamp(), false),
        text("state", false),
        text("source", false),
        text("dataset_id", true),
        count("dataset_version", true),
        text("filter", true),
        text("scorers", false),
        count("row_count", false),
        count("error_count", false),
        Field::new("cost_usd", DataType::Float64, true),
    ]))
});

/// The rows of `eval_runs`.
pub(crate) fn runs_batch(runs: &[EvalRun]) -> Result<RecordBatch> {
    let text = |get: &dyn Fn(&EvalRun) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(runs.iter().map(get)))
    };
    let optional = |get: fn(&EvalRun) -> Option<&str>| -> ArrayRef {
        Arc::new(StringViewArray::from_iter(runs.iter().map(get)))
    };
    let count = |get: fn(&EvalRun) -> Option<i64>| -> ArrayRef {
        Arc::new(Int64Array::from_iter(runs.iter().map(get)))
    };
    let created = runs.iter().map(|run| run.created_at_ns);
    let scorers = runs.iter().map(|run| serde_json::to_string(&run.scorers));
    let scorers: Vec<String> = scorers
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::internal(format!("scorers as JSON: {error}")))?;
    let columns: Vec<ArrayRef> = vec![
        text(&|run| run.run_id.clone()),
        text(&|run| run.name.clone()),
        Arc::new(TimestampNanosecondArray::from_iter_values(created).with_timezone("UTC")),
        text(&|run| run.state.as_str().to_string()),
        text(&|run| run.source.clone()),
        optional(|run| run.dataset_id.as_deref()),
        count(|run| run.dataset_version.map(i64::from)),
        optional(|run| run.filter.as_deref()),
        Arc::new(StringViewArray::from_iter_values(scorers)),
        count(|run| i64::try_from(run.row_count).ok()),
        count(|run| i64::try_from(run.error_count).ok()),
        Arc::new(Float64Array::from_iter(runs.iter().map(|run| run.cost_usd))),
    ];
    Ok(RecordBatch::try_new(RUNS.clone(), columns)?)
}

/// The columns of `scores` in a part's file, in order.
const SHOWN: [&str; 13] = [
    "scorer",
    "scorer_version",
    "trace_id",
    "span_id",
    "dataset_record_id",
    "value",
    "value_number",
    "passed",
    "rationale",
    "error",
    "duration_ns",
    "cost_usd",
    "created_at",
];

static SCORES: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![Field::new("run_id", DataType::Utf8View, false)];
    let stored = part_schema();
    let shown = SHOWN
        .iter()
        .filter_map(|name| stored.field_with_name(name).ok());
    fields.extend(shown.cloned());
    Arc::new(Schema::new(fields))
});

/// The columns of `scores`.
pub(crate) fn scores_schema() -> SchemaRef {
    SCORES.clone()
}

/// The rows of `scores` that a run has.
pub(crate) fn shown_parts(database: &Database, run_id: &str) -> Result<Vec<RecordBatch>> {
    let mut shown = Vec::new();
    for (_, file) in database.parts(run_id)? {
        for batch in database.store().read_catalog_file(&file, &part_schema())? {
            shown.push(shown_scores(run_id, &batch)?);
        }
    }
    Ok(shown)
}

fn shown_scores(run_id: &str, stored: &RecordBatch) -> Result<RecordBatch> {
    let ids = std::iter::repeat_n(run_id, stored.num_rows());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from_iter_values(ids))];
    for name in SHOWN {
        let column = stored.column_by_name(name);
        columns.push(
            column
                .cloned()
                .ok_or_else(|| Error::internal(format!("scores without the column {name}")))?,
        );
    }
    Ok(RecordBatch::try_new(scores_schema(), columns)?)
}

static REGISTERED: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8View, false);
    Arc::new(Schema::new(vec![
        text("name"),
        text("version"),
        text("definition"),
        text("filter"),
        Field::new("sample_rate", DataType::Float64, false),
        Field::new("active", DataType::Boolean, false),
    ]))
});

/// The rows of `registered_scorers`.
pub(crate) fn registered_batch(scorers: &[RegisteredScorer]) -> Result<RecordBatch> {
    let text = |get: &dyn Fn(&RegisteredScorer) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(scorers.iter().map(get)))
    };
    let rates = scorers.iter().map(|one| one.sample_rate);
    let active = scorers.iter().map(|one| Some(one.active));
    let columns: Vec<ArrayRef> = vec![
        text(&|one| one.name.clone()),
        text(&|one| one.version.clone()),
        text(&|one| one.definition.to_string()),
        text(&|one| one.filter.clone()),
        Arc::new(Float64Array::from_iter_values(rates)),
        Arc::new(BooleanArray::from_iter(active)),
    ];
    Ok(RecordBatch::try_new(REGISTERED.clone(), columns)?)
}
