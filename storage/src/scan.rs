//! What a reader asks of one source of rows: columns, rows, a filter, what may be skipped.
//!
//! A *source* is a memtable or a segment; a scan of either gives the same rows (QU-1). The filter
//! is evaluated on its own columns first, the remaining columns are read for survivors (QU-4).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::BooleanArray;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use serde::Serialize;

use crate::error::Result;

pub use crate::packed::STORED_ATTRIBUTES;

/// Rows per batch unless a request says otherwise.
pub const BATCH_ROWS: usize = 8192;

/// Evaluates a condition on a batch of the filter's columns.
pub type RowPredicate = Arc<dyn Fn(&RecordBatch) -> Result<BooleanArray> + Send + Sync>;

/// A condition on rows and the columns it needs. NULL results drop the row.
#[derive(Clone)]
pub struct RowFilter {
    /// Columns the batch given to `keep` has, in this order.
    pub columns: Vec<String>,
    /// One boolean per row of the batch.
    pub keep: RowPredicate,
}

impl fmt::Debug for RowFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowFilter")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// A bound on one column that lets a source skip row groups and pages whose statistics lie outside
/// it. Bounds are inclusive; skipping may keep too much, never too little (QU-2).
#[derive(Debug, Clone, PartialEq)]
pub enum Zone {
    /// An Int64 or timestamp column (timestamps in Unix nanoseconds).
    Int {
        /// Column name.
        column: String,
        /// Smallest value wanted.
        min: i64,
        /// Largest value wanted.
        max: i64,
    },
    /// A text column that must equal one of these.
    Text {
        /// Column name.
        column: String,
        /// Values wanted.
        values: Vec<String>,
    },
}

/// A request to scan one source.
#[derive(Debug, Clone, Default)]
pub struct ScanRequest {
    /// Columns of the result, in order; `_row` gives the physical row number (`UInt32`).
    pub columns: Vec<String>,
    /// Only these physical rows; `None` means all. Superseded and deleted rows are always left out.
    pub rows: Option<RoaringBitmap>,
    /// Keep only rows for which all of these hold; evaluated in order.
    pub filters: Vec<RowFilter>,
    /// How many of the first filters may be asked about rows that are not among `rows`, too: they have an answer for
    /// any row, and asking costs less than copying out the rows that are wanted.
    pub total_filters: usize,
    /// What may be skipped.
    pub zones: Vec<Zone>,
    /// Rows per batch; 0 means [`BATCH_ROWS`].
    pub batch_rows: usize,
    /// Where what the scan does is counted, if anywhere.
    pub counters: Option<Arc<ScanCounters>>,
}

impl ScanRequest {
    /// All rows of these columns.
    pub fn columns<I: IntoIterator<Item = S>, S: Into<String>>(columns: I) -> Self {
        Self {
            columns: columns.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// Adds up what scans do, for those who want to know: scans of several threads may count into one.
#[derive(Debug, Default)]
pub struct ScanCounters {
    rows: AtomicU64,
    cached_blocks: AtomicU64,
    decoded_blocks: AtomicU64,
    decoded_bytes: AtomicU64,
}

/// What scans have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScanFigures {
    /// Rows that were looked at.
    pub rows: u64,
    /// Pieces of columns that were in memory.
    pub cached_blocks: u64,
    /// Pieces of columns that were decoded from a file.
    pub decoded_blocks: u64,
    /// Size in memory of the pieces that were decoded.
    pub decoded_bytes: u64,
}

impl ScanCounters {
    pub(crate) fn add(&self, figures: ScanFigures) {
        let ScanFigures {
            rows,
            cached_blocks,
            decoded_blocks,
            decoded_bytes,
        } = figures;
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.cached_blocks
            .fetch_add(cached_blocks, Ordering::Relaxed);
        self.decoded_blocks
            .fetch_add(decoded_blocks, Ordering::Relaxed);
        self.decoded_bytes
            .fetch_add(decoded_bytes, Ordering::Relaxed);
    }

    /// What was counted since this was last asked.
    pub fn take(&self) -> ScanFigures {
        ScanFigures {
            rows: self.rows.swap(0, Ordering::Relaxed),
            cached_blocks: self.cached_blocks.swap(0, Ordering::Relaxed),
            decoded_blocks: self.decoded_blocks.swap(0, Ordering::Relaxed),
            decoded_bytes: self.decoded_bytes.swap(0, Ordering::Relaxed),
        }
    }
}

/// The batches of one scan, in physical row order.
pub type RowStream = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;
