//! The metadata store: the index of every live segment, each complete or not there at all.
//!
//! Writers are the sealing and compaction threads (one at a time here), readers any query thread.
//! The store never fails the database: an operation that fails makes it *stale*, it then answers
//! [`Lookup::Unknown`] to everything, callers scan, and [`MetaStore::restart`] begins it anew.
//!
//! Adding a segment: 1. its record says *building*; 2. leftovers of an earlier attempt go; 3. blocks
//! are written one by one; 4. flush; 5. the record says *complete*; 6. readers see it.
//! Removing is the reverse: readers lose it, the record says *building*, blocks go, the record goes.
//!
//! Opening takes a read for each piece of the files, so a thread does it; who needs the store first waits.
//!
//! Invariants:
//! * **KV-2** a record says *complete* only while all blocks of the segment are there.
//! * ST-5 whatever is lost or damaged in the folder, an answer is right or `Unknown`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use roaring::RoaringBitmap;

use super::backend::Kv;
use super::blocks::{self, Entry};
use super::index::{IndexKind, SegmentIndex, SpanRun, value_hash};
use super::keys::{self, Family};
use super::mem_kv::MemKv;
use super::sled_kv::{Place, SledKv};
use crate::env::Folder;
use crate::error::{Error, Result};
use crate::manifest::SegmentId;
use crate::model::TraceKey;

/// Keys listed at a time.
const KEYS_PER_STEP: usize = 100;

/// Files are given up once they have this many times the live bytes, and [`FILE_BYTES_FREE`] more:
/// sled keeps the space of what was removed.
const FILES_TO_LIVE_MAX: u64 = 8;
const FILE_BYTES_FREE: u64 = 64 << 20;

const BUILDING: u8 = 0;
const COMPLETE: u8 = 1;

/// The answer to a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// The answer, complete.
    Known(T),
    /// The store cannot tell: the segment is not indexed, or the store is stale. Scan instead.
    Unknown,
}

impl<T> Lookup<T> {
    /// The answer, `None` when unknown.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown => None,
        }
    }

    fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Known(value) => Lookup::Known(change(value)),
            Self::Unknown => Lookup::Unknown,
        }
    }
}

/// The state of the metadata store, for `stats` and decisions about rebuilding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaStats {
    /// Number of the generation folder in use, `None` without one.
    pub generation: Option<u64>,
    /// Segments with a complete index.
    pub segments: usize,
    /// Bytes of their keys and values.
    pub live_bytes: u64,
    /// Bytes of the files; space of removed segments is not given back before a restart.
    pub disk_bytes: u64,
    /// How long the last open or restart took, in nanoseconds.
    pub open_duration_ns: u64,
    /// A folder was asked for and could not be used: the index is in memory and ends with the process.
    pub degraded: bool,
    /// An operation failed, or the store is closed: every lookup is unknown.
    pub stale: bool,
    /// The last failure, also one that open recovered from.
    pub failure: Option<String>,
}

/// The index of the live segments. Shared by reference; every method may be called from any thread.
#[derive(Debug)]
pub struct MetaStore {
    /// `None` in memory.
    place: Option<Place>,
    state: RwLock<State>,
    /// Held by whoever writes, for the whole of it.
    writer: Mutex<()>,
    /// The thread that opens the files, until its result has become the state.
    opening: Mutex<Option<JoinHandle<State>>>,
    is_open: AtomicBool,
    /// The process that has that thread; a fork of it has not, and must not wait.
    pid: u32,
}

#[derive(Debug, Default)]
struct State {
    /// `None` when stale or closed.
    kv: Option<Arc<dyn Kv>>,
    /// Bytes of each complete segment.
    complete: BTreeMap<SegmentId, u64>,
    degraded: bool,
    failure: Option<String>,
    open_duration_ns: u64,
    /// The files are closed for good; what readers still ask for is kept in memory.
    closed: bool,
}

