//! What an index holds of one segment, read from the segment's light columns: where each trace's spans and row are,
//! and which traces carry a session, user, tag, state or service.

use arrow::array::{Array, AsArray, RecordBatch};

use crate::columns::{required_text, text};
use crate::error::{Error, Result};
use crate::kv::{IndexKind, SegmentIndex, SpanRun, value_hash};
use crate::model::{TraceKey, row_number};
use crate::scan::RowStream;
use crate::schema::Table;

/// Gives the rows of a segment in their final order.
pub trait ReadColumns: Fn(Table, &[&str]) -> Result<RowStream> {}

impl<F: Fn(Table, &[&str]) -> Result<RowStream>> ReadColumns for F {}

/// Builds the index from the rows of a segment.
///
/// # Errors
/// Whatever `scan` gives.
pub fn build_index(scan: impl ReadColumns) -> Result<SegmentIndex> {
    let mut postings = Vec::new();
    for kind in IndexKind::ALL {
        let of_kind = read_postings(&scan, kind)?.into_iter();
        postings.extend(of_kind.map(|(hash, row)| (kind, hash, row)));
    }
    Ok(SegmentIndex {
        span_runs: read_span_runs(&scan)?,
        trace_rows: read_trace_rows(&scan)?,
        postings,
    })
}

/// Where the spans of each trace are, in the order of the rows.
///
/// # Errors
/// Whatever `scan` gives.
pub fn read_span_runs(scan: impl ReadColumns) -> Result<Vec<SpanRun>> {
    let (mut runs, mut rows) = (Vec::new(), 0);
    for batch in scan(Table::Spans, &["trace_id", "parent_span_id"])? {
        rows = add_spans(&mut runs, rows, &batch?)?;
    }
    let end = runs.last().map_or(0, |run| run.first_row + run.row_count);
    assert_eq!(end, rows, "ST-5: the runs cover the spans");
    debug_assert!(
        runs.is_sorted_by(|a, b| a.first_row + a.row_count == b.first_row),
        "ST-5: the runs cover the spans without a gap"
    );
    Ok(runs)
}

/// The row of each trace, in the order of the rows.
///
/// # Errors
/// Whatever `scan` gives.
pub fn read_trace_rows(scan: impl ReadColumns) -> Result<Vec<(TraceKey, u32)>> {
    let mut rows = Vec::new();
    for batch in scan(Table::Traces, &["trace_id"])? {
        let batch = batch?;
        let first = row_number(rows.len())?;
        let keys = required_text(&batch, "trace_id")?.iter().map(TraceKey::of);
        rows.extend(keys.zip(first..));
    }
    Ok(rows)
}

/// The hash of each value of a kind with its row, in the order of the rows.
///
/// # Errors
/// Whatever `scan` gives.
pub fn read_postings(scan: impl ReadColumns, kind: IndexKind) -> Result<Vec<(u64, u32)>> {
    let column = match kind {
        IndexKind::Session => "session_id",
        IndexKind::User => "user_id",
        IndexKind::Tag => "tags",
        IndexKind::State => "state",
        IndexKind::Service => "service_name",
    };
    let (mut postings, mut rows) = (Vec::new(), 0);
    for batch in scan(Table::Traces, &[column])? {
        let batch = batch?;
        match kind {
            IndexKind::Tag => add_tags(&mut postings, rows, &batch)?,
            _ => {
                let values = text(&batch, column)?;
                let with_rows = values.iter().zip(rows..);
                postings.extend(
                    with_rows.filter_map(|(value, row)| Some((value_hash(kind, value?), row))),
                );
            }
        }
        rows += row_number(batch.num_rows())?;
    }
    Ok(postings)
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

fn add_tags(postings: &mut Vec<(u64, u32)>, first_row: u32, batch: &RecordBatch) -> Result<()> {
    let tags = batch
        .column_by_name("tags")
        .and_then(|array| array.as_map_opt());
    let tags = tags.ok_or_else(|| Error::internal("no map column tags"))?;
    for (offset, row) in (0..batch.num_rows()).zip(first_row..) {
        let entries = tags.value(offset);
        let (keys, values) = (
            entries.column(0).as_string::<i32>(),
            entries.column(1).as_string::<i32>(),
        );
        assert_eq!(keys.len(), values.len(), "each tag has a value or NULL");
        for (key, value) in keys.iter().zip(values.iter()) {
            if let (Some(key), Some(value)) = (key, value) {
                let pair = format!("{key}\0{value}");
                postings.push((value_hash(IndexKind::Tag, &pair), row));
            }
        }
    }
    Ok(())
}
