//! Streams the rows of one table's file: one Parquet reader per row group, opened when the stream
//! gets there, so that a reader who stops early has not decoded the rest.

use arrow::array::BooleanArray;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowFilter as ParquetRowFilter,
};
use roaring::RoaringBitmap;
use std::sync::Arc;

use super::file::{Failure, FileInput};
use super::footer::TableFile;
use super::projection::Projection;
use super::selection::{GroupSelection, select_group};
use crate::error::{Error, Result};
use crate::scan::{RowFilter, RowPredicate};

/// A condition with its columns resolved.
#[derive(Clone)]
pub(super) struct ScanFilter {
    projection: Projection,
    keep: RowPredicate,
}

impl ScanFilter {
    /// # Errors
    /// `InvalidInput` naming a column that the table does not have.
    pub(super) fn new(table: crate::schema::Table, filter: &RowFilter) -> Result<Self> {
        Ok(Self { projection: Projection::new(table, &filter.columns)?, keep: filter.keep.clone() })
    }

    pub(super) fn needs_row_number(&self) -> bool {
        self.projection.needs_row_number()
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let batch = self.projection.apply(batch, false)?;
        let keep = (self.keep)(&batch)?;
        if keep.len() != batch.num_rows() {
            return Err(Error::internal(format!(
                "a filter answered {} rows of {}",
                keep.len(),
                batch.num_rows()
            )));
        }
        Ok(keep)
    }
}

/// The batches of one scan.
pub(super) struct SegmentScan {
    pub(super) file: Arc<TableFile>,
    pub(super) input: FileInput,
    pub(super) projection: Projection,
    pub(super) filters: Vec<ScanFilter>,
    /// `None` when every row is wanted.
    pub(super) wanted: Option<RoaringBitmap>,
    pub(super) batch_rows: usize,
    /// Whether any column of projection or filters is the row number.
    pub(super) numbered: bool,
    pub(super) next_group: usize,
    pub(super) current: Option<ParquetRecordBatchReader>,
}

impl SegmentScan {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(reader) = &mut self.current {
                match reader.next() {
                    Some(Ok(batch)) if batch.num_rows() == 0 => continue,
                    Some(Ok(batch)) => {
                        let compact = self.wanted.is_some() || !self.filters.is_empty();
                        return self.projection.apply(&batch, compact).map(Some);
                    }
                    Some(Err(source)) => return Err(self.input.failure.explain(&self.input.name, source)),
                    None => self.current = None,
                }
            }
            if self.next_group >= self.file.group_count() {
                return Ok(None);
            }
            self.current = self.open_group(self.next_group)?;
            self.next_group += 1;
        }
    }

    /// A reader of a row group's wanted rows, its filters evaluated; `None` when it has none.
    fn open_group(&self, group: usize) -> Result<Option<ParquetRecordBatchReader>> {
        let (start, end) = self.file.group_rows(group);
        let (selection, row_count) = match &self.wanted {
            None => (None, (end - start) as usize),
            Some(wanted) => match select_group(wanted, start, end) {
                GroupSelection::Nothing => return Ok(None),
                GroupSelection::Everything => (None, (end - start) as usize),
                GroupSelection::Rows(selection, count) => (Some(selection), count),
            },
        };
        let metadata = self.file.reader_metadata(self.numbered);
        let mask = self.projection.mask(metadata.parquet_schema());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.input.clone(), metadata)
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(self.batch_rows.min(row_count));
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        if !self.filters.is_empty() {
            builder = builder.with_row_filter(self.parquet_filter());
        }
        builder.build().map(Some).map_err(|source| self.input.failure.explain(&self.input.name, source))
    }

    fn parquet_filter(&self) -> ParquetRowFilter {
        let schema = self.file.metadata().file_metadata().schema_descr();
        let mut predicates: Vec<Box<dyn ArrowPredicate>> = Vec::with_capacity(self.filters.len());
        for filter in &self.filters {
            let failure = self.input.failure.clone();
            let filter = filter.clone();
            let mask = filter.projection.mask(schema);
            let evaluate =
                move |batch: RecordBatch| filter.evaluate(&batch).map_err(|e| keep_error(&failure, e));
            predicates.push(Box::new(ArrowPredicateFn::new(mask, evaluate)));
        }
        ParquetRowFilter::new(predicates)
    }
}

fn keep_error(failure: &Failure, error: Error) -> ArrowError {
    let message = error.to_string();
    failure.set(error);
    ArrowError::ComputeError(message)
}

impl Iterator for SegmentScan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_batch().transpose();
        if matches!(next, Some(Err(_))) {
            self.current = None;
            self.next_group = self.file.group_count();
        }
        next
    }
}