impl MetaStore {
    /// Opens the store in the folder `dir`, which it creates when needed, for the database `db_uuid`,
    /// and drops what is not about `live` segments. `boot_id` names this run of the operating system.
    ///
    /// Never fails: what cannot be trusted is replaced by an empty store, and a folder that cannot be
    /// used by one in memory (`degraded` in the stats). Only one process may have it open.
    pub fn open(dir: Folder, boot_id: &str, db_uuid: u128, live: &[SegmentId]) -> Self {
        let place = Place {
            dir,
            boot_id: boot_id.to_string(),
            db_uuid,
        };
        let (files, live) = (place.clone(), live.to_vec());
        let thread = std::thread::Builder::new().name("tracehouse-kv".into());
        match thread.spawn(move || State::open(&files, false, &live)) {
            Ok(opening) => Self::with(Some(place), State::default(), Some(opening)),
            Err(error) => {
                let failure = Some(format!("no thread to open it: {error}"));
                Self::with(
                    Some(place),
                    State {
                        degraded: true,
                        failure,
                        ..State::in_memory()
                    },
                    None,
                )
            }
        }
    }

    /// An empty store without files.
    pub fn in_memory() -> Self {
        Self::with(None, State::in_memory(), None)
    }

    fn with(place: Option<Place>, state: State, opening: Option<JoinHandle<State>>) -> Self {
        let is_open = AtomicBool::new(opening.is_none());
        let (state, opening) = (RwLock::new(state), Mutex::new(opening));
        Self {
            place,
            state,
            writer: Mutex::default(),
            opening,
            is_open,
            pid: std::process::id(),
        }
    }

    /// Whether it has no files, and was never meant to.
    pub fn is_in_memory(&self) -> bool {
        self.place.is_none()
    }

    /// Whether a lookup is answered without waiting for the files to be opened.
    pub fn is_open(&self) -> bool {
        let is_finished =
            |opening: &Option<JoinHandle<_>>| opening.as_ref().is_none_or(JoinHandle::is_finished);
        self.is_open.load(Ordering::Acquire)
            || self
                .opening
                .try_lock()
                .is_ok_and(|opening| is_finished(&opening))
    }

