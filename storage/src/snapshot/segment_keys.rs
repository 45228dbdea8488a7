//! How a segment finds rows by a key: by the id of a trace, and by session, user, tag, state and service.
//!
//! The index is a segment's part of the metadata store. A process that only reads has no such store: it reads the part
//! that a question is about from its column, and keeps it ([`ReadIndex`]).
//!
//! **Invariant** ST-5: whatever the store knows, lost or never knew, the answer is the same.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lru::LruCache;
use roaring::RoaringBitmap;

use super::key_index::{build_index, read_postings, read_span_runs, read_trace_rows};
use super::key_set::KeySet;
use crate::error::{Error, Result};
use crate::kv::{IndexKind, Lookup, MetaStore, SegmentIndex, SpanRun, value_hash};
use crate::manifest::SegmentId;
use crate::model::TraceKey;
use crate::scan::{RowStream, ScanRequest};
use crate::schema::Table;
use crate::segment::SegmentReader;

/// Posting lists kept in memory for each segment.
const POSTINGS_KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// After this many lookups by trace a segment's traces are read and kept.
const LOOKUPS_MIN: u32 = 64;

/// The parts of a segment's index that were read where no store holds them.
#[derive(Debug, Default)]
struct ReadIndex {
    /// By key.
    span_runs: OnceLock<Vec<SpanRun>>,
    /// By key.
    trace_rows: OnceLock<Vec<(TraceKey, u32)>>,
    /// By hash of a value; for each kind.
    postings: [OnceLock<Vec<(u64, u32)>>; IndexKind::ALL.len()],
}

/// The keys of one segment.
#[derive(Debug)]
pub(super) struct SegmentKeys {
    segment: SegmentId,
    reader: SegmentReader,
    meta_store: Arc<MetaStore>,
    /// Held by whoever builds the index.
    building: Mutex<()>,
    read: ReadIndex,
    /// Posting lists asked for lately.
    postings: Mutex<LruCache<(IndexKind, String), Arc<RoaringBitmap>>>,
    /// The segment's traces; read when they are asked for often.
    traces: OnceLock<KeySet>,
    lookups: AtomicU32,
    /// Whether someone tried to read them in advance.
    is_warm: AtomicBool,
}

impl SegmentKeys {
    /// The keys that `meta_store` has of the segment that `reader` reads.
    pub fn new(segment: SegmentId, reader: SegmentReader, meta_store: Arc<MetaStore>) -> Self {
        Self {
            segment,
            reader,
            meta_store,
            building: Mutex::new(()),
            read: ReadIndex::default(),
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
        if self.has_no_store() {
            let runs = self.read_span_runs()?;
            let at = runs.binary_search_by_key(&key, |run| run.key).ok();
            return Ok(at.and_then(|at| runs.get(at)).copied());
        }
        self.ask(|store| store.span_run(self.segment, key))
    }

    /// The row of a trace.
    pub fn trace_row(&self, key: TraceKey) -> Result<Option<u32>> {
        if !self.may_have(key)? {
            return Ok(None);
        }
        if self.has_no_store() {
            let rows = self.read_trace_rows()?;
            let at = rows.binary_search_by_key(&key, |(key, _)| *key).ok();
            return Ok(at.and_then(|at| rows.get(at)).map(|(_, row)| *row));
        }
        self.ask(|store| store.trace_row(self.segment, key))
    }

    /// Candidate rows of `traces` for an index value; `None` when reading all rows takes less time than waiting for the
    /// index.
    pub fn postings(&self, kind: IndexKind, value: &str) -> Result<Option<Arc<RoaringBitmap>>> {
        let kept = || self.postings.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, value.to_string());
        if let Some(rows) = kept().get(&key) {
            return Ok(Some(rows.clone()));
        }
        let is_of_few_values = matches!(kind, IndexKind::State | IndexKind::Service);
        if is_of_few_values && !self.meta_store.is_open() {
            return Ok(None);
        }
        let rows = Arc::new(match self.has_no_store() {
            true => self.read_postings(kind, value)?,
            false => self.ask(|store| store.postings(self.segment, kind, value))?,
        });
        kept().put(key, rows.clone());
        Ok(Some(rows))
    }

    /// Whether the process has no metadata store but one in memory, which does not know the segment.
    fn has_no_store(&self) -> bool {
        self.meta_store.is_in_memory() && !self.meta_store.has(self.segment)
    }

    /// Where the spans of each trace are, by key.
    fn read_span_runs(&self) -> Result<&[SpanRun]> {
        let runs = learned(&self.read.span_runs, || {
            let mut runs = read_span_runs(self.columns())?;
            runs.sort_unstable_by_key(|run| run.key);
            Ok(runs)
        });
        runs.map(Vec::as_slice)
    }

    /// The row of each trace, by key.
    fn read_trace_rows(&self) -> Result<&[(TraceKey, u32)]> {
        let rows = learned(&self.read.trace_rows, || {
            let mut rows = read_trace_rows(self.columns())?;
            rows.sort_unstable();
            Ok(rows)
        });
        rows.map(Vec::as_slice)
    }

    fn read_postings(&self, kind: IndexKind, value: &str) -> Result<RoaringBitmap> {
        let slot = self.read.postings.get(kind as usize);
        let slot = slot.ok_or_else(|| Error::internal(format!("no postings of {kind:?}")))?;
        let postings = learned(slot, || {
            let mut postings = read_postings(self.columns(), kind)?;
            postings.sort_unstable();
            Ok(postings)
        })?;
        let hash = value_hash(kind, value);
        let first = postings.partition_point(|(other, _)| *other < hash);
        let same = postings.iter().skip(first);
        Ok(same
            .take_while(|(other, _)| *other == hash)
            .map(|(_, row)| *row)
            .collect())
    }

    /// The segment's columns, from its first row to its last.
    fn columns(&self) -> impl Fn(Table, &[&str]) -> Result<RowStream> + '_ {
        |table, columns| {
            let request = ScanRequest::columns(columns.iter().copied());
            self.reader.scan(table, &request, None)
        }
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
        let index = build_index(self.columns())?;
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
        if self.has_no_store() {
            let runs = self.read_span_runs()?.iter().map(|run| run.key);
            let rows = self.read_trace_rows()?.iter().map(|(key, _)| *key);
            let keys = runs.chain(rows);
            return Ok(self.traces.get_or_init(|| KeySet::of(keys)));
        }
        let keys = self.ask(|store| store.all_keys(self.segment))?;
        Ok(self.traces.get_or_init(|| KeySet::of(keys.into_iter())))
    }
}

/// What a slot keeps, read when it is first asked for.
fn learned<T>(slot: &OnceLock<T>, read: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(known) = slot.get() {
        return Ok(known);
    }
    let known = read()?;
    Ok(slot.get_or_init(|| known))
}
