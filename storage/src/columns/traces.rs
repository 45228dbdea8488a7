//! Trace rows to a batch of the stored schema, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListBuilder, MapBuilder, MapFieldNames, RecordBatch,
    StringBuilder, StringViewArray,
};

use super::build::{float, int, optional, required, time};
use super::read::{Row, list, map_at, required_text};
use crate::error::{Error, Result};
use crate::model::{IN_PROGRESS, TraceEdit, TraceKey, TraceRow, Usage};
use crate::schema::Table;

/// One batch with a row for each trace, in order.
///
/// # Errors
/// `Internal` when an edit cannot be encoded.
pub fn traces_batch(rows: &[TraceRow]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        required(rows, |t| &t.trace_id),
        required(rows, |t| &t.experiment_id),
        optional(rows, |t| &t.name),
        required(rows, |t| &t.state),
        time(rows, |t| Some(t.request_time_ns)),
        time(rows, |t| t.end_time_ns),
        int(rows, |t| t.duration_ns),
        optional(rows, |t| &t.service_name),
        optional(rows, |t| &t.session_id),
        optional(rows, |t| &t.user_id),
        optional(rows, |t| &t.client_request_id),
        optional(rows, |t| &t.request_preview),
        optional(rows, |t| &t.response_preview),
        int(rows, |t| Some(t.span_count)),
        int(rows, |t| Some(t.error_span_count)),
        int(rows, |t| t.usage.input_tokens),
        int(rows, |t| t.usage.output_tokens),
        int(rows, |t| t.usage.total_tokens),
        int(rows, |t| t.usage.cache_read_input_tokens),
        int(rows, |t| t.usage.cache_creation_input_tokens),
        float(rows, |t| t.usage.cost_usd),
        models(rows),
        string_maps(rows.iter().map(|t| &t.tags))?,
        string_maps(rows.iter().map(|t| &t.metadata))?,
        optional(rows, |t| &t.root_span_id),
        edits(rows)?,
        int(rows, |_| None),
        int(rows, |_| None),
    ];
    Ok(RecordBatch::try_new(Table::Traces.schema(), columns)?)
}

