//! From column names to positions in the stored schema, and from arrays back to a batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::error::{Error, Result};
use crate::scan::STORED_ATTRIBUTES;
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
    /// Positions in the stored schema; `None` is the row number.
    columns: Vec<Option<usize>>,
    schema: SchemaRef,
}

impl Projection {
    /// The columns called `names`, in their order.
    ///
    /// # Errors
    /// `InvalidInput` naming the first column that the table does not have.
    pub(super) fn new(table: Table, names: &[String]) -> Result<Self> {
        let stored = table.schema();
        let mut columns = Vec::with_capacity(names.len());
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            if name == ROW_COLUMN {
                columns.push(None);
                fields.push(Arc::new(Field::new(ROW_COLUMN, DataType::UInt32, false)));
                continue;
            }
            let own = if name == STORED_ATTRIBUTES {
                "attributes"
            } else {
                name
            };
            let (root, field) = stored
                .fields()
                .find(own)
                .ok_or_else(|| unknown_column(table, name))?;
            columns.push(Some(root));
            fields.push(Arc::new(field.as_ref().clone().with_name(name)));
        }
        Ok(Self {
            columns,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// The columns as asked.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Positions of the stored columns, in the asked order.
    pub(super) fn roots(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().flatten().copied()
    }

    /// A batch of `row_count` rows; `array` gives the column at a position, or the row numbers.
    pub(super) fn assemble(
        &self,
        row_count: usize,
        mut array: impl FnMut(Option<usize>) -> Result<ArrayRef>,
    ) -> Result<RecordBatch> {
        let columns = self
            .columns
            .iter()
            .map(|column| array(*column))
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(row_count));
        Ok(RecordBatch::try_new_with_options(
            self.schema.clone(),
            columns,
            &options,
        )?)
    }
}

/// The error for a column name that `table` does not have.
pub(super) fn unknown_column(table: Table, name: &str) -> Error {
    Error::invalid_input(format!("table {} has no column {name:?}", table.name()))
}

/// A column without large unused text buffers.
pub(super) fn compact(column: ArrayRef) -> ArrayRef {
    let Some(text) = column.as_string_view_opt() else {
        return column;
    };
    let held: usize = text.data_buffers().iter().map(|buffer| buffer.len()).sum();
    if held < BUFFER_BYTES_MIN || held / BUFFER_WASTE_MAX < text.total_buffer_bytes_used() {
        return column;
    }
    Arc::new(text.gc())
}
