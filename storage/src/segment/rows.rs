//! Reads single rows of a segment: those of one trace, or the roots of some.
//!
//! A run of rows that was read stays in the cache with the columns that were asked for, so that the
//! next look at the same trace decodes nothing. What is not there is decoded row by row, past the
//! blocks that scans use: a block holds 4096 rows, a trace is a handful.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::{concat_batches, take_record_batch};
use roaring::RoaringBitmap;

use super::blocks::{BlockKey, Part};
use super::footer::TableFile;
use super::projection::Projection;
use super::reader::SegmentReader;
use crate::error::{Error, Result};
use crate::scan::ScanRequest;
use crate::schema::Table;

/// More rows than this are a scan.
const ROWS_MAX: u64 = 1024;

impl SegmentReader {
    /// These rows, masked or not, in physical order.
    ///
    /// # Errors
    /// As [`SegmentReader::scan`]; `Internal` for a row that does not exist.
    pub fn read_rows(
        &self,
        table: Table,
        rows: &RoaringBitmap,
        columns: &[&str],
    ) -> Result<RecordBatch> {
        let reads_heavy =
            table == Table::Spans && columns.iter().any(|column| table.is_heavy(column));
        let runs = runs(rows);
        // A page of search results is many runs of trace rows, mostly light: the blocks serve these better.
        if columns.is_empty() || rows.len() > ROWS_MAX || !(reads_heavy || runs.len() == 1) {
            return self.collect(table, rows, columns, true);
        }
        let file = self.table_file(table)?;
        let names: Arc<str> = columns.join(",").into();
        let mut pieces: Vec<(Range<u32>, Option<RecordBatch>)> = Vec::with_capacity(runs.len());
        for run in runs {
            let cached = file.cache().get(&key(&file, &names, &run));
            let batch = cached
                .as_ref()
                .and_then(|array| array.as_struct_opt())
                .map(RecordBatch::from);
            pieces.push((run, batch));
        }
        let absent = pieces
            .iter()
            .filter(|(_, batch)| batch.is_none())
            .flat_map(|(run, _)| run.clone());
        let absent: RoaringBitmap = absent.collect();
        if !absent.is_empty() {
            let read = self.collect(table, &absent, columns, false)?;
            for (run, piece) in pieces.iter_mut().filter(|(_, batch)| batch.is_none()) {
                let first = absent.rank(run.start).saturating_sub(1);
                let batch = copy(&read, first..first + u64::from(run.end - run.start))?;
                let array: ArrayRef = Arc::new(StructArray::from(batch.clone()));
                file.cache().insert(key(&file, &names, run), array);
                *piece = Some(batch);
            }
        }
        assert!(
            pieces.iter().all(|(_, batch)| batch.is_some()),
            "each run was kept or is read now"
        );
        let batches: Vec<RecordBatch> = pieces.into_iter().filter_map(|(_, batch)| batch).collect();
        together(table, columns, batches)
    }

    fn collect(
        &self,
        table: Table,
        rows: &RoaringBitmap,
        columns: &[&str],
        fills_cache: bool,
    ) -> Result<RecordBatch> {
        let request = ScanRequest {
            rows: Some(rows.clone()),
            ..ScanRequest::columns(columns.iter().copied())
        };
        let batches = self
            .scan_whole(table, &request, None, fills_cache)?
            .collect::<Result<Vec<_>>>()?;
        let read = together(table, columns, batches)?;
        if read.num_rows() as u64 == rows.len() {
            return Ok(read);
        }
        Err(Error::internal(format!(
            "{} rows of {} asked, {} read",
            rows.len(),
            table.name(),
            read.num_rows()
        )))
    }
}

fn together(table: Table, columns: &[&str], batches: Vec<RecordBatch>) -> Result<RecordBatch> {
    if let [batch] = batches.as_slice() {
        return Ok(batch.clone());
    }
    let names: Vec<String> = columns.iter().map(|column| (*column).to_string()).collect();
    Ok(concat_batches(
        Projection::new(table, &names)?.schema(),
        &batches,
    )?)
}

fn key(file: &TableFile, columns: &Arc<str>, run: &Range<u32>) -> BlockKey {
    let part = Part::Rows {
        columns: columns.clone(),
        rows: run.end - run.start,
    };
    BlockKey {
        file: file.number(),
        first_row: run.start,
        part,
    }
}

/// Rows of a batch with nothing shared, so that keeping them keeps nothing else.
fn copy(batch: &RecordBatch, rows: Range<u64>) -> Result<RecordBatch> {
    let taken = take_record_batch(batch, &arrow::array::UInt64Array::from_iter_values(rows))?;
    let columns = taken
        .columns()
        .iter()
        .map(|column| match column.as_string_view_opt() {
            Some(text) => Arc::new(text.gc()) as ArrayRef,
            None => column.clone(),
        });
    Ok(RecordBatch::try_new(taken.schema(), columns.collect())?)
}

/// Rows as runs of consecutive ones.
fn runs(rows: &RoaringBitmap) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    for row in rows {
        match runs.last_mut() {
            Some(run) if run.end == row => run.end += 1,
            _ => runs.push(row..row + 1),
        }
    }
    debug_assert_eq!(
        runs.iter().map(|run| run.len() as u64).sum::<u64>(),
        rows.len(),
        "each row is in one run"
    );
    runs
}
