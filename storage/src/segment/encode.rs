//! Encodes the columns of one row group, several columns at a time.
//!
//! Columns are independent of each other in Parquet, so each slice of rows is a list of jobs, one
//! per column, that a few scoped threads take from the front; heavy columns come first, so that the
//! last job is a short one. The bytes do not depend on the number of threads.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::{FieldRef, Fields};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;

use crate::parallel::{Panicked, parallel_map};

/// Below this, starting a thread costs more than it saves.
const PARALLEL_ROWS_MIN: usize = 512;

/// A row group being encoded.
pub(super) struct RowGroupEncoder {
    columns: Vec<ColumnEncoder>,
    rows: usize,
}

struct ColumnEncoder {
    field: FieldRef,
    heavy: bool,
    leaves: Vec<ArrowColumnWriter>,
}

struct Job<'a> {
    column: &'a mut ColumnEncoder,
    array: &'a ArrayRef,
}

impl RowGroupEncoder {
    /// `leaves` are the writers of all leaf columns of these fields, in schema order.
    pub(super) fn new(
        fields: &Fields,
        is_heavy: impl Fn(&str) -> bool,
        schema: &SchemaDescriptor,
        leaves: Vec<ArrowColumnWriter>,
    ) -> Self {
        let column = |field: &FieldRef| ColumnEncoder {
            field: field.clone(),
            heavy: is_heavy(field.name()),
            leaves: Vec::new(),
        };
        let mut columns: Vec<ColumnEncoder> = fields.iter().map(column).collect();
        debug_assert_eq!(
            leaves.len(),
            schema.num_columns(),
            "one writer per leaf column"
        );
        for (index, leaf) in leaves.into_iter().enumerate() {
            if let Some(column) = columns.get_mut(schema.get_column_root_idx(index)) {
                column.leaves.push(leaf);
            }
        }
        debug_assert!(
            columns.iter().all(|column| !column.leaves.is_empty()),
            "each column is written"
        );
        Self { columns, rows: 0 }
    }

    /// Rows encoded so far.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of what was encoded so far, estimated.
    pub(super) fn encoded_bytes(&self) -> usize {
        let leaves = self.columns.iter().flat_map(|column| &column.leaves);
        leaves
            .map(ArrowColumnWriter::get_estimated_total_bytes)
            .sum()
    }

    /// Encodes the rows of `batch` on up to `threads` threads.
    pub(super) fn write(&mut self, batch: &RecordBatch, threads: usize) -> ParquetResult<()> {
        debug_assert_eq!(
            batch.num_columns(),
            self.columns.len(),
            "the batch has the columns"
        );
        self.rows += batch.num_rows();
        let mut jobs: Vec<Job<'_>> = self
            .columns
            .iter_mut()
            .zip(batch.columns())
            .map(|(column, array)| Job { column, array })
            .collect();
        if threads <= 1 || batch.num_rows() < PARALLEL_ROWS_MIN {
            return jobs.into_iter().try_for_each(Job::run);
        }
        jobs.sort_by_key(|job| !job.column.heavy);
        let jobs: Vec<Mutex<Option<Job<'_>>>> =
            jobs.into_iter().map(|job| Mutex::new(Some(job))).collect();
        let run = |job: &Mutex<Option<Job<'_>>>| {
            job.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
                .map_or(Ok(()), Job::run)
        };
        parallel_map(&jobs, threads, run).map(drop)
    }

    /// Ends the columns and appends them to a file as a row group.
    pub(super) fn append_to<W: Write + Send>(
        self,
        file: &mut SerializedFileWriter<W>,
    ) -> ParquetResult<()> {
        assert!(self.rows > 0, "a row group has rows");
        let leaves = self.columns.into_iter().flat_map(|column| column.leaves);
        let chunks: Vec<_> = leaves
            .map(ArrowColumnWriter::close)
            .collect::<ParquetResult<_>>()?;
        let mut group = file.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close().map(|_| ())
    }
}

impl Job<'_> {
    fn run(self) -> ParquetResult<()> {
        let leaves = compute_leaves(&self.column.field, self.array)?;
        debug_assert_eq!(
            leaves.len(),
            self.column.leaves.len(),
            "one writer per leaf of the column"
        );
        for (writer, leaf) in self.column.leaves.iter_mut().zip(&leaves) {
            writer.write(leaf)?;
        }
        Ok(())
    }
}

impl From<Panicked> for ParquetError {
    fn from(_: Panicked) -> Self {
        ParquetError::General("encoder panicked".into())
    }
}
