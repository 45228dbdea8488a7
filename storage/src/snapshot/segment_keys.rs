//! How a segment finds rows by a key: by the id of a trace, and by session, user, tag, state and service.
//!
//! The index is a segment's part of the metadata store. In a process that only reads, that store is in memory and
//! empty at first: the first questions about a segment read the columns themselves, and only one who goes on asking
//! builds the index ([`ASKS_WITHOUT_INDEX`]).
//!
//! **Invariant** ST-5: whatever the store knows, lost or never knew, the answer is the same.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt32Type;
use lru::LruCache;
use roaring::RoaringBitmap;

use super::key_index::build_index;
use super::key_set::KeySet;
use crate::columns::text;
use crate::error::{Error, Result};
use crate::kv::{IndexKind, Lookup, MetaStore, SegmentIndex, SpanRun};
use crate::manifest::SegmentId;
use crate::model::{TraceKey, row_number};
use crate::scan::{RowFilter, ScanRequest};
use crate::schema::Table;
use crate::segment::SegmentReader;

/// Posting lists kept in memory for each segment.
const POSTINGS_KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// After this many lookups by trace a segment's traces are read and kept.
const LOOKUPS_MIN: u32 = 64;

/// So many questions are answered without the index where it is not there yet: building it costs about as much as ten
/// scans of the columns in question (13 ms and 1.5 ms for 6,000 traces with 40,000 spans).
const ASKS_WITHOUT_INDEX: u32 = 8;

/// The keys of one segment.
#[derive(Debug)]
pub(super) struct SegmentKeys {
    segment: SegmentId,
    reader: SegmentReader,
    meta_store: Arc<MetaStore>,
    /// Held by whoever builds the index.
    building: Mutex<()>,
    asks_without_index: AtomicU32,
    /// Posting lists asked for lately.
    postings: Mutex<LruCache<(IndexKind, String), Arc<RoaringBitmap>>>,
    /// The segment's traces; read when they are asked for often.
    traces: OnceLock<KeySet>,
    lookups: AtomicU32,
    /// Whether someone tried to read them in advance.
    is_warm: AtomicBool,
}

impl SegmentKeys {
    /// Those of the segment that `reader` reads, in `meta_store`.
    pub fn new(segment: SegmentId, reader: SegmentReader, meta_store: Arc<MetaStore>) -> Self {
        Self {
            segment,
            reader,
            meta_store,
            building: Mutex::new(()),
            asks_without_index: AtomicU32::new(0),
            postings: Mutex::new(LruCache::new(POSTINGS_KEPT)),
            traces: OnceLock::new(),
            lookups: AtomicU32::new(0),
            is_warm: AtomicBool::new(false),
        }
    }

    /// The store that the index is in.
    pub fn meta_store(&self) -> &Arc<MetaStore> {
        &self.meta_store
    }

    /// Puts the segment into the metadata store unless it is there.
    pub fn ensure_indexed(&self) -> Result<()> {
        let known = |has: bool| {
            if has {
                Lookup::Known(())
            } else {
                Lookup::Unknown
            }
        };
        self.ask(|store| known(store.has(self.segment)))
    }

    /// Notes the traces of a segment that was just written.
    pub fn set_traces(&self, index: &SegmentIndex) {
        let runs = index.span_runs.iter().map(|run| run.key);
        let rows = index.trace_rows.iter().map(|(key, _)| *key);
        let traces = self
            .traces
            .get_or_init(|| KeySet::of(runs.clone().chain(rows.clone())));
        debug_assert!(
            runs.chain(rows).all(|key| traces.may_contain(key)),
            "ST-5: no trace of it is denied"
        );
    }

    /// Reads which traces the segment has before many lookups need it; tries once. Returns whether there was need.
    pub fn warm(&self) -> bool {
        let is_needed = self.traces.get().is_none() && !self.is_warm.swap(true, Ordering::Relaxed);
        // The first lookup that needs the segment tries again, and has someone to tell.
        is_needed && self.learn_traces().is_ok()
    }

    /// The spans of a trace.
    pub fn span_run(&self, key: TraceKey) -> Result<Option<SpanRun>> {
        if !self.may_have(key)? {
            return Ok(None);
        }
        if self.is_read_without_index() {
            return self.read_span_run(key);
        }
        self.ask(|store| store.span_run(self.segment, key))
    }

    /// The row of a trace.
    pub fn trace_row(&self, key: TraceKey) -> Result<Option<u32>> {
        if !self.may_have(key)? {
            return Ok(None);
        }
        if self.is_read_without_index() {
            let rows = self.rows_of_trace(Table::Traces, key, |_, _| ())?;
            return Ok(rows.first().map(|(row, ())| *row));
        }
        self.ask(|store| store.trace_row(self.segment, key))
    }

