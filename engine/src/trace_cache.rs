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
        Self {
            rows: Mutex::new(LruCache::new(ROWS_KEPT)),
        }
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
    pub fn read(&self, snapshot: &Snapshot, rows: &[RowRef]) -> Result<Vec<Arc<TraceRow>>> {
        let segments: Vec<Option<SegmentId>> = snapshot
            .sources()
            .iter()
            .map(|source| source.segment().map(|segment| segment.id()))
            .collect();
        let key = |row: &RowRef| Some((segments.get(row.source).copied().flatten()?, row.row));
        let mut kept = self.rows();
        let mut found: Vec<Option<Arc<TraceRow>>> = rows
            .iter()
            .map(|row| key(row).and_then(|key| kept.get(&key).cloned()))
            .collect();
        drop(kept);
        let absent = rows
            .iter()
            .zip(&found)
            .filter(|(_, kept)| kept.is_none())
            .map(|(row, _)| *row);
        let absent: Vec<RowRef> = absent.collect();
        if !absent.is_empty() {
            let mut read = trace_rows(snapshot, &absent)?.into_iter().map(Arc::new);
            let mut kept = self.rows();
            for (row, found) in rows
                .iter()
                .zip(&mut found)
                .filter(|(_, found)| found.is_none())
            {
                let trace = read
                    .next()
                    .ok_or_else(|| Error::internal("a trace without a row"))?;
                if let Some(key) = key(row) {
                    kept.put(key, trace.clone());
                }
                *found = Some(trace);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// These rows of `traces`, in order, read anew.
pub(crate) fn trace_rows(snapshot: &Snapshot, rows: &[RowRef]) -> Result<Vec<TraceRow>> {
    let mut traces = Vec::with_capacity(rows.len());
    snapshot.each_row(
        Table::Traces,
        rows,
        &Table::Traces.columns(),
        |batch, row| {
            traces.push(trace_at(batch, row)?);
            Ok(())
        },
    )?;
    Ok(traces)
}
