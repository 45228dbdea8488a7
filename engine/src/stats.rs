//! Figures of a database, for `stats` and for the SQL functions `segments()` and `settings()`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};
use tracehouse_storage::columns::{text, times};
use tracehouse_storage::join::UNKNOWN_PARENT;
use tracehouse_storage::scan::{ScanRequest, Zone};
use tracehouse_storage::schema::{Table, timestamp};
use tracehouse_storage::store::FORMAT_VERSION;
use tracehouse_storage::{Snapshot, Store};

use crate::catalog;
use crate::error::Result;
use crate::redact::Redaction;
use crate::settings::Settings;

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
    let zones = vec![Zone::Text { column: COLUMN.to_string(), values }];
    let request = ScanRequest { zones, ..ScanRequest::columns([COLUMN]) };
    let mut count = 0;
    for source in 0..snapshot.source_count() {
        for batch in snapshot.scan(source, Table::Spans, &request)? {
            let batch = batch?;
            let parents = text(&batch, COLUMN)?;
            count += parents.iter().filter(|parent| *parent == Some(UNKNOWN_PARENT)).count() as u64;
        }
    }
    Ok(count)
}

/// Earliest and latest request of the visible traces: one light column.
fn time_range(snapshot: &Snapshot) -> Result<(Option<i64>, Option<i64>)> {
    let (mut first, mut last): (Option<i64>, Option<i64>) = (None, None);
    for source in 0..snapshot.source_count() {
        for batch in snapshot.scan(source, Table::Traces, &ScanRequest::columns(["request_time"]))? {
            let batch = batch?;
            let times = times(&batch, "request_time")?;
            first = first.into_iter().chain(min(times)).min();
            last = last.into_iter().chain(max(times)).max();
        }
    }
    Ok((first, last))
}

/// Rows of `segments()`: every source, the rows still in memory included.
pub(crate) fn segments_batch(snapshot: &Snapshot) -> Result<RecordBatch> {
    let sources = snapshot.sources();
    let id = sources.iter().map(|source| match source.segment() {
        Some(segment) => segment.id().to_string(),
        None => "memtable".to_string(),
    });
    let count = |table: Table| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(sources.iter().map(|source| source.visible_rows(table) as i64)))
    };
    let bytes = sources.iter().map(|source| {
        source.segment().map(|segment| segment.meta().files.iter().map(|file| file.len as i64).sum::<i64>())
    });
    let time = |pick: fn((i64, i64)) -> i64| -> ArrayRef {
        let values = sources.iter().map(|source| source.time_range().map(pick));
        Arc::new(TimestampNanosecondArray::from_iter(values).with_timezone("UTC"))
    };
    let fields = vec![
        Field::new("segment_id", DataType::Utf8View, false),
        Field::new("spans", DataType::Int64, false),
        Field::new("traces", DataType::Int64, false),
        Field::new("assessments", DataType::Int64, false),
        Field::new("bytes", DataType::Int64, true),
        Field::new("min_time", timestamp(), true),
        Field::new("max_time", timestamp(), true),
        Field::new("text_indexed", DataType::Boolean, false),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringViewArray::from_iter_values(id)),
        count(Table::Spans),
        count(Table::Traces),
        count(Table::Assessments),
        Arc::new(Int64Array::from_iter(bytes)),
        time(|(min, _)| min),
        time(|(_, max)| max),
        Arc::new(BooleanArray::from_iter(sources.iter().map(|source| Some(source.text().is_some())))),
    ];
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Rows of `settings()`.
pub(crate) fn settings_batch(settings: &Settings, redaction: &Redaction) -> Result<RecordBatch> {
    let mut rows = settings.rows();
    rows.push(("redaction", redaction.to_string()));
    let fields =
        vec![Field::new("name", DataType::Utf8View, false), Field::new("value", DataType::Utf8View, false)];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|(name, _)| name))),
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|(_, value)| value))),
    ];
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