/// A batch of trace rows with the runs of their spans in the segment that is being written.
///
/// # Errors
/// `Internal` when the batch lacks a column.
pub fn with_span_runs(
    batch: &RecordBatch,
    run: impl Fn(TraceKey) -> Option<(u32, u32)>,
) -> Result<RecordBatch> {
    let ids = required_text(batch, "trace_id")?;
    let runs: Vec<Option<(u32, u32)>> = ids.iter().map(|id| run(TraceKey::of(id))).collect();
    assert!(
        runs.iter().flatten().all(|(_, count)| *count > 0),
        "a run has spans"
    );
    let mut columns = batch.columns().to_vec();
    let first = Int64Array::from_iter(
        runs.iter()
            .map(|run| run.map(|(first, _)| i64::from(first))),
    );
    let count = Int64Array::from_iter(
        runs.iter()
            .map(|run| run.map(|(_, count)| i64::from(count))),
    );
    for (name, array) in [("_first_span_row", first), ("_span_rows", count)] {
        if let Some(column) = columns.get_mut(batch.schema_ref().index_of(name)?) {
            *column = Arc::new(array);
        }
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

fn models(rows: &[TraceRow]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        for model in &row.models {
            builder.values().append_value(model);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

fn edits(rows: &[TraceRow]) -> Result<ArrayRef> {
    let mut texts = Vec::with_capacity(rows.len());
    for row in rows {
        let text = (!row.edit.is_empty())
            .then(|| serde_json::to_string(&row.edit))
            .transpose();
        texts.push(
            text.map_err(|e| Error::internal(format!("edit of trace {}: {e}", row.trace_id)))?,
        );
    }
    Ok(Arc::new(StringViewArray::from_iter(texts)))
}

/// A `Map<Utf8, Utf8>` column.
pub(super) fn string_maps<'a>(
    maps: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> Result<ArrayRef> {
    let names = MapFieldNames {
        entry: "entries".into(),
        key: "keys".into(),
        value: "values".into(),
    };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for map in maps {
        for (key, value) in map {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true)?;
    }
    Ok(Arc::new(builder.finish()))
}

/// The edit that a value of the column `_edit` is.
///
/// # Errors
/// `Corrupt` when it does not parse.
fn edit_of(text: Option<&str>) -> Result<TraceEdit> {
    text.map_or(Ok(TraceEdit::default()), serde_json::from_str)
        .map_err(|e| Error::corrupt(format!("column _edit of a stored trace: {e}")))
}

/// Whether a trace with this state and stored edit waits for its root, which is not there. Of one that was started,
/// the start says the state until a root comes: settling would not change it.
///
/// # Errors
/// As [`edit_of`].
pub(crate) fn waits_for_root(state: &str, edit: Option<&str>) -> Result<bool> {
    if state != IN_PROGRESS {
        return Ok(false);
    }
    let edit = edit_of(edit)?;
    Ok(!edit.settled && !edit.has_open_root && edit.start.is_none())
}

/// The trace row at `row` of a batch with all stored columns.
///
/// # Errors
/// `Internal` when a column is missing, `Corrupt` when an edit does not parse.
pub fn trace_at(batch: &RecordBatch, row: usize) -> Result<TraceRow> {
    let at = Row::new(batch, row);
    let edit = edit_of(at.text("_edit")?.as_deref())?;
    Ok(TraceRow {
        trace_id: at.required("trace_id")?,
        experiment_id: at.required("experiment_id")?,
        name: at.text("name")?,
        state: at.required("state")?,
        request_time_ns: at.required_time("request_time")?,
        end_time_ns: at.time("end_time")?,
        duration_ns: at.int("duration_ns")?,
        service_name: at.text("service_name")?,
        session_id: at.text("session_id")?,
        user_id: at.text("user_id")?,
        client_request_id: at.text("client_request_id")?,
        request_preview: at.text("request_preview")?,
        response_preview: at.text("response_preview")?,
        span_count: at.required_int("span_count")?,
        error_span_count: at.required_int("error_span_count")?,
        usage: Usage {
            input_tokens: at.int("input_tokens")?,
            output_tokens: at.int("output_tokens")?,
            total_tokens: at.int("total_tokens")?,
            cache_read_input_tokens: at.int("cache_read_input_tokens")?,
            cache_creation_input_tokens: at.int("cache_creation_input_tokens")?,
            cost_usd: at.float("cost_usd")?,
        },
        models: models_at(batch, row)?,
        tags: map_at(batch, "tags", row)?,
        metadata: map_at(batch, "metadata", row)?,
        root_span_id: at.text("_root_span_id")?,
        edit,
    })
}

fn models_at(batch: &RecordBatch, row: usize) -> Result<Vec<String>> {
    let lists = list(batch, "models")?;
    if lists.is_null(row) {
        return Ok(Vec::new());
    }
    let items = lists.value(row);
    let texts = items
        .as_string_opt::<i32>()
        .ok_or_else(|| Error::internal("column models does not hold text"))?;
    Ok(texts.iter().flatten().map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StartEdit;

    #[test]
    fn rows_survive_the_round_trip() {
        let mut full = TraceRow {
            trace_id: "t1".into(),
            experiment_id: "0".into(),
            name: Some("n".into()),
            state: "OK".into(),
            request_time_ns: 5,
            end_time_ns: Some(9),
            duration_ns: Some(4),
            span_count: 2,
            usage: Usage {
                input_tokens: Some(7),
                cost_usd: Some(0.5),
                ..Usage::default()
            },
            models: vec!["a".into(), "b".into()],
            metadata: BTreeMap::from([("m".into(), "v".into())]),
            root_span_id: Some("r".into()),
            ..TraceRow::default()
        };
        full.apply_all(
            TraceEdit {
                tags: BTreeMap::from([("k".into(), Some("v".into())), ("gone".into(), None)]),
                linked_runs: ["r1".to_string()].into(),
                start: Some(Box::new(StartEdit {
                    state: "OK".into(),
                    name: Some("n".into()),
                    ..Default::default()
                })),
                ..TraceEdit::default()
            },
            true,
        );
        let rows = vec![
            full,
            TraceRow {
                trace_id: "t2".into(),
                ..TraceRow::default()
            },
        ];
        let batch = traces_batch(&rows).unwrap();
        assert_eq!(batch.schema(), Table::Traces.schema());
        assert_eq!(trace_at(&batch, 0).unwrap(), rows[0]);
        assert_eq!(trace_at(&batch, 1).unwrap(), rows[1]);
    }
}
