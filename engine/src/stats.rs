//! Figures of a database, for `stats`.

use arrow::compute::{max, min};
use serde::{Deserialize, Serialize};
use tracehouse_storage::columns::{text, times};
use tracehouse_storage::join::UNKNOWN_PARENT;
use tracehouse_storage::scan::{ScanRequest, Zone};
use tracehouse_storage::schema::Table;
use tracehouse_storage::store::FORMAT_VERSION;
use tracehouse_storage::{Snapshot, Store};

use crate::catalog;
use crate::error::Result;

/// What a database holds and uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Visible traces.
    pub traces: u64,
    /// Visible spans.
    pub spans: u64,
    /// Spans among them that are not there, but log records of them are.
    pub awaited_spans: u64,
    /// Visible assessments.
    pub assessments: u64,
    /// Datasets.
    pub datasets: u64,
    /// Live segments.
    pub segments: usize,
    /// Bytes of all files.
    pub disk_bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Bytes of rows held in memory.
    pub memtable_bytes: u64,
    /// Spans that a text index answers for; the others are scanned.
    pub indexed_spans: u64,
    /// Segments whose text index could not be built; the next open tries again.
    pub unindexable_segments: usize,
    /// Writes refused since the open after they had been logged, because older rows of their traces
    /// could not be read.
    pub refused_writes: u64,
    /// Spans dropped since the open because the disk could not keep up, as a setting allows.
    pub dropped_spans: u64,
    /// Bytes of decoded columns held in memory.
    pub cache_bytes: u64,
    /// Files of segments that are open.
    pub open_files: usize,
    /// Values that redaction replaced since the open, in whole or in part.
    pub redacted_values: u64,
    /// Texts among them that were replaced because a redaction callback failed on them.
    pub redaction_failures: u64,
    /// Earliest request, Unix nanoseconds.
    pub min_time_ns: Option<i64>,
    /// Latest request, Unix nanoseconds.
    pub max_time_ns: Option<i64>,
    /// Version of the on-disk format.
    pub format_version: u32,
    /// Why background maintenance last failed since the database was opened, if it did.
    pub maintenance_failure: Option<String>,
}

pub(crate) fn stats(
    store: &Store,
    maintenance_failure: Option<String>,
    (redacted_values, redaction_failures): (u64, u64),
) -> Result<Stats> {
    let snapshot = store.snapshot()?;
    let figures = store.stats()?;
    let (min_time_ns, max_time_ns) = time_range(&snapshot)?;
    Ok(Stats {
        traces: snapshot.visible_rows(Table::Traces),
        spans: snapshot.visible_rows(Table::Spans),
        awaited_spans: awaited_spans(&snapshot)?,
        assessments: snapshot.visible_rows(Table::Assessments),
        datasets: catalog::dataset_count(&snapshot)?,
        segments: figures.segments,
        disk_bytes: figures.disk_bytes,
        wal_bytes: figures.wal_bytes,
        memtable_bytes: figures.memtable_bytes,
        indexed_spans: figures.indexed_spans,
        unindexable_segments: figures.unindexable_segments,
        refused_writes: figures.refused_writes,
        dropped_spans: 0,
        cache_bytes: figures.cache_bytes,
        open_files: figures.open_files,
        redacted_values,
        redaction_failures,
        min_time_ns,
        max_time_ns,
        format_version: FORMAT_VERSION,
        maintenance_failure,
    })
}

/// Spans that others stand in for: pages without one are not read.
fn awaited_spans(snapshot: &Snapshot) -> Result<u64> {
    const COLUMN: &str = "parent_span_id";
    let values = vec![UNKNOWN_PARENT.to_string()];
    let zones = vec![Zone::Text {
        column: COLUMN.to_string(),
        values,
    }];
    let request = ScanRequest {
        zones,
        ..ScanRequest::columns([COLUMN])
    };
    let mut count = 0;
    for source in 0..snapshot.source_count() {
        for batch in snapshot.scan(source, Table::Spans, &request)? {
            let batch = batch?;
            let parents = text(&batch, COLUMN)?;
            count += parents
                .iter()
                .filter(|parent| *parent == Some(UNKNOWN_PARENT))
                .count() as u64;
        }
    }
    Ok(count)
}

/// Earliest and latest request of the visible traces: one light column.
fn time_range(snapshot: &Snapshot) -> Result<(Option<i64>, Option<i64>)> {
    let (mut first, mut last): (Option<i64>, Option<i64>) = (None, None);
    for source in 0..snapshot.source_count() {
        for batch in snapshot.scan(
            source,
            Table::Traces,
            &ScanRequest::columns(["request_time"]),
        )? {
            let batch = batch?;
            let times = times(&batch, "request_time")?;
            first = first.into_iter().chain(min(times)).min();
            last = last.into_iter().chain(max(times)).max();
        }
    }
    Ok((first, last))
}
