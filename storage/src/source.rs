//! A source of rows, a memtable or a segment, with the rows that newer sources mask in it.
//!
//! Everything above reads sources through this type, so that an answer cannot depend on where a row
//! happens to be (QU-1).

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use lru::LruCache;
use roaring::RoaringBitmap;

use crate::columns::{map_at, text, text_at, times, value_at};
use crate::env::{Env, Folder};
use crate::error::{Error, ErrorKind, Result};
use crate::key_set::KeySet;
use crate::kv::{IndexKind, Lookup, MetaStore, SegmentIndex, SpanRun};
use crate::manifest::{SegmentId, SegmentMeta};
use crate::memtable::{MemView, SourceId};
use crate::model::{IN_PROGRESS, SESSION_METADATA, TraceKey};
use crate::scan::{RowFilter, RowStream, ScanRequest};
use crate::schema::Table;
use crate::segment::{BlockCache, SegmentReader, file_name};
use crate::segment_index::build_index;
use crate::store::{Graveyard, waits};
use crate::text::TextReader;
use crate::trace_runs::TraceRuns;

/// Posting lists kept in memory for each segment.
const POSTINGS_KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// After this many lookups by trace a segment's traces are read and kept.
const LOOKUPS_MIN: u32 = 64;

/// A trace that waits for its root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// Its row.
    pub row: u32,
    /// When its last span ended, in Unix nanoseconds; `None` when none has.
    pub end_time_ns: Option<i64>,
}

/// The text index of a segment.
#[derive(Debug)]
pub enum SegmentText {
    /// There is none.
    Absent,
    /// In this folder, and not read yet.
    Closed(Folder),
    /// In use.
    Open(Arc<TextReader>),
}

impl From<Option<TextReader>> for SegmentText {
    fn from(text: Option<TextReader>) -> Self {
        text.map_or(SegmentText::Absent, |text| SegmentText::Open(Arc::new(text)))
    }
}

/// A live segment: its files, its text index when there is one, and its part of the metadata store.
#[derive(Debug)]
pub struct Segment {
    meta: SegmentMeta,
    reader: SegmentReader,
    text: RwLock<SegmentText>,
    /// Held while the text index is opened.
    opening: Mutex<()>,
    meta_store: Arc<MetaStore>,
    /// Posting lists asked for lately.
    postings: Mutex<LruCache<(IndexKind, String), Arc<RoaringBitmap>>>,
    /// The traces of the assessments, row by row, which are sorted by it; read when first asked for.
    assessed: OnceLock<Vec<TraceKey>>,
    /// Its traces; read when they are asked for often.
    traces: OnceLock<KeySet>,
    lookups: AtomicU32,
    /// Whether someone tried to read them in advance.
    is_warm: AtomicBool,
    /// The assessments that may count for a session; read when first asked for.
    session_wide: OnceLock<RoaringBitmap>,
    /// Its traces by their spans; read when first asked for.
    trace_runs: OnceLock<TraceRuns>,
    /// Its traces that wait for their root, with their ends; read when first asked for.
    waiting: OnceLock<Arc<[Waiting]>>,
    indexing: Mutex<()>,
    env: Arc<dyn Env>,
    dir: PathBuf,
    /// The manifest version that no longer has it; 0 while it is live.
    obsolete_since: AtomicU64,
    graveyard: Arc<Graveyard>,
    /// The process that opened it.
    pid: u32,
}

impl Segment {
    /// A handle on the segment in `dir`.
    pub fn new(
        env: Arc<dyn Env>,
        dir: PathBuf,
        meta: SegmentMeta,
        reader: SegmentReader,
        text: SegmentText,
        meta_store: Arc<MetaStore>,
        graveyard: Arc<Graveyard>,
    ) -> Self {
        let text = RwLock::new(text);
        let (indexing, obsolete_since) = (Mutex::new(()), AtomicU64::new(0));
        let (postings, assessed) = (Mutex::new(LruCache::new(POSTINGS_KEPT)), OnceLock::new());
        Self {
            meta,
            reader,
            text,
            opening: Mutex::new(()),
            meta_store,
            postings,
            assessed,
            traces: OnceLock::new(),
            lookups: AtomicU32::new(0),
            is_warm: AtomicBool::new(false),
            session_wide: OnceLock::new(),
            trace_runs: OnceLock::new(),
            waiting: OnceLock::new(),
            indexing,
            env,
            dir,
            obsolete_since,
            graveyard,
            pid: std::process::id(),
        }
    }

