//! A snapshot over batches in memory, for the tests of this folder: the calls that `source` makes,
//! with the meaning that storage gives them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::{RowStream, ScanRequest};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Error, Result};

/// Batches of the public schema of each table, one per source.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub sources: Arc<Vec<Source>>,
}

#[derive(Debug, Default)]
pub struct Source {
    pub spans: Option<RecordBatch>,
    pub traces: Option<RecordBatch>,
    pub assessments: Option<RecordBatch>,
    pub time_range: Option<(i64, i64)>,
    /// Batches that scans of this source have produced.
    pub reads: std::sync::atomic::AtomicUsize,
}

pub struct RowRef {
    pub source: usize,
    pub row: u32,
}

impl Source {
    fn batch(&self, table: Table) -> Option<&RecordBatch> {
        match table {
            Table::Spans => self.spans.as_ref(),
            Table::Traces => self.traces.as_ref(),
            Table::Assessments => self.assessments.as_ref(),
        }
    }

    pub fn rows(&self, table: Table) -> u32 {
        self.batch(table).map_or(0, |batch| batch.num_rows() as u32)
    }

    pub fn visible_rows(&self, table: Table) -> u64 {
        u64::from(self.rows(table))
    }

    pub fn time_range(&self) -> Option<(i64, i64)> {
        self.time_range
    }
}

impl Snapshot {
    pub fn source_count(&self) -> usize {
        self.sources.len()
    }

    pub fn source(&self, i: usize) -> &Source {
        &self.sources[i]
    }

    pub fn visible_rows(&self, table: Table) -> u64 {
        self.sources.iter().map(|source| source.visible_rows(table)).sum()
    }

    pub fn span_rows(&self, key: TraceKey) -> Result<Vec<(usize, RoaringBitmap)>> {
        let rows_of = |source: &Source| rows_of_trace(source.batch(Table::Spans), key);
        Ok(self.sources.iter().map(rows_of).enumerate().collect())
    }

    pub fn find_trace(&self, key: TraceKey) -> Result<Option<RowRef>> {
        for (source, of) in self.sources.iter().enumerate() {
            if let Some(row) = rows_of_trace(of.batch(Table::Traces), key).min() {
                return Ok(Some(RowRef { source, row }));
            }
        }
        Ok(None)
    }

    pub fn scan(&self, source: usize, table: Table, request: &ScanRequest) -> Result<RowStream> {
        let source = &self.sources[source];
        let Some(all) = source.batch(table) else {
            return Ok(Box::new(std::iter::empty()));
        };
        let size = if request.batch_rows == 0 { 8192 } else { request.batch_rows };
        let mut batches = Vec::new();
        for first in (0..all.num_rows()).step_by(size) {
            source.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let rows = size.min(all.num_rows() - first);
            batches.push(read(&all.slice(first, rows), first as u32, request));
        }
        Ok(Box::new(batches.into_iter()))
    }
}

fn rows_of_trace(batch: Option<&RecordBatch>, key: TraceKey) -> RoaringBitmap {
    let Some(batch) = batch else { return RoaringBitmap::new() };
    let ids = batch.column_by_name("trace_id").unwrap().as_string_view();
    (0..ids.len() as u32).filter(|&row| TraceKey::of(ids.value(row as usize)) == key).collect()
}

fn read(batch: &RecordBatch, first_row: u32, request: &ScanRequest) -> Result<RecordBatch> {
    let rows: UInt32Array = (first_row..first_row + batch.num_rows() as u32).collect();
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().to_vec();
    let mut columns = batch.columns().to_vec();
    if let Some(wanted) = &request.rows {
        let keep: BooleanArray = rows.values().iter().map(|row| Some(wanted.contains(*row))).collect();
        columns = columns.iter().map(|column| arrow::compute::filter(column, &keep).unwrap()).collect();
        columns.push(arrow::compute::filter(&rows, &keep)?);
    } else {
        columns.push(Arc::new(rows));
    }
    fields.push(Arc::new(Field::new("_row", DataType::UInt32, false)));
    let mut batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    for filter in &request.filters {
        let keep = (filter.keep)(&project(&batch, &filter.columns)?)?;
        batch = filter_record_batch(&batch, &keep)?;
    }
    project(&batch, &request.columns)
}

fn project(batch: &RecordBatch, names: &[String]) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut indices = Vec::new();
    for name in names {
        indices.push(schema.index_of(name).map_err(|_| Error::internal(format!("no column {name}")))?);
    }
    Ok(batch.project(&indices)?)
}

/// The same rows in another order, for tests of several sources.
#[allow(dead_code)]
pub(crate) fn taken(batch: &RecordBatch, rows: &[u32]) -> RecordBatch {
    let rows = UInt32Array::from(rows.to_vec());
    let columns: Vec<ArrayRef> =
        batch.columns().iter().map(|column| take(column, &rows, None).unwrap()).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options).unwrap()
}
