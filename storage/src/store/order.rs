//! The order of rows in a segment, and the map from where rows were to where they are.
//!
//! Spans are sorted by (earliest start of the trace, trace, start, span id), so that a trace's spans
//! are one run and time prunes; traces by (request time, trace); assessments by (trace, creation, id).

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{RecordBatch, StringViewArray};
use roaring::RoaringBitmap;

use crate::columns::{required_text, text, times};
use crate::error::{Error, Result};
use crate::model::TraceKey;
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::snapshot::RowRef;
use crate::snapshot::Source;

/// Rows of several sources in their final order.
pub(super) struct Ordered {
    pub table: Table,
    pub rows: Vec<RowRef>,
    /// First row and number of rows of each trace; of spans only.
    pub runs: HashMap<TraceKey, (u32, u32)>,
}

struct Row {
    group: i64,
    key: TraceKey,
    time: i64,
    /// Batch and row of the id that breaks ties.
    id: (u32, u32),
    at: RowRef,
}

/// The visible rows of a table in `sources`, in segment order.
pub(super) fn order(sources: &[Source], table: Table) -> Result<Ordered> {
    let (time_column, id_column) = match table {
        Table::Spans => ("start_time", "span_id"),
        Table::Traces => ("request_time", "trace_id"),
        Table::Assessments => ("created_at", "assessment_id"),
    };
    let columns = ["trace_id", time_column, id_column, "_row"];
    let mut rows = Vec::new();
    let mut ids: Vec<StringViewArray> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        if source.rows(table) == 0 {
            continue;
        }
        for batch in source.scan(table, &ScanRequest::columns(columns))? {
            let batch = batch?;
            add_rows(&mut rows, ids.len() as u32, index, &batch, time_column)?;
            ids.push(text(&batch, id_column)?.clone());
        }
    }
    group(&mut rows, table)?;
    let id = |(batch, row): (u32, u32)| ids.get(batch as usize).map(|ids| ids.value(row as usize));
    rows.sort_unstable_by(|a, b| {
        let ties = || id(a.id).cmp(&id(b.id)).then(a.at.cmp(&b.at));
        (a.group, a.key, a.time)
            .cmp(&(b.group, b.key, b.time))
            .then_with(ties) as Ordering
    });
    let runs = if table == Table::Spans {
        runs(&rows)
    } else {
        HashMap::new()
    };
    Ok(Ordered {
        table,
        rows: rows.into_iter().map(|row| row.at).collect(),
        runs,
    })
}

fn runs(rows: &[Row]) -> HashMap<TraceKey, (u32, u32)> {
    let mut runs: HashMap<TraceKey, (u32, u32)> = HashMap::new();
    for (row, number) in rows.iter().zip(0..) {
        let (first, count) = runs.entry(row.key).or_insert((number, 0));
        assert_eq!(*first + *count, number, "the spans of a trace are one run");
        *count += 1;
    }
    runs
}

fn add_rows(
    rows: &mut Vec<Row>,
    batch_index: u32,
    source: usize,
    batch: &RecordBatch,
    time: &str,
) -> Result<()> {
    use arrow::array::AsArray;
    let (traces, starts) = (required_text(batch, "trace_id")?, times(batch, time)?);
    let numbers = batch
        .column_by_name("_row")
        .and_then(|a| a.as_primitive_opt::<arrow::datatypes::UInt32Type>());
    let numbers = numbers.ok_or_else(|| Error::internal("scan without row numbers"))?;
    for (offset, (trace, number)) in traces.iter().zip(numbers.values()).enumerate() {
        rows.push(Row {
            group: 0,
            key: TraceKey::of(trace),
            time: starts.value(offset),
            id: (batch_index, offset as u32),
            at: RowRef {
                source,
                row: *number,
            },
        });
    }
    Ok(())
}

/// Sets what rows are grouped by: the earliest time of their trace for spans, their own for traces.
fn group(rows: &mut [Row], table: Table) -> Result<()> {
    match table {
        Table::Spans => {
            let mut earliest: HashMap<TraceKey, i64> = HashMap::new();
            for row in rows.iter() {
                let start = earliest.entry(row.key).or_insert(row.time);
                *start = (*start).min(row.time);
            }
            for row in rows {
                let start = earliest.get(&row.key);
                row.group =
                    *start.ok_or_else(|| Error::internal("a trace without its earliest span"))?;
            }
        }
        Table::Traces => rows.iter_mut().for_each(|row| row.group = row.time),
        Table::Assessments => {}
    }
    Ok(())
}

/// Where the rows of one source went: new row number by old one.
pub(super) struct RowMap {
    new_rows: Vec<Option<u32>>,
}

impl RowMap {
    /// The map of one source of an order.
    pub fn of(ordered: &Ordered, source: usize, rows: u32) -> Self {
        let mut new_rows = vec![None; rows as usize];
        for (new, at) in (0u32..)
            .zip(&ordered.rows)
            .filter(|(_, at)| at.source == source)
        {
            assert!(at.row < rows, "ST-3: row {} of {rows} was ordered", at.row);
            if let Some(slot) = new_rows.get_mut(at.row as usize) {
                debug_assert!(slot.is_none(), "a row goes to one place");
                *slot = Some(new);
            }
        }
        Self { new_rows }
    }

    /// The new numbers of these rows, which a memtable masks: none of them was dropped.
    pub fn translate(&self, rows: &RoaringBitmap) -> RoaringBitmap {
        let moved: RoaringBitmap = rows
            .iter()
            .filter_map(|row| self.new_rows.get(row as usize).copied().flatten())
            .collect();
        assert_eq!(
            moved.len(),
            rows.len(),
            "ST-3: rows that only a memtable masks are kept"
        );
        moved
    }
}
