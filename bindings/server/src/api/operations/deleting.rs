//! Operations that take traces away for good.

use serde::Deserialize;
use tracehouse::{Database, EraseReceipt, TraceDeletion};

use crate::error::ApiError;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traces {
    trace_ids: Vec<String>,
}

/// Deletes traces; how many there were.
pub(super) fn delete_traces(db: &Database, given: Traces) -> Result<u64, ApiError> {
    Ok(db.delete_traces(&given.trace_ids)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Where {
    /// Every trace is not deleted by an omission.
    filter: String,
    until_ms: Option<i64>,
    max_traces: Option<usize>,
    experiments: Option<Vec<String>>,
}

/// Deletes the traces that match; how many there were.
pub(super) fn delete_where(db: &Database, given: Where) -> Result<u64, ApiError> {
    let mut deletion = TraceDeletion::matching(given.filter);
    deletion.until_ms = given.until_ms;
    deletion.max_traces = given.max_traces;
    deletion.experiments = given.experiments;
    Ok(db.delete_traces_where(&deletion)?)
}

/// Erases traces: their bytes are gone when this returns.
pub(super) fn erase_traces(db: &Database, given: Traces) -> Result<EraseReceipt, ApiError> {
    let receipt = db.erase_traces(&given.trace_ids)?;
    db.index_text()?;
    Ok(receipt)
}
