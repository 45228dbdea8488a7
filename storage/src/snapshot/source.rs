//! A source of rows, a memtable or a segment, with the rows that newer sources mask in it.
//!
//! Everything above reads sources through this type, so that an answer cannot depend on where a row
//! happens to be (QU-1).

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use roaring::RoaringBitmap;

use super::segment::{Segment, Waiting};
use super::trace_runs::TraceRuns;
use crate::columns::{text, text_at, times, value_at, waits_for_root};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::IndexKind;
use crate::memtable::{MemView, SourceId};
use crate::model::{IN_PROGRESS, TraceKey};
use crate::scan::{RowFilter, RowStream, ScanRequest};
use crate::schema::Table;
use crate::segment::file_name;
use crate::text::TextReader;

/// Where a source's rows are.
#[derive(Debug, Clone)]
pub enum Rows {
    /// In memory.
    Memtable(MemView),
    /// In files.
    Segment(Arc<Segment>),
}

/// A source of rows as one snapshot sees it.
#[derive(Debug, Clone)]
pub struct Source {
    rows: Rows,
    masks: [Option<Arc<RoaringBitmap>>; 3],
}

impl Source {
    /// A source with all its masked rows, by table in the order of [`Table::ALL`].
    pub fn new(rows: Rows, masks: [Option<Arc<RoaringBitmap>>; 3]) -> Self {
        let source = Self { rows, masks };
        for table in Table::ALL {
            let Some(mask) = source.mask(table) else {
                continue;
            };
            assert!(!mask.is_empty(), "a source without masked rows has no mask");
            let (last, rows) = (mask.max(), source.rows(table));
            assert!(
                last < Some(rows),
                "ST-3: row {last:?} of {rows} {} is masked",
                table.name()
            );
        }
        source
    }

    /// The source's name.
    pub fn id(&self) -> SourceId {
        match &self.rows {
            Rows::Memtable(view) => SourceId::Memtable(view.generation()),
            Rows::Segment(segment) => SourceId::Segment(segment.id()),
        }
    }

    /// The segment behind it, if it is one.
    pub fn segment(&self) -> Option<&Arc<Segment>> {
        match &self.rows {
            Rows::Memtable(_) => None,
            Rows::Segment(segment) => Some(segment),
        }
    }

    /// Physical rows of a table, masked ones included.
    pub fn rows(&self, table: Table) -> u32 {
        match &self.rows {
            Rows::Memtable(view) => view.log(table).rows(),
            Rows::Segment(segment) => segment.reader().rows(table),
        }
    }

    /// Rows superseded or deleted; `None` when there is none.
    pub fn mask(&self, table: Table) -> Option<&RoaringBitmap> {
        let [spans, traces, assessments] = &self.masks;
        match table {
            Table::Spans => spans.as_deref(),
            Table::Traces => traces.as_deref(),
            Table::Assessments => assessments.as_deref(),
        }
    }

    /// Rows that are not masked.
    pub fn visible_rows(&self, table: Table) -> u64 {
        u64::from(self.rows(table)) - self.mask(table).map_or(0, RoaringBitmap::len)
    }

    /// Memory that the rows take; 0 for rows in files.
    pub fn memory_bytes(&self) -> u64 {
        match &self.rows {
            Rows::Memtable(view) => view.bytes() as u64,
            Rows::Segment(_) => 0,
        }
    }

    /// Smallest and largest `request_time` of its traces rows and `start_time` of its spans rows, in
    /// Unix nanoseconds, inclusive; `None` when that is not known.
    pub fn time_range(&self) -> Option<(i64, i64)> {
        self.segment()
            .map(|segment| (segment.meta().min_time_ns, segment.meta().max_time_ns))
    }

    /// Candidate traces rows for an index value, a superset of the right ones; `None` where this
    /// source has no such index and must be scanned.
    ///
    /// # Errors
    /// Whatever reading the index gives.
    pub fn postings(&self, kind: IndexKind, value: &str) -> Result<Option<Arc<RoaringBitmap>>> {
        match &self.rows {
            Rows::Memtable(_) => Ok(None),
            Rows::Segment(segment) => segment.keys().postings(kind, value),
        }
    }

    /// The text index; `None` when rows of this source must be scanned for text.
    pub fn text(&self) -> Option<Arc<TextReader>> {
        self.segment().and_then(|segment| segment.text())
    }

    /// Visible rows of one trace.
    ///
    /// # Errors
    /// Whatever reading the index gives.
    pub fn rows_of(&self, table: Table, key: TraceKey) -> Result<RoaringBitmap> {
        let rows = match &self.rows {
            Rows::Memtable(view) => view.rows_of(table, key),
            Rows::Segment(segment) => segment.rows_of(table, key)?,
        };
        Ok(match self.mask(table) {
            Some(mask) => rows - mask,
            None => rows,
        })
    }

    /// The rows of a trace in memory, masked ones included; none of a segment.
    pub(crate) fn all_rows_in_memory(&self, table: Table, key: TraceKey) -> RoaringBitmap {
        match &self.rows {
            Rows::Memtable(view) => view.log(table).all_rows_of(key),
            Rows::Segment(_) => RoaringBitmap::new(),
        }
    }