    /// Waits until the files are open.
    fn wait_until_open(&self) {
        if self.is_open.load(Ordering::Acquire) || self.pid != std::process::id() {
            return;
        }
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opening) = opening.take() {
            let opened = opening.join().unwrap_or_else(|_| {
                let failure = Some("the thread that opened it panicked".to_string());
                State {
                    degraded: true,
                    failure,
                    ..State::in_memory()
                }
            });
            *self.state.write().unwrap_or_else(PoisonError::into_inner) = opened;
            self.is_open.store(true, Ordering::Release);
        }
    }

    /// Begins anew and empty, in a new generation folder: after a failure, or to give back space.
    /// Add the live segments again afterwards.
    pub fn restart(&self) {
        let _writer = self.lock_writer();
        let old = std::mem::take(&mut *self.write_state());
        if let Some(kv) = old.kv {
            kv.abandon();
        }
        let mut new = match &self.place {
            Some(place) if !old.closed => State::open(place, true, &[]),
            _ => State::in_memory(),
        };
        assert!(
            new.complete.is_empty(),
            "KV-2: what begins anew has no segment"
        );
        new.failure = new.failure.or(old.failure);
        new.closed = old.closed;
        *self.write_state() = new;
    }

    /// Begins anew when a failure made the store stale, or when its files have outgrown what they hold.
    /// Returns whether it did; the live segments are to be added again then.
    pub fn renew(&self) -> bool {
        let due = !self.read_state().closed && is_outgrown(&self.stats());
        if due {
            self.restart();
        }
        due
    }

    /// Whether the segment's index is complete and can answer.
    pub fn has(&self, segment: SegmentId) -> bool {
        self.read_state().complete.contains_key(&segment)
    }

    /// Adds the index of a segment: all of it or, after a failure or crash, nothing. A segment that is
    /// there already is left as it is, segments being immutable.
    ///
    /// # Errors
    /// `InvalidInput` when a trace is there twice or a run has no rows (the store stays usable);
    /// `Internal` when the store is stale or closed; else what failed, and the store is stale now.
    pub fn add_segment(&self, segment: SegmentId, index: &SegmentIndex) -> Result<()> {
        let _writer = self.lock_writer();
        if self.has(segment) {
            return Ok(());
        }
        let runs = sorted_runs(index)?;
        let rows = sorted_rows(index)?;
        let kv = self
            .kv()
            .ok_or_else(|| Error::internal("the metadata store is stale or closed"))?;
        let written = write_segment(kv.as_ref(), segment, &runs, &rows, index);
        let bytes = written.inspect_err(|error| self.fail(&kv, error))?;
        let mut state = self.write_state();
        if state.uses(&kv) {
            let before = state.complete.insert(segment, bytes);
            assert!(
                before.is_none(),
                "KV-2: one writer at a time completes a segment"
            );
        }
        Ok(())
    }

    /// Removes a segment, present or not. On a stale store there is nothing left to remove.
    ///
    /// # Errors
    /// What failed; the store is stale now.
    pub fn remove_segment(&self, segment: SegmentId) -> Result<()> {
        let _writer = self.lock_writer();
        self.write_state().complete.remove(&segment);
        debug_assert!(
            !self.has(segment),
            "KV-2: readers lose a segment before its blocks go"
        );
        match self.kv() {
            Some(kv) => {
                erase_segment(kv.as_ref(), segment).inspect_err(|error| self.fail(&kv, error))
            }
            None => Ok(()),
        }
    }

    /// Where the spans of a trace are in the segment's spans table; `None` when it has none of them.
    pub fn span_run(&self, segment: SegmentId, key: TraceKey) -> Lookup<Option<SpanRun>> {
        let found = self.lookup(segment, |kv| {
            let entry = blocks::find(kv, Family::SpanRun, segment, key.0)?;
            entry.map(decode_run).transpose()
        });
        let is_other = matches!(found, Lookup::Known(Some(run)) if run.key != key);
        assert!(!is_other, "KV-1: a lookup finds the key it looks for");
        found
    }

    /// The trace's row in the segment's traces table; `None` when it has none.
    pub fn trace_row(&self, segment: SegmentId, key: TraceKey) -> Lookup<Option<u32>> {
        self.lookup(segment, |kv| {
            let entry = blocks::find(kv, Family::TraceRow, segment, key.0)?;
            entry.map(|entry| row_number(entry.numbers[0])).transpose()
        })
    }

    /// Rows of the segment's traces table that may have this value: all that have it, and rarely one
    /// more whose value has the same hash, so callers check the value itself (QU-2).
    pub fn postings(
        &self,
        segment: SegmentId,
        kind: IndexKind,
        value: &str,
    ) -> Lookup<RoaringBitmap> {
        self.postings_of_hash(segment, kind, value_hash(kind, value))
    }

    fn postings_of_hash(
        &self,
        segment: SegmentId,
        kind: IndexKind,
        hash: u64,
    ) -> Lookup<RoaringBitmap> {
        let first = posting_key(hash, 0);
        let last = posting_key(hash, u32::MAX);
        let rows = self.lookup(segment, |kv| {
            let mut rows = Vec::new();
            let mut visit = |entry: Entry| rows.push(posting_row(entry.key));
            blocks::visit_range(kv, Family::of(kind), segment, first, last, &mut visit)?;
            Ok(rows)
        });
        rows.map(RoaringBitmap::from_iter)
    }

    /// The traces with spans in the segment, for naming what is lost with it.
    pub fn trace_keys(&self, segment: SegmentId) -> Lookup<Vec<TraceKey>> {
        self.lookup(segment, |kv| {
            let mut keys = Vec::new();
            let mut visit = |entry: Entry| keys.push(TraceKey(entry.key));
            blocks::visit_range(kv, Family::SpanRun, segment, 0, u128::MAX, &mut visit)?;
            Ok(keys)
        })
    }

    /// The traces that have spans or a row of their own in the segment; some twice.
    pub fn all_keys(&self, segment: SegmentId) -> Lookup<Vec<TraceKey>> {
        self.lookup(segment, |kv| {
            let mut keys = Vec::new();
            for family in [Family::SpanRun, Family::TraceRow] {
                let mut visit = |entry: Entry| keys.push(TraceKey(entry.key));
                blocks::visit_range(kv, family, segment, 0, u128::MAX, &mut visit)?;
            }
            Ok(keys)
        })
    }

    /// What the store holds otherwise than `index` says; `None` when it holds the same. For `check`.
    ///
    /// # Errors
    /// `InvalidInput` when `index` is impossible; what failed, and the store is stale then.
    pub fn difference(&self, segment: SegmentId, index: &SegmentIndex) -> Result<Option<String>> {
        let mut expected = vec![
            (Family::SpanRun, sorted_runs(index)?),
            (Family::TraceRow, sorted_rows(index)?),
        ];
        expected
            .extend(IndexKind::ALL.map(|kind| (Family::of(kind), sorted_postings(index, kind))));
        for (family, entries) in expected {
            let held = self.lookup(segment, |kv| {
                let mut held = Vec::with_capacity(entries.len());
                blocks::visit_range(kv, family, segment, 0, u128::MAX, &mut |entry| {
                    held.push(entry)
                })?;
                Ok(held)
            });
            match held {
                Lookup::Known(held) if held == entries => {}
                Lookup::Known(held) => {
                    let (held, wanted) = (held.len(), entries.len());
                    let what = format!(
                        "{family:?}: {held} entries differ from the {wanted} of the segment"
                    );
                    return Ok(Some(what));
                }
                Lookup::Unknown => {
                    let failure = self.stats().failure;
                    return Err(Error::corrupt(
                        failure.unwrap_or_else(|| "cannot be read".to_string()),
                    ));
                }
            }
        }
        Ok(None)
    }

    /// Syncs everything, so that the next open trusts it also after a restart of the machine. The
    /// store answers `Unknown` from now on. Dropping the store does the same.
    pub fn close(&self) {
        let _writer = self.lock_writer();
        let taken = {
            let mut state = self.write_state();
            state.closed = true;
            state.complete.clear();
            state.kv.take()
        };
        if let Some(Err(error)) = taken.map(Kv::close) {
            self.write_state().failure = Some(error.to_string());
        }
    }

    /// The state of the store.
    pub fn stats(&self) -> MetaStats {
        let state = self.read_state();
        let kv = state.kv.as_ref();
        MetaStats {
            generation: kv.and_then(|kv| kv.generation()),
            segments: state.complete.len(),
            live_bytes: state.complete.values().sum(),
            disk_bytes: kv.map_or(0, |kv| kv.disk_bytes()),
            open_duration_ns: state.open_duration_ns,
            degraded: state.degraded,
            stale: kv.is_none(),
            failure: state.failure.clone(),
        }
    }

    /// Reads under the shared lock, so that close waits for readers; a failure makes the store stale.
    fn lookup<T>(&self, segment: SegmentId, read: impl FnOnce(&dyn Kv) -> Result<T>) -> Lookup<T> {
        let state = self.read_state();
        assert!(
            state.kv.is_some() || state.complete.is_empty(),
            "KV-2: what is stale has no complete segment"
        );
        let Some(kv) = state
            .kv
            .as_ref()
            .filter(|_| state.complete.contains_key(&segment))
        else {
            return Lookup::Unknown;
        };
        match read(kv.as_ref()) {
            Ok(value) => Lookup::Known(value),
            Err(error) => {
                let kv = Arc::clone(kv);
                drop(state);
                self.fail(&kv, &error);
                Lookup::Unknown
            }
        }
    }

    /// Makes the store stale, unless it was restarted since.
    fn fail(&self, kv: &Arc<dyn Kv>, error: &Error) {
        let mut state = self.write_state();
        if state.uses(kv) {
            state.failure = Some(error.to_string());
            state.complete.clear();
            state.kv = None;
            drop(state);
            Arc::clone(kv).abandon();
        }
    }

    fn kv(&self) -> Option<Arc<dyn Kv>> {
        self.read_state().kv.clone()
    }

    fn lock_writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.wait_until_open();
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.wait_until_open();
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MetaStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl State {
    fn in_memory() -> Self {
        Self {
            kv: Some(Arc::new(MemKv::default())),
            ..Self::default()
        }
    }

    /// Opens what is there, else a new generation, else memory.
    fn open(place: &Place, fresh: bool, live: &[SegmentId]) -> Self {
        let started = Instant::now();
        let mut state = Self::default();
        for fresh in [fresh, true] {
            match SledKv::open(place, fresh).map(|kv| Arc::new(kv) as Arc<dyn Kv>) {
                Ok(kv) => match sweep(kv.as_ref(), live) {
                    Ok(complete) => {
                        state.complete = complete;
                        state.kv = Some(kv);
                        break;
                    }
                    Err(error) => {
                        state.failure = Some(error.to_string());
                        kv.abandon();
                    }
                },
                Err(error) => state.failure = Some(error.to_string()),
            }
        }
        if state.kv.is_none() {
            state.kv = Some(Arc::new(MemKv::default()));
            state.degraded = true;
        }
        assert!(
            state.kv.is_some(),
            "ST-5: whatever is on disk, there is a store"
        );
        state.open_duration_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        state
    }

    fn uses(&self, kv: &Arc<dyn Kv>) -> bool {
        self.kv.as_ref().is_some_and(|own| Arc::ptr_eq(own, kv))
    }
}