    /// The segment's name.
    pub fn id(&self) -> SegmentId {
        self.meta.id
    }

    /// What the manifest says of it.
    pub fn meta(&self) -> &SegmentMeta {
        &self.meta
    }

    /// Where its files are, relative to the database.
    pub fn dir(&self) -> &PathBuf {
        &self.dir
    }

    /// Reads its files.
    pub fn reader(&self) -> &SegmentReader {
        &self.reader
    }

    /// The same with a cache of its own, for reading all of it once.
    ///
    /// # Errors
    /// As [`SegmentReader::open`].
    pub(crate) fn reopened(&self, cache: Arc<BlockCache>) -> Result<Self> {
        let reader = SegmentReader::open(self.env.clone(), self.dir.clone(), &self.meta, cache)?;
        let text = self.text().map_or(SegmentText::Absent, SegmentText::Open);
        let meta_store = self.meta_store.clone();
        let (env, graveyard) = (self.env.clone(), self.graveyard.clone());
        Ok(Self::new(env, self.dir.clone(), self.meta.clone(), reader, text, meta_store, graveyard))
    }

    /// Its text index; `None` while it has none. The first who asks opens it: a database opens without, and
    /// one that cannot be read is none (ST-5).
    pub fn text(&self) -> Option<Arc<TextReader>> {
        if let Ok(known) = self.text_so_far() {
            return known;
        }
        // Opening may wait for the disk: whoever only asks what is known does not wait for that.
        let _one_at_a_time = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        self.text_so_far().unwrap_or_else(|folder| {
            self.set_text(TextReader::open(&folder, self.meta.span_rows).ok());
            self.text_so_far().ok().flatten()
        })
    }

    /// The text index, if there is one; the folder that it is in while it is not open.
    fn text_so_far(&self) -> std::result::Result<Option<Arc<TextReader>>, Folder> {
        match &*self.text.read().unwrap_or_else(PoisonError::into_inner) {
            SegmentText::Absent => Ok(None),
            // It is built anew by whoever builds those that are missing.
            SegmentText::Open(text) if text.is_damaged() => Ok(None),
            SegmentText::Open(text) => Ok(Some(text.clone())),
            SegmentText::Closed(folder) => Err(folder.clone()),
        }
    }

    /// Whether it has a text index, as far as that is known without opening it.
    pub(crate) fn has_text(&self) -> bool {
        match &*self.text.read().unwrap_or_else(PoisonError::into_inner) {
            SegmentText::Absent => false,
            SegmentText::Closed(_) => true,
            SegmentText::Open(text) => !text.is_damaged(),
        }
    }

    /// Installs a text index built later.
    pub fn set_text(&self, text: impl Into<SegmentText>) {
        *self.text.write().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// No longer in the manifest from `version` on: the files are removed when the last reader lets go,
    /// in this process and in others (ST-2).
    pub fn mark_obsolete(&self, version: u64) {
        self.obsolete_since.store(version, Ordering::Release);
    }

    /// Asks the metadata store about this segment. What it does not know (it was removed, damaged or
    /// never written) is rebuilt from the segment first (ST-5).
    fn ask<T>(&self, question: impl Fn(&MetaStore) -> Lookup<T>) -> Result<T> {
        if let Lookup::Known(answer) = question(&self.meta_store) {
            return Ok(answer);
        }
        let _one_at_a_time = self.indexing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Lookup::Known(answer) = question(&self.meta_store) {
            return Ok(answer);
        }
        let index = build_index(|table, columns| {
            let request = ScanRequest::columns(columns.iter().copied());
            self.reader.scan(table, &request, None)
        })?;
        for _attempt in 0..2 {
            if self.meta_store.add_segment(self.id(), &index).is_err() {
                self.meta_store.restart();
            } else if let Lookup::Known(answer) = question(&self.meta_store) {
                return Ok(answer);
            }
        }
        Err(Error::internal(format!("the metadata store cannot hold segment {}", self.id())))
    }

    /// Puts the segment into the metadata store unless it is there.
    pub(crate) fn ensure_indexed(&self) -> Result<()> {
        let known = |has: bool| if has { Lookup::Known(()) } else { Lookup::Unknown };
        self.ask(|store| known(store.has(self.id())))
    }

    /// Notes the traces of a segment that was just written.
    pub(crate) fn set_traces(&self, index: &SegmentIndex) {
        let runs = index.span_runs.iter().map(|run| run.key);
        self.traces.get_or_init(|| KeySet::of(runs.chain(index.trace_rows.iter().map(|(key, _)| *key))));
    }

    /// False when it has nothing of this trace.
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
        let keys = self.ask(|store| store.all_keys(self.id()))?;
        Ok(self.traces.get_or_init(|| KeySet::of(keys.into_iter())))
    }