    /// Candidate rows of `traces` for an index value; `None` when reading all rows takes less time than building the
    /// index or waiting for it.
    pub fn postings(&self, kind: IndexKind, value: &str) -> Result<Option<Arc<RoaringBitmap>>> {
        let kept = || self.postings.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, value.to_string());
        if let Some(rows) = kept().get(&key) {
            return Ok(Some(rows.clone()));
        }
        let is_of_few_values = matches!(kind, IndexKind::State | IndexKind::Service);
        if is_of_few_values && !self.meta_store.is_open() || self.is_read_without_index() {
            return Ok(None);
        }
        let rows = Arc::new(self.ask(|store| store.postings(self.segment, kind, value))?);
        kept().put(key, rows.clone());
        Ok(Some(rows))
    }

    /// Whether a question is to be answered from the columns: the index is not there, and too few have asked for it.
    fn is_read_without_index(&self) -> bool {
        !self.meta_store.has(self.segment)
            && self.asks_without_index.fetch_add(1, Ordering::Relaxed) < ASKS_WITHOUT_INDEX
    }

    /// Asks the metadata store about the segment. What it does not know (it was removed, damaged or
    /// never written) is rebuilt from the segment first (ST-5).
    fn ask<T>(&self, question: impl Fn(&MetaStore) -> Lookup<T>) -> Result<T> {
        if let Lookup::Known(answer) = question(&self.meta_store) {
            return Ok(answer);
        }
        let _one_at_a_time = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Lookup::Known(answer) = question(&self.meta_store) {
            return Ok(answer);
        }
        let index = build_index(|table, columns| {
            let request = ScanRequest::columns(columns.iter().copied());
            self.reader.scan(table, &request, None)
        })?;
        for _attempt in 0..2 {
            if self.meta_store.add_segment(self.segment, &index).is_err() {
                self.meta_store.restart();
            } else if let Lookup::Known(answer) = question(&self.meta_store) {
                return Ok(answer);
            }
        }
        Err(Error::internal(format!(
            "the metadata store cannot hold segment {}",
            self.segment
        )))
    }

    /// False when the segment has nothing of this trace.
    fn may_have(&self, key: TraceKey) -> Result<bool> {
        if let Some(traces) = self.traces.get() {
            return Ok(traces.may_contain(key));
        }
        if self.lookups.fetch_add(1, Ordering::Relaxed) < LOOKUPS_MIN {
            return Ok(true);
        }
        Ok(self.learn_traces()?.may_contain(key))
    }

    fn learn_traces(&self) -> Result<&KeySet> {
        let keys = self.ask(|store| store.all_keys(self.segment))?;
        Ok(self.traces.get_or_init(|| KeySet::of(keys.into_iter())))
    }

    fn read_span_run(&self, key: TraceKey) -> Result<Option<SpanRun>> {
        let rows = self.rows_of_trace(Table::Spans, key, |parents, at| parents.is_null(at))?;
        let Some((first_row, _)) = rows.first() else {
            return Ok(None);
        };
        let row_count = row_number(rows.len())?;
        let is_together = (*first_row..)
            .zip(&rows)
            .all(|(expected, (row, _))| expected == *row);
        if !is_together {
            return Err(Error::corrupt(format!(
                "the spans of a trace of segment {} lie apart",
                self.segment
            )));
        }
        debug_assert!(
            rows.is_sorted_by(|(a, _), (b, _)| a < b),
            "rows come in their order"
        );
        let root_row = rows
            .iter()
            .find(|(_, is_root)| *is_root)
            .map(|(row, _)| *row);
        Ok(Some(SpanRun {
            key,
            first_row: *first_row,
            row_count,
            root_row,
        }))
    }

    /// The rows of a trace in their order, each with what `of_row` says of its parent (of its trace id in tables
    /// without one).
    fn rows_of_trace<T>(
        &self,
        table: Table,
        key: TraceKey,
        of_row: impl Fn(&dyn Array, usize) -> T,
    ) -> Result<Vec<(u32, T)>> {
        let keep = Arc::new(move |batch: &_| {
            let ids = text(batch, "trace_id")?;
            Ok(ids
                .iter()
                .map(|id| Some(id.is_some_and(|id| TraceKey::of(id) == key)))
                .collect())
        });
        let column = if table == Table::Spans {
            "parent_span_id"
        } else {
            "trace_id"
        };
        let filters = vec![RowFilter {
            columns: vec!["trace_id".into()],
            keep,
        }];
        let request = ScanRequest {
            filters,
            ..ScanRequest::columns(["_row", column])
        };
        let mut rows = Vec::new();
        for batch in self.reader.scan(table, &request, None)? {
            let batch = batch?;
            let numbers = batch
                .column_by_name("_row")
                .and_then(|rows| rows.as_primitive_opt::<UInt32Type>());
            let numbers = numbers.ok_or_else(|| Error::internal("scan without row numbers"))?;
            let told = text(&batch, column)?;
            rows.extend((0..batch.num_rows()).map(|at| (numbers.value(at), of_row(told, at))));
        }
        Ok(rows)
    }
}
