//! Rows of Arrow batches as values of a program's own types, by serde; see `row_values` for how they are read.

use arrow::record_batch::RecordBatch;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::row_values::Row;

/// The rows of a batch as values of a type, as [`Database::sql_rows`](crate::Database::sql_rows) has them: for
/// [`Database::sql_stream`](crate::Database::sql_stream) and other sources of batches.
///
/// # Errors
/// `InvalidInput` naming the column that does not fit the type.
pub fn batch_rows<T: DeserializeOwned>(batch: &RecordBatch) -> Result<Vec<T>> {
    (0..batch.num_rows()).map(|at| row(batch, at)).collect()
}

pub(crate) fn row<T: DeserializeOwned>(batch: &RecordBatch, row: usize) -> Result<T> {
    T::deserialize(Row::of(batch, row)).map_err(|misfit| {
        Error::invalid_input(format!(
            "a row does not fit the type that was asked for: {misfit}"
        ))
    })
}