    /// Reads which traces it has before many lookups need it; tries once. Returns whether there was need.
    pub(crate) fn warm(&self) -> bool {
        let is_needed = self.traces.get().is_none() && !self.is_warm.swap(true, Ordering::Relaxed);
        // The first lookup that needs the segment tries again, and has someone to tell.
        is_needed && self.learn_traces().is_ok()
    }

    fn span_run(&self, key: TraceKey) -> Result<Option<SpanRun>> {
        if !self.may_have(key)? {
            return Ok(None);
        }
        self.ask(|store| store.span_run(self.id(), key))
    }

    fn rows_of(&self, table: Table, key: TraceKey) -> Result<RoaringBitmap> {
        Ok(match table {
            Table::Spans => match self.span_run(key)? {
                Some(run) => (run.first_row..run.first_row.saturating_add(run.row_count)).collect(),
                None => RoaringBitmap::new(),
            },
            Table::Traces if !self.may_have(key)? => RoaringBitmap::new(),
            Table::Traces => self.ask(|store| store.trace_row(self.id(), key))?.into_iter().collect(),
            Table::Assessments => self.assessment_rows_of(key)?,
        })
    }

    /// Assessments have no index by trace: they are few, so their traces are kept in memory.
    fn assessment_rows_of(&self, key: TraceKey) -> Result<RoaringBitmap> {
        let assessed = match self.assessed.get() {
            Some(assessed) => assessed,
            None => {
                let read = self.read_assessed()?;
                self.assessed.get_or_init(|| read)
            }
        };
        let first = assessed.partition_point(|other| *other < key);
        let count = assessed.iter().skip(first).take_while(|other| **other == key).count();
        Ok((first as u32..(first + count) as u32).collect())
    }

    /// The assessments whose metadata name a session.
    fn session_wide(&self) -> Result<&RoaringBitmap> {
        if let Some(rows) = self.session_wide.get() {
            return Ok(rows);
        }
        let (mut rows, mut row) = (RoaringBitmap::new(), 0);
        for batch in self.reader.scan(Table::Assessments, &ScanRequest::columns(["metadata"]), None)? {
            let batch = batch?;
            for at in 0..batch.num_rows() {
                if map_at(&batch, "metadata", at)?.contains_key(SESSION_METADATA) {
                    rows.insert(row);
                }
                row += 1;
            }
        }
        Ok(self.session_wide.get_or_init(|| rows))
    }

    fn read_assessed(&self) -> Result<Vec<TraceKey>> {
        let mut keys = Vec::with_capacity(self.meta.assessment_rows as usize);
        for batch in self.reader.scan(Table::Assessments, &ScanRequest::columns(["trace_id"]), None)? {
            let batch = batch?;
            keys.extend(text(&batch, "trace_id")?.iter().flatten().map(TraceKey::of));
        }
        if !keys.is_sorted() {
            let dir = self.dir.display();
            return Err(Error::corrupt(format!("the assessments of segment {dir} are not in their order")));
        }
        Ok(keys)
    }

