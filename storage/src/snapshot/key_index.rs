//! What the metadata store holds of one segment, computed from the segment's light columns: where
//! each trace's spans and row are, and which traces carry a session, user, tag, state or service.

use arrow::array::{Array, AsArray, RecordBatch};

use crate::columns::{required_text, text, text_at};
use crate::error::{Error, Result};
use crate::kv::{IndexKind, SegmentIndex, SpanRun, value_hash};
use crate::model::TraceKey;
use crate::scan::RowStream;
use crate::schema::Table;

const SPAN_COLUMNS: &[&str] = &["trace_id", "parent_span_id"];
const TRACE_COLUMNS: &[&str] = &[
    "trace_id",
    "session_id",
    "user_id",
    "state",
    "service_name",
    "tags",
];

/// Builds the index from the rows of a segment in their final order.
///
/// # Errors
/// Whatever `scan` gives.
pub fn build_index(scan: impl Fn(Table, &[&str]) -> Result<RowStream>) -> Result<SegmentIndex> {
    let mut index = SegmentIndex {
        span_runs: Vec::new(),
        trace_rows: Vec::new(),
        postings: Vec::new(),
    };
    let mut first_row = 0u32;
    for batch in scan(Table::Spans, SPAN_COLUMNS)? {
        first_row = add_spans(&mut index.span_runs, first_row, &batch?)?;
    }
    let end = index
        .span_runs
        .last()
        .map_or(0, |run| run.first_row + run.row_count);
    assert_eq!(end, first_row, "ST-5: the runs cover the spans");
    debug_assert!(
        index
            .span_runs
            .is_sorted_by(|a, b| a.first_row + a.row_count == b.first_row),
        "ST-5: the runs cover the spans without a gap"
    );
    first_row = 0;
    for batch in scan(Table::Traces, TRACE_COLUMNS)? {
        first_row = add_traces(&mut index, first_row, &batch?)?;
    }
    assert_eq!(
        index.trace_rows.len(),
        first_row as usize,
        "ST-5: the index has each trace's row"
    );
    Ok(index)
}

fn add_spans(runs: &mut Vec<SpanRun>, first_row: u32, batch: &RecordBatch) -> Result<u32> {
    let (ids, parents) = (
        required_text(batch, "trace_id")?,
        text(batch, "parent_span_id")?,
    );
    let mut row = first_row;
    let mut previous: Option<&str> = None;
    for (offset, id) in ids.iter().enumerate() {
        let root = parents.is_null(offset).then_some(row);
        let same = previous == Some(id)
            || (previous.is_none() && runs.last().is_some_and(|r| r.key == TraceKey::of(id)));
        match runs.last_mut() {
            Some(run) if same => {
                run.row_count += 1;
                run.root_row = run.root_row.or(root);
            }
            _ => runs.push(SpanRun {
                key: TraceKey::of(id),
                first_row: row,
                row_count: 1,
                root_row: root,
            }),
        }
        previous = Some(id);
        row += 1;
    }
    Ok(row)
}

fn add_traces(index: &mut SegmentIndex, first_row: u32, batch: &RecordBatch) -> Result<u32> {
    let ids = required_text(batch, "trace_id")?;
    let indexed = [
        (IndexKind::Session, text(batch, "session_id")?),
        (IndexKind::User, text(batch, "user_id")?),
        (IndexKind::State, text(batch, "state")?),
        (IndexKind::Service, text(batch, "service_name")?),
    ];
    let tags = batch
        .column_by_name("tags")
        .and_then(|array| array.as_map_opt());
    let tags = tags.ok_or_else(|| Error::internal("no map column tags"))?;
    let mut row = first_row;
    for offset in 0..batch.num_rows() {
        index
            .trace_rows
            .push((TraceKey::of(ids.value(offset)), row));
        for (kind, array) in &indexed {
            if let Some(value) = text_at(array, offset) {
                index.postings.push((*kind, value_hash(*kind, value), row));
            }
        }
        let entries = tags.value(offset);
        let (keys, values) = (
            entries.column(0).as_string::<i32>(),
            entries.column(1).as_string::<i32>(),
        );
        assert_eq!(keys.len(), values.len(), "each tag has a value or NULL");
        for (key, value) in keys.iter().zip(values.iter()) {
            if let (Some(key), Some(value)) = (key, value) {
                let pair = format!("{key}\0{value}");
                index
                    .postings
                    .push((IndexKind::Tag, value_hash(IndexKind::Tag, &pair), row));
            }
        }
        row += 1;
    }
    Ok(row)
}
