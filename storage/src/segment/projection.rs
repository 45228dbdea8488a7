//! From column names to what parquet reads, and from what it gives back to the columns asked for.
//!
//! Parquet gives columns in file order with the row number last; a projection puts them in the
//! asked order and makes row numbers `UInt32`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use parquet::arrow::ProjectionMask;
use parquet::schema::types::SchemaDescriptor;

use crate::error::{Error, Result};
use crate::schema::Table;

/// The column of physical row numbers.
pub(super) const ROW_COLUMN: &str = "_row";

/// Text buffers this many times larger than the text in use are copied, so that a few rows of a
/// result do not hold whole pages in memory.
const BUFFER_WASTE_MAX: usize = 4;

/// Buffers below this are never copied.
const BUFFER_BYTES_MIN: usize = 64 << 10;

/// Columns of a table in an asked order.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    /// Positions in the stored schema; the row number has none.
    roots: Vec<usize>,
    schema: SchemaRef,
}

impl Projection {
    /// The columns called `names`, in their order.
    ///
    /// # Errors
    /// `InvalidInput` naming the first column that the table does not have.
    pub(super) fn new(table: Table, names: &[String]) -> Result<Self> {
        let stored = table.schema();
        let mut roots = Vec::with_capacity(names.len());
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            if name == ROW_COLUMN {
                fields.push(Arc::new(Field::new(ROW_COLUMN, DataType::UInt32, false)));
                continue;
            }
            let (root, field) = stored.fields().find(name).ok_or_else(|| unknown_column(table, name))?;
            roots.push(root);
            fields.push(field.clone());
        }
        Ok(Self { roots, schema: Arc::new(Schema::new(fields)) })
    }

    /// Whether a batch must come with row numbers: asked for, or the only thing that carries the
    /// number of rows.
    pub(super) fn needs_row_number(&self) -> bool {
        self.roots.len() < self.schema.fields().len() || self.roots.is_empty()
    }

    /// What parquet has to read.
    pub(super) fn mask(&self, schema: &SchemaDescriptor) -> ProjectionMask {
        ProjectionMask::roots(schema, self.roots.iter().copied())
    }

    /// The asked columns of a batch that parquet read; with `compact`, without large unused buffers.
    pub(super) fn apply(&self, batch: &RecordBatch, compact: bool) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let column = batch
                .column_by_name(field.name())
                .ok_or_else(|| Error::internal(format!("column {} was not read", field.name())))?;
            columns.push(match column.data_type() {
                DataType::Int64 if field.name() == ROW_COLUMN => row_numbers(column)?,
                DataType::Utf8View if compact => compact_text(column),
                _ => column.clone(),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

/// The error for a column name that `table` does not have.
pub(super) fn unknown_column(table: Table, name: &str) -> Error {
    Error::invalid_input(format!("table {} has no column {name:?}", table.name()))
}

fn row_numbers(column: &ArrayRef) -> Result<ArrayRef> {
    let numbers: UInt32Array = column.as_primitive::<Int64Type>().try_unary(|row| {
        u32::try_from(row).map_err(|_| Error::internal(format!("row number {row} is out of range")))
    })?;
    Ok(Arc::new(numbers))
}

fn compact_text(column: &ArrayRef) -> ArrayRef {
    let text = column.as_string_view();
    let held: usize = text.data_buffers().iter().map(|buffer| buffer.len()).sum();
    if held < BUFFER_BYTES_MIN || held / BUFFER_WASTE_MAX < text.total_buffer_bytes_used() {
        return column.clone();
    }
    Arc::new(text.gc())
}
