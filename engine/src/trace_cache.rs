//! Trace rows that were read lately. Results are mostly asked for again (the next look at a list, the
//! same page after a refresh), and putting a row together touches every column of its segment.
//!
//! **Invariant** QU-1: only rows of segments are kept, under the segment's name and their number. Segments
//! never change and their names are never used again, so what is kept is never out of date.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use tracehouse_storage::columns::trace_at;
use tracehouse_storage::manifest::SegmentId;
use tracehouse_storage::model::TraceRow;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{RowRef, Snapshot};

use crate::error::{Error, Result};

/// Rows kept: a few megabytes.
const ROWS_KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

#[derive(Debug)]
pub(crate) struct TraceCache {
    rows: Mutex<LruCache<(SegmentId, u32), Arc<TraceRow>>>,
}

impl Default for TraceCache {
    fn default() -> Self {
        Self { rows: Mutex::new(LruCache::new(ROWS_KEPT)) }
    }
}

impl TraceCache {
    fn rows(&self) -> MutexGuard<'_, LruCache<(SegmentId, u32), Arc<TraceRow>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These rows of `traces`, in order.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn read(&self, snapshot: &Snapshot, rows: &[RowRef]) -> Result<Vec<TraceRow>> {
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let segment = snapshot.source(row.source)?.segment().map(|segment| (segment.id(), row.row));
            let kept = segment.and_then(|key| self.rows().get(&key).cloned());
            found.push((segment, kept));
        }
        let absent = rows.iter().zip(&found).filter(|(_, (_, kept))| kept.is_none()).map(|(row, _)| *row);
        let mut read = trace_rows(snapshot, &absent.collect::<Vec<_>>())?.into_iter();
        let mut traces = Vec::with_capacity(rows.len());
        for (segment, kept) in found {
            if let Some(kept) = kept {
                traces.push(kept.as_ref().clone());
                continue;
            }
            let trace = read.next().ok_or_else(|| Error::internal("a trace without a row"))?;
            if let Some(key) = segment {
                self.rows().put(key, Arc::new(trace.clone()));
            }
            traces.push(trace);
        }
        Ok(traces)
    }
}

/// These rows of `traces`, in order, read anew.
pub(crate) fn trace_rows(snapshot: &Snapshot, rows: &[RowRef]) -> Result<Vec<TraceRow>> {
    let mut traces = Vec::with_capacity(rows.len());
    snapshot.each_row(Table::Traces, rows, &Table::Traces.columns(), |batch, row| {
        traces.push(trace_at(batch, row)?);
        Ok(())
    })?;
    Ok(traces)
}
