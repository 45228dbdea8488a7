//! What of single traces a caller may see: a trace of another experiment is not there for him.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use tracehouse::{Database, Table};

use crate::access::Caller;
use crate::error::{ApiError, quoted};

/// What a caller may see.
#[derive(Debug, Clone)]
pub(super) struct Sight(Arc<Caller>);

impl Sight {
    pub(super) fn of(caller: &Arc<Caller>) -> Self {
        Self(Arc::clone(caller))
    }

    /// The row of a trace.
    ///
    /// # Errors
    /// 404 when there is no such trace for the caller.
    pub(super) fn trace(&self, db: &Database, trace_id: &str) -> Result<RecordBatch, ApiError> {
        let row = db.trace_rows(Table::Traces, trace_id)?;
        let experiments = texts(&row, "experiment_id")?;
        let is_seen = |id: &String| self.0.check_experiment(id).is_ok();
        match experiments.first().is_some_and(is_seen) {
            true => Ok(row),
            false => Err(ApiError::not_found(format!(
                "trace {} not found",
                quoted(trace_id)
            ))),
        }
    }
}

/// The texts of a column; NULL is an empty one.
///
/// # Errors
/// `Internal` when there is no such column of texts.
pub(super) fn texts(batch: &RecordBatch, name: &str) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::internal(format!("no texts {name} among the columns"));
    let column = batch.column_by_name(name).ok_or_else(wrong)?;
    let column = cast(column, &DataType::Utf8).map_err(|_| wrong())?;
    let texts = column.as_string_opt::<i32>().ok_or_else(wrong)?;
    Ok(texts
        .iter()
        .map(|text| text.unwrap_or_default().to_string())
        .collect())
}