fn is_outgrown(stats: &MetaStats) -> bool {
    let allowed = stats
        .live_bytes
        .saturating_mul(FILES_TO_LIVE_MAX)
        .saturating_add(FILE_BYTES_FREE);
    stats.stale || stats.disk_bytes > allowed
}

/// Reads the record of every segment and erases what is incomplete or not live.
fn sweep(kv: &dyn Kv, live: &[SegmentId]) -> Result<BTreeMap<SegmentId, u64>> {
    let live: BTreeSet<_> = live.iter().collect();
    let mut complete = BTreeMap::new();
    for segment in recorded_segments(kv)? {
        let (state, bytes) = read_record(kv, segment)?;
        if state == COMPLETE && live.contains(&segment) {
            complete.insert(segment, bytes);
        } else {
            erase_segment(kv, segment)?;
        }
    }
    Ok(complete)
}

fn recorded_segments(kv: &dyn Kv) -> Result<Vec<SegmentId>> {
    let last = keys::key(Family::Segment, SegmentId(u128::MAX), u128::MAX);
    let mut first = keys::key(Family::Segment, SegmentId(0), 0);
    let mut segments = Vec::new();
    loop {
        let found = kv.keys(&first, &last, KEYS_PER_STEP)?;
        for key in &found {
            let parsed = keys::parse(Family::Segment, key);
            let (segment, _) =
                parsed.ok_or_else(|| Error::corrupt("a segment record has a bad key"))?;
            segments.push(segment);
        }
        match segments.last() {
            Some(last) if found.len() == KEYS_PER_STEP => {
                first = keys::key(Family::Segment, *last, 1)
            }
            _ => return Ok(segments),
        }
    }
}