    /// Candidate rows of `traces` for an index value; `None` when reading all rows takes less time than
    /// waiting for the index.
    fn postings(&self, kind: IndexKind, value: &str) -> Result<Option<Arc<RoaringBitmap>>> {
        let kept = || self.postings.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, value.to_string());
        if let Some(rows) = kept().get(&key) {
            return Ok(Some(rows.clone()));
        }
        let is_of_few_values = matches!(kind, IndexKind::State | IndexKind::Service);
        if is_of_few_values && !self.meta_store.is_open() {
            return Ok(None);
        }
        let rows = Arc::new(self.ask(|store| store.postings(self.id(), kind, value))?);
        kept().put(key, rows.clone());
        Ok(Some(rows))
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let version = self.obsolete_since.load(Ordering::Acquire);
        // A fork's copy ends with the fork, while the process it came from may still read the files.
        if version > 0 && self.pid == std::process::id() {
            self.graveyard.bury(self.env.as_ref(), &self.dir, version);
        }
    }
}

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
        Self { rows, masks }
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
            Rows::Segment(segment) => segment.reader.rows(table),
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
        u64::from(self.rows(table)).saturating_sub(self.mask(table).map_or(0, RoaringBitmap::len))
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
        self.segment().map(|segment| (segment.meta.min_time_ns, segment.meta.max_time_ns))
    }

    /// Candidate traces rows for an index value, a superset of the right ones; `None` where this
    /// source has no such index and must be scanned.
    ///
    /// # Errors
    /// Whatever reading the index gives.
    pub fn postings(&self, kind: IndexKind, value: &str) -> Result<Option<Arc<RoaringBitmap>>> {
        match &self.rows {
            Rows::Memtable(_) => Ok(None),
            Rows::Segment(segment) => segment.postings(kind, value),
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
        let Rows::Segment(segment) = &self.rows else { return Ok(None) };
        let mask = self.mask(Table::Spans);
        let masked = mask.map_or(0, |mask| mask.range_cardinality(run.clone()));
        if u64::from(run.end.saturating_sub(run.start)).saturating_sub(masked) != total {
            return Ok(None);
        }
        segment.reader.first_root(run, mask)
    }

    /// The assessments whose metadata name a session, masked ones included; `None` where that is not known
    /// without reading them all.
    ///
    /// # Errors
    /// Whatever reading them for the first time gives.
    pub fn session_wide_assessments(&self) -> Result<Option<&RoaringBitmap>> {
        self.segment().map(|segment| segment.session_wide()).transpose()
    }

    /// The traces of a segment by their spans, masked ones included; `None` in memory.
    ///
    /// # Errors
    /// Whatever reading them for the first time gives.
    pub fn trace_runs(&self) -> Result<Option<&TraceRuns>> {
        let Some(segment) = self.segment() else { return Ok(None) };
        if let Some(runs) = segment.trace_runs.get() {
            return Ok(Some(runs));
        }
        let runs = TraceRuns::read(&segment.reader)?;
        Ok(Some(segment.trace_runs.get_or_init(|| runs)))
    }

    /// The rows of traces that wait for their root, masked ones included, and when their last span ended.
    ///
    /// # Errors
    /// Whatever reading the index or the rows gives.
    pub(crate) fn waiting(&self) -> Result<Arc<[Waiting]>> {
        let Some(segment) = self.segment() else { return self.read_waiting().map(Arc::from) };
        if let Some(waiting) = segment.waiting.get() {
            return Ok(waiting.clone());
        }
        let waiting: Arc<[Waiting]> = self.read_waiting()?.into();
        Ok(segment.waiting.get_or_init(|| waiting).clone())
    }

    fn read_waiting(&self) -> Result<Vec<Waiting>> {
        let candidates = self.postings(IndexKind::State, IN_PROGRESS)?;
        let keep = |batch: &RecordBatch| {
            let states = text(batch, "state")?;
            Ok(states.iter().map(|state| Some(state == Some(IN_PROGRESS))).collect())
        };
        let filters = vec![RowFilter { columns: vec!["state".into()], keep: Arc::new(keep) }];
        let columns = ScanRequest::columns(["_row", "state", "_edit", "end_time"]);
        let rows = candidates.map(|rows| rows.as_ref().clone());
        let mut waiting = Vec::new();
        for batch in self.scan_all(Table::Traces, &ScanRequest { rows, filters, ..columns })? {
            let batch = batch?;
            let (states, edits) = (text(&batch, "state")?, text(&batch, "_edit")?);
            let ends = times(&batch, "end_time")?;
            let numbers = batch.column_by_name("_row").and_then(|rows| rows.as_primitive_opt::<UInt32Type>());
            let numbers = numbers.ok_or_else(|| Error::internal("scan without row numbers"))?;
            for row in 0..batch.num_rows() {
                if waits(states.value(row), text_at(edits, row)).map_err(|e| self.blame(Table::Traces, e))? {
                    waiting.push(Waiting { row: numbers.value(row), end_time_ns: value_at(ends, row) });
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
            Rows::Segment(segment) => Ok(segment.span_run(key)?.and_then(|run| run.root_row)),
        }
    }

    /// Scans stored columns; masked rows are left out.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown column, `Corrupt` or `Io` from the files.
    pub fn scan(&self, table: Table, request: &ScanRequest) -> Result<RowStream> {
        match &self.rows {
            Rows::Memtable(view) => view.log(table).scan(request, self.mask(table)),
            Rows::Segment(segment) => segment.reader.scan(table, request, self.mask(table)),
        }
    }

    /// Scans stored columns of all physical rows, masked ones included.
    pub(crate) fn scan_all(&self, table: Table, request: &ScanRequest) -> Result<RowStream> {
        match &self.rows {
            Rows::Memtable(view) => view.log(table).scan(request, None),
            Rows::Segment(segment) => segment.reader.scan(table, request, None),
        }
    }

    /// Rows in ascending order, masked or not.
    pub(crate) fn read_sorted(
        &self,
        table: Table,
        rows: &RoaringBitmap,
        columns: &[&str],
    ) -> Result<RecordBatch> {
        match &self.rows {
            Rows::Memtable(view) => {
                let rows: Vec<u32> = rows.iter().collect();
                view.log(table).gather(&rows, columns)
            }
            Rows::Segment(segment) => segment.reader.read_rows(table, rows, columns),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::columns::spans_batch;
    use crate::env::MemEnv;
    use crate::model::Span;
    use crate::store::{Store, StoreOptions};

    /// A segment that only the result holds.
    fn only_segment(env: &MemEnv) -> Arc<Segment> {
        let store = Store::open(Arc::new(env.clone()), StoreOptions::default()).unwrap();
        let span = Span { trace_id: "t".into(), span_id: "s".into(), ..Span::default() };
        store.append_spans(spans_batch(&[span]).unwrap()).unwrap();
        store.seal().unwrap();
        let sources = store.snapshot().unwrap().sources().to_vec();
        sources.iter().find_map(Source::segment).unwrap().clone()
    }

    #[test]
    fn the_last_holder_removes_the_files_unless_it_is_a_fork() {
        for (is_fork, files) in [(false, 0), (true, 1)] {
            let env = MemEnv::default();
            let mut segment = only_segment(&env);
            segment.mark_obsolete(9);
            // As in a fork: the process is not the one that opened it.
            Arc::get_mut(&mut segment).unwrap().pid += u32::from(is_fork);
            drop(segment);
            assert_eq!(env.list(Path::new("seg")).unwrap().len(), files);
        }
    }

    #[test]
    fn nobody_waits_for_an_index_that_another_opens() {
        let segment = only_segment(&MemEnv::default());
        let folder = tempfile::tempdir().unwrap();
        // Whoever reads a pipe waits for who writes it.
        let pipe = folder.path().join(crate::text::SUMS_FILE);
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        segment.set_text(SegmentText::Closed(Folder::at(folder.path())));
        let opener = std::thread::spawn({
            let segment = segment.clone();
            move || segment.text().is_none()
        });
        let writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        let (answer_in, answer) = mpsc::channel();
        std::thread::spawn({
            let segment = segment.clone();
            move || answer_in.send(segment.has_text())
        });
        assert_eq!(answer.recv_timeout(Duration::from_secs(10)), Ok(true));
        drop(writer);
        assert!(opener.join().unwrap());
        assert!(!segment.has_text());
    }
}