    /// The first visible root span in a run of rows that belong to one trace, if `total` of them are visible.
    pub(crate) fn root_in_run(&self, run: Range<u32>, total: u64) -> Result<Option<u32>> {
        let Rows::Segment(segment) = &self.rows else {
            return Ok(None);
        };
        let mask = self.mask(Table::Spans);
        let masked = mask.map_or(0, |mask| mask.range_cardinality(run.clone()));
        if u64::from(run.end.saturating_sub(run.start)).saturating_sub(masked) != total {
            return Ok(None);
        }
        segment.reader().first_root(run, mask)
    }

    /// The assessments whose metadata name a session, masked ones included; `None` where that is not known
    /// without reading them all.
    ///
    /// # Errors
    /// Whatever reading them for the first time gives.
    pub fn session_wide_assessments(&self) -> Result<Option<&RoaringBitmap>> {
        self.segment()
            .map(|segment| segment.session_wide())
            .transpose()
    }

    /// The traces of a segment by their spans, masked ones included; `None` in memory.
    ///
    /// # Errors
    /// Whatever reading them for the first time gives.
    pub fn trace_runs(&self) -> Result<Option<&TraceRuns>> {
        self.segment()
            .map(|segment| segment.trace_runs())
            .transpose()
    }

    /// The rows of traces that wait for their root, masked ones included, and when their last span ended.
    ///
    /// # Errors
    /// Whatever reading the index or the rows gives.
    pub(crate) fn waiting(&self) -> Result<Arc<[Waiting]>> {
        match self.segment() {
            Some(segment) => segment.waiting(|| self.read_waiting()),
            None => self.read_waiting().map(Arc::from),
        }
    }

    fn read_waiting(&self) -> Result<Vec<Waiting>> {
        let candidates = self.postings(IndexKind::State, IN_PROGRESS)?;
        let keep = |batch: &RecordBatch| {
            let states = text(batch, "state")?;
            Ok(states
                .iter()
                .map(|state| Some(state == Some(IN_PROGRESS)))
                .collect())
        };
        let filters = vec![RowFilter {
            columns: vec!["state".into()],
            keep: Arc::new(keep),
        }];
        let columns = ScanRequest::columns(["_row", "state", "_edit", "end_time"]);
        let rows = candidates.map(|rows| rows.as_ref().clone());
        let mut waiting = Vec::new();
        for batch in self.scan_all(
            Table::Traces,
            &ScanRequest {
                rows,
                filters,
                ..columns
            },
        )? {
            let batch = batch?;
            let (states, edits) = (text(&batch, "state")?, text(&batch, "_edit")?);
            let ends = times(&batch, "end_time")?;
            let numbers = batch
                .column_by_name("_row")
                .and_then(|rows| rows.as_primitive_opt::<UInt32Type>());
            let numbers = numbers.ok_or_else(|| Error::internal("scan without row numbers"))?;
            for row in 0..batch.num_rows() {
                if waits_for_root(states.value(row), text_at(edits, row))
                    .map_err(|e| self.blame(Table::Traces, e))?
                {
                    waiting.push(Waiting {
                        row: numbers.value(row),
                        end_time_ns: value_at(ends, row),
                    });
                }
            }
        }
        Ok(waiting)
    }

    /// An error about a value that was read here, with the file's name: values do not know where they are from.
    pub(crate) fn blame(&self, table: Table, error: Error) -> Error {
        match self.segment() {
            Some(segment) if error.kind() == ErrorKind::Corrupt => {
                let file = segment.dir().join(file_name(table));
                Error::with_source(ErrorKind::Corrupt, file.display().to_string(), error)
            }
            _ => error,
        }
    }

    /// The row that holds a trace's root span, as far as this source knows.
    pub(crate) fn root_row(&self, key: TraceKey) -> Result<Option<u32>> {
        match &self.rows {
            Rows::Memtable(_) => Ok(None),
            Rows::Segment(segment) => {
                Ok(segment.keys().span_run(key)?.and_then(|run| run.root_row))
            }
        }
    }

    /// Scans stored columns; masked rows are left out.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown column, `Corrupt` or `Io` from the files.
    pub fn scan(&self, table: Table, request: &ScanRequest) -> Result<RowStream> {
        match &self.rows {
            Rows::Memtable(view) => view.log(table).scan(request, self.mask(table)),
            Rows::Segment(segment) => segment.reader().scan(table, request, self.mask(table)),
        }
    }

    /// Scans stored columns of all physical rows, masked ones included.
    pub(crate) fn scan_all(&self, table: Table, request: &ScanRequest) -> Result<RowStream> {
        match &self.rows {
            Rows::Memtable(view) => view.log(table).scan(request, None),
            Rows::Segment(segment) => segment.reader().scan(table, request, None),
        }
    }

    /// Rows in ascending order, masked or not.
    pub(crate) fn read_sorted(
        &self,
        table: Table,
        rows: &RoaringBitmap,
        columns: &[&str],
    ) -> Result<RecordBatch> {
        let read = match &self.rows {
            Rows::Memtable(view) => {
                let rows: Vec<u32> = rows.iter().collect();
                view.log(table).gather(&rows, columns)?
            }
            Rows::Segment(segment) => segment.reader().read_rows(table, rows, columns)?,
        };
        assert_eq!(
            read.num_rows() as u64,
            rows.len(),
            "each row that is asked for is given"
        );
        Ok(read)
    }
}