fn read_record(kv: &dyn Kv, segment: SegmentId) -> Result<(u8, u64)> {
    let wanted = keys::key(Family::Segment, segment, 0);
    let bad = || {
        Error::corrupt(format!(
            "the record of {segment:?} in the metadata store is bad"
        ))
    };
    let (key, value) = kv
        .get_le(&wanted)?
        .filter(|(key, _)| key.as_slice() == wanted)
        .ok_or_else(bad)?;
    let (state, bytes) = keys::unseal(&key, &value)?.split_first().ok_or_else(bad)?;
    let bytes = bytes.try_into().map_err(|_| bad())?;
    Ok((*state, u64::from_le_bytes(bytes)))
}

fn write_record(kv: &dyn Kv, segment: SegmentId, state: u8, bytes: u64) -> Result<()> {
    assert!(
        state == COMPLETE || bytes == 0,
        "KV-2: what is being built counts for nothing"
    );
    let key = keys::key(Family::Segment, segment, 0);
    let mut body = vec![state];
    body.extend_from_slice(&bytes.to_le_bytes());
    kv.put(&key, &keys::seal(&key, &body))
}

/// Writes all blocks, then the record that makes them count; returns their bytes.
fn write_segment(
    kv: &dyn Kv,
    segment: SegmentId,
    runs: &[Entry],
    rows: &[Entry],
    index: &SegmentIndex,
) -> Result<u64> {
    write_record(kv, segment, BUILDING, 0)?;
    erase_blocks(kv, segment)?;
    let mut bytes = blocks::write(kv, Family::SpanRun, segment, runs)?;
    bytes += blocks::write(kv, Family::TraceRow, segment, rows)?;
    for kind in IndexKind::ALL {
        bytes += blocks::write(kv, Family::of(kind), segment, &sorted_postings(index, kind))?;
    }
    kv.flush()?;
    write_record(kv, segment, COMPLETE, bytes)?;
    kv.flush()?;
    Ok(bytes)
}

fn erase_segment(kv: &dyn Kv, segment: SegmentId) -> Result<()> {
    write_record(kv, segment, BUILDING, 0)?;
    erase_blocks(kv, segment)?;
    kv.remove(&keys::key(Family::Segment, segment, 0))
}

fn erase_blocks(kv: &dyn Kv, segment: SegmentId) -> Result<()> {
    for family in Family::BLOCKS {
        let first = keys::key(family, segment, 0);
        let last = keys::key(family, segment, u128::MAX);
        loop {
            let found = kv.keys(&first, &last, KEYS_PER_STEP)?;
            for key in &found {
                kv.remove(key)?;
            }
            if found.len() < KEYS_PER_STEP {
                break;
            }
        }
    }
    Ok(())
}

fn sorted_runs(index: &SegmentIndex) -> Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(index.span_runs.len());
    for run in &index.span_runs {
        if run.row_count == 0 || run.first_row.checked_add(run.row_count - 1).is_none() {
            return Err(Error::invalid_input(format!(
                "trace {:032x} has an impossible run",
                run.key.0
            )));
        }
        let root = run.root_row.map_or(0, |row| u64::from(row) + 1);
        entries.push(Entry {
            key: run.key.0,
            numbers: [run.first_row.into(), run.row_count.into(), root],
        });
    }
    sort_distinct(entries)
}

fn sorted_rows(index: &SegmentIndex) -> Result<Vec<Entry>> {
    let entry = |(key, row): &(TraceKey, u32)| Entry {
        key: key.0,
        numbers: [(*row).into(), 0, 0],
    };
    sort_distinct(index.trace_rows.iter().map(entry).collect())
}

fn sort_distinct(mut entries: Vec<Entry>) -> Result<Vec<Entry>> {
    entries.sort_unstable();
    match entries.array_windows().find(|[a, b]| a.key == b.key) {
        Some([a, _]) => Err(Error::invalid_input(format!(
            "trace {:032x} is in a segment twice",
            a.key
        ))),
        None => Ok(entries),
    }
}

fn sorted_postings(index: &SegmentIndex, kind: IndexKind) -> Vec<Entry> {
    let of_kind = index.postings.iter().filter(|(own, _, _)| *own == kind);
    let mut keys: Vec<u128> = of_kind
        .map(|(_, hash, row)| posting_key(*hash, *row))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .map(|key| Entry {
            key,
            numbers: [0; 3],
        })
        .collect()
}

fn posting_key(hash: u64, row: u32) -> u128 {
    let key = (u128::from(hash) << 32) | u128::from(row);
    debug_assert_eq!(posting_row(key), row, "a posting says its row");
    key
}

fn posting_row(key: u128) -> u32 {
    (key & u128::from(u32::MAX)) as u32
}

fn decode_run(entry: Entry) -> Result<SpanRun> {
    let [first_row, row_count, root] = entry.numbers;
    Ok(SpanRun {
        key: TraceKey(entry.key),
        first_row: row_number(first_row)?,
        row_count: row_number(row_count)?,
        root_row: root.checked_sub(1).map(row_number).transpose()?,
    })
}

fn row_number(number: u64) -> Result<u32> {
    u32::try_from(number)
        .map_err(|_| Error::corrupt("a row number of the metadata store is too large"))
}

#[cfg(test)]
mod tests;
