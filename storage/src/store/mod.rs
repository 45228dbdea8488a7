//! The store: what is durable, what is in memory, and the one place where they change.
//!
//! ```text
//! append -> queue -> [log lock: WAL append + one fdatasync] == acknowledged == -> [state lock: apply] == visible ==
//! seal:    frozen memtable -> segment files + text -> manifest edit == committed == -> swap -> cut the WAL
//! compact: segments -> one segment -> manifest edit -> swap -> old files unlinked with their last reader
//! ```
//!
//! **Locks**, taken in this order: `maintenance` (seal, compact), `log` (WAL; its holder is the group
//! commit leader), `manifest`, `holds` (who keeps files of the log), `state` (held for memory work only, never over file
//! writes), so readers never wait for a disk.
//!
//! **Invariants** ST-1 to ST-6 of ARCHITECTURE.md; ST-1 in `commit.rs`, ST-2 in `seal.rs` and
//! `compact.rs`, ST-3 in `apply.rs`, ST-5 in `snapshot/segment_keys.rs`, ST-6 in `wal` and `open.rs`.

mod apply;
mod apply_logs;
mod bounds;
mod catalog;
mod commit;
mod compact;
mod erase;
mod follow;
mod held;
mod holds;
mod index;
mod lookup;
mod open;
pub(crate) mod operation;
mod order;
mod replace;
mod replay;
mod seal;
mod settle;
mod stats;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use catalog::CATALOG_DIR;
pub use commit::Prepared;
pub use compact::Compacted;
pub use erase::Erased;
pub use held::{HeldReader, HeldSpans};
pub(crate) use holds::{HOLDS, read_holds};
pub use holds::{HoldLimits, HoldStatus, WhenFull};
pub use open::FORMAT_VERSION;
pub(crate) use open::{
    create_folders, is_of_layout, named_entries, open_meta_store, raise_format, read_format,
    read_uuid, take_lock, write_format, write_small_file,
};
pub use operation::{Applied, Assess, Reassess};
pub use stats::StoreStats;
pub use texts::RowText;

use roaring::RoaringBitmap;

use crate::env::{Env, EnvLock, ScratchSpace};
use crate::error::{Error, ErrorKind, Result};
use crate::fold::join::{Refill, keep_columns};
use crate::fold::{HintOfTop, plain_hint};
use crate::kv::MetaStore;
use crate::manifest::{Manifest, ManifestEdit, ManifestState, SegmentId};
use crate::memtable::{MemView, Memtable, SourceId};
use crate::readers::PendingDeletions;
use crate::schema::Table;
use crate::segment::{BlockCache, OPEN_FILES_MAX};
use crate::snapshot::Snapshot;
use crate::snapshot::{Rows, Segment, Source};
use crate::wal::WalWriter;

/// Settings of a store; plain data.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// A memtable of this many bytes is frozen and sealed.
    pub flush_bytes_max: usize,
    /// Segments of the same size tier that make a compaction worth while.
    pub compaction_segments_min: usize,
    /// A segment with more spans is not compacted further.
    pub segment_rows_max: u32,
    /// Build text indexes: a merged segment has its own from the start, and so has one sealed inside
    /// the writing call; others get theirs later, from another thread.
    pub index_text: bool,
    /// Write-ahead log on; off only where the environment keeps nothing anyway (`:memory:`).
    pub durable: bool,
    /// Seal inside the writing call when the memtable is full, instead of waiting for a maintenance
    /// thread.
    pub inline_maintenance: bool,
    /// Memory for decoded columns of segments.
    pub cache_bytes_max: usize,
    /// Files of segments that are kept open besides those being read.
    pub open_files_max: usize,
    /// The log is sealed away when it would become longer than this.
    pub wal_bytes_max: u64,
    /// The log is sealed away when it would have more records than this: each costs the next open something,
    /// however small it is.
    pub wal_records_max: u64,
    /// An open that finds more files of the log than this seals them away.
    pub wal_files_max: usize,
    /// With this many segments that can still be merged, writers wait until they are.
    pub segments_max: usize,
    /// Bytes that writes leave free on the file system, at most a twentieth of it: deletes, merges and
    /// erases need some to make room.
    pub disk_reserve_bytes: u64,
    /// Longest time that a write waits for rows before it to be sealed or merged; `None`: as long as that
    /// makes progress.
    pub write_wait: Option<Duration>,
    /// Take no lock and write nothing: the state as of now, for reading.
    pub read_only: bool,
    /// Makes the typed columns of a span anew that log records were joined to.
    pub refill: Refill,
    /// What a top span says of its trace.
    pub hint_of_top: HintOfTop,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            flush_bytes_max: 256 << 20,
            compaction_segments_min: 16,
            segment_rows_max: 256_000,
            index_text: true,
            durable: true,
            inline_maintenance: false,
            cache_bytes_max: 512 << 20,
            open_files_max: OPEN_FILES_MAX,
            wal_bytes_max: 1 << 30,
            wal_records_max: 8_192,
            wal_files_max: 32,
            segments_max: 512,
            disk_reserve_bytes: 64 << 20,
            write_wait: None,
            read_only: false,
            refill: keep_columns,
            hint_of_top: plain_hint,
        }
    }
}

/// The durable state of one database.
#[derive(Debug)]
pub struct Store {
    env: Arc<dyn Env>,
    options: StoreOptions,
    db_uuid: u128,
    meta_store: Arc<MetaStore>,
    cache: Arc<BlockCache>,
    deletions: Arc<PendingDeletions>,
    queue: Mutex<VecDeque<commit::Pending>>,
    log: Mutex<Log>,
    maintenance: Mutex<()>,
    /// Set to end a background compaction early.
    interrupted: AtomicBool,
    /// `None` in a store that only reads.
    manifest: Mutex<Option<Manifest>>,
    state: Mutex<State>,
    /// Who holds files of the log; see `holds.rs`.
    holds: Mutex<holds::Holds>,
    /// Whether one of them refuses writes: writers do not wait for who reads the log.
    held_full: AtomicBool,
    /// Signals a frozen memtable to the maintenance thread, and its end to a waiting writer.
    changed: Condvar,
    /// How far a store that only reads has read; `None` in others.
    follow: Mutex<Option<follow::Follow>>,
    /// The process that opened it.
    pid: u32,
    /// `None` in a store that only reads.
    _lock: Option<Box<dyn EnvLock>>,
}

/// The write-ahead log and the next sequence number; behind the `log` lock.
#[derive(Debug)]
struct Log {
    /// `None` when the store is not durable.
    wal: Option<WalWriter>,
    next_sequence: u64,
}

/// Everything in memory; behind the `state` lock.
#[derive(Debug)]
pub(crate) struct State {
    active: Memtable,
    frozen: Option<Arc<Memtable>>,
    segments: Vec<Arc<Segment>>,
    /// The frozen memtable and the segments, newest first; see `lookup.rs`.
    older: Vec<Source>,
    manifest: Arc<ManifestState>,
    /// The last snapshot taken, while nothing has changed since.
    snapshot: Option<Snapshot>,
    closed: bool,
    /// Segments whose text index some thread is building.
    indexing: BTreeSet<SegmentId>,
    /// Segments whose text index could not be built.
    unindexable: Vec<SegmentId>,
    /// Why the frozen memtable could not be sealed, when the last attempt failed.
    seal_failure: Option<(ErrorKind, String)>,
    /// Why segments could not be merged when that was urgent, if the last attempt failed.
    merge_failure: Option<(ErrorKind, String)>,
    /// Writes that were logged and could not be applied.
    refused_writes: u64,
    /// As in the options.
    refill: Refill,
    /// As in [`StoreOptions`].
    hint_of_top: HintOfTop,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// A consistent view of everything acknowledged so far.
    ///
    /// # Errors
    /// Whatever reading older spans of a changed trace gives.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.check_process()?;
        self.follow_writer()?;
        let mut state = lock(&self.state);
        if let Some(snapshot) = &state.snapshot {
            return Ok(snapshot.clone());
        }
        state.fold_dirty()?;
        assert!(
            state.active.dirty.is_empty(),
            "a snapshot sees traces as they are folded"
        );
        let snapshot = Snapshot::new(
            state.active.last_sequence,
            state.sources(),
            state.manifest.catalog.clone(),
        );
        state.snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Commits an edit, and changes memory as it says before anyone else commits: masks and segments belong
    /// together. `change` gets the state with its new manifest.
    pub(crate) fn commit_manifest(
        &self,
        edit: ManifestEdit,
        change: impl FnOnce(&mut State),
    ) -> Result<Arc<ManifestState>> {
        let mut manifest = lock(&self.manifest);
        let Some(manifest) = manifest.as_mut() else {
            return Err(Error::invalid_input(
                "the database is open for reading only",
            ));
        };
        let committed = manifest.commit(edit)?;
        let mut state = lock(&self.state);
        state.install(committed.clone());
        state.snapshot = None;
        change(&mut state);
        Ok(committed)
    }

    /// The environment the store lives in.
    pub fn env(&self) -> &Arc<dyn Env> {
        &self.env
    }

    /// What it was opened with.
    pub(crate) fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// The index of its segments.
    pub(crate) fn meta_store(&self) -> &MetaStore {
        &self.meta_store
    }

    /// Where queries put what they cannot keep in memory; `None` for a database in memory.
    pub fn scratch_space(&self) -> Option<ScratchSpace> {
        (!self.env.is_in_memory()).then(|| ScratchSpace::new(self.env.clone()))
    }

    /// Identifies the database.
    pub fn db_uuid(&self) -> u128 {
        self.db_uuid
    }

    /// Seals what is in memory and stops. Later writes are refused; snapshots stay readable.
    ///
    /// # Errors
    /// Whatever sealing gives; the write-ahead log still has everything then.
    pub fn close(&self) -> Result<()> {
        let sealed = if self.options.read_only {
            Ok(())
        } else {
            self.seal().and_then(|()| self.settle())
        };
        lock(&self.state).closed = true;
        self.changed.notify_all();
        self.deletions.clear(self.env.as_ref());
        self.meta_store.close();
        sealed
    }

    fn settle(&self) -> Result<()> {
        lock(&self.manifest)
            .as_mut()
            .map_or(Ok(()), Manifest::settle)
    }

    /// Waits until a memtable is frozen, the store is closed, or `idle` has passed. Returns whether
    /// there is one to seal.
    pub fn wait_for_frozen(&self, idle: std::time::Duration) -> bool {
        let state = lock(&self.state);
        if state.frozen.is_some() || state.closed {
            return state.frozen.is_some();
        }
        let waited = self
            .changed
            .wait_timeout(state, idle)
            .unwrap_or_else(PoisonError::into_inner);
        waited.0.frozen.is_some()
    }

    /// Prepares the next segment of which it is not known in memory which traces it has. Returns whether there
    /// was one.
    pub fn warm_next(&self) -> bool {
        let segments = lock(&self.state).segments.clone();
        segments.iter().any(|segment| segment.warm())
    }

    /// Ends a background compaction early, for good: the database is about to be closed.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    /// Wakes whoever waits in [`Store::wait_for_frozen`].
    pub fn wake(&self) {
        self.changed.notify_all();
    }

    /// A forked process shares the lock and the files' offsets with the one it came from: it must not go on
    /// with them.
    fn check_process(&self) -> Result<()> {
        if self.pid != std::process::id() {
            let pid = self.pid;
            return Err(Error::new(
                ErrorKind::Closed,
                format!(
                    "the database was opened by process {pid}, of which this is a fork: open it again"
                ),
            ));
        }
        Ok(())
    }

    /// Whether this process is a fork of the one that opened the store.
    pub fn is_forked(&self) -> bool {
        self.check_process().is_err()
    }

    /// Whether writes are accepted.
    ///
    /// # Errors
    /// `Closed` after a close or a failed sync, and in a forked process; `InvalidInput` for a store that only reads.
    pub fn check_usable(&self) -> Result<()> {
        self.check_open()
    }

    fn check_open(&self) -> Result<()> {
        self.check_process()?;
        if self.options.read_only {
            return Err(Error::invalid_input(
                "the database is open for reading only",
            ));
        }
        if lock(&self.state).closed {
            return Err(Error::new(ErrorKind::Closed, "the database is closed"));
        }
        Ok(())
    }
}

/// The file that says which traces are being erased.
pub(crate) const ERASE_INTENT: &str = "ERASE";

/// The folder of a segment, relative to the database.
pub(crate) fn segment_dir(id: SegmentId) -> PathBuf {
    Path::new("seg").join(id.to_string())
}

impl State {
    /// All sources, oldest first, with every row that anything newer masks.
    fn sources(&self) -> Vec<Source> {
        let mut sources = Vec::with_capacity(self.segments.len() + 2);
        for segment in &self.segments {
            sources.push(self.source(Rows::Segment(segment.clone())));
        }
        if let Some(frozen) = &self.frozen {
            sources.push(self.source(Rows::Memtable(frozen.view.clone())));
        }
        sources.push(self.source(Rows::Memtable(self.active.view.clone())));
        assert_eq!(
            sources.len(),
            self.older.len() + 1,
            "a snapshot has all sources"
        );
        sources
    }

    fn source(&self, rows: Rows) -> Source {
        let own = |table: Table| match &rows {
            Rows::Segment(segment) => self
                .manifest
                .masks
                .get(&(segment.id(), table))
                .cloned()
                .map(Arc::new),
            Rows::Memtable(view) => Some(view.log(table).mask().clone()),
        };
        let id = match &rows {
            Rows::Segment(segment) => SourceId::Segment(segment.id()),
            Rows::Memtable(view) => SourceId::Memtable(view.generation()),
        };
        let masks = Table::ALL.map(|table| {
            let mut mask = own(table);
            for newer in self.frozen.as_deref().into_iter().chain([&self.active]) {
                if let Some(rows) = newer.imposed.get(&id).and_then(|masks| masks.get(table)) {
                    *Arc::make_mut(mask.get_or_insert_default()) |= rows;
                }
            }
            mask.filter(|mask| !mask.is_empty())
        });
        Source::new(rows, masks)
    }

    /// Replaces the active memtable by an empty one and freezes it. The slot must be free.
    fn freeze(&mut self, next_sequence: u64) {
        assert!(
            self.frozen.is_none(),
            "there is at most one frozen memtable"
        );
        assert!(self.active.dirty.is_empty(), "what is sealed is folded");
        let last = self.active.last_sequence;
        assert!(
            next_sequence > last,
            "ST-2: sequence {last} is sealed with this memtable, not with the next"
        );
        let generation = self.active.view.generation() + 1;
        let full = std::mem::replace(&mut self.active, Memtable::new(generation, next_sequence));
        self.frozen = Some(Arc::new(full));
        self.rebuild_older();
    }

    /// Takes over a committed manifest.
    fn install(&mut self, committed: Arc<ManifestState>) {
        let (before, now) = (self.manifest.version, committed.version);
        assert_eq!(
            now,
            before + 1,
            "ST-2: memory follows the manifest commit by commit"
        );
        assert!(
            committed.replay_from >= self.manifest.replay_from,
            "ST-2: what was sealed stays so"
        );
        self.manifest = committed;
    }

    /// Asserts what holds of segments, memtables and masks whenever one of them came or went.
    fn assert_whole(&self) {
        let live: BTreeSet<SegmentId> = self
            .manifest
            .segments
            .iter()
            .map(|segment| segment.id)
            .collect();
        let open: BTreeSet<SegmentId> = self.segments.iter().map(|segment| segment.id()).collect();
        assert_eq!(
            open, live,
            "ST-2: the segments in memory are those of the manifest"
        );
        assert_eq!(open.len(), self.segments.len(), "a segment is open once");
        let older = self.segments.len() + usize::from(self.frozen.is_some());
        assert_eq!(
            self.older.len(),
            older,
            "lookups see all that is older than what is active"
        );
        let frozen = self.frozen.as_deref();
        assert!(
            frozen.is_none_or(|frozen| frozen.dirty.is_empty()),
            "what is frozen is folded"
        );
        assert!(
            frozen.is_none_or(|frozen| frozen.last_sequence < self.active.first_sequence),
            "ST-3: what is frozen is older than what is active"
        );
        let of_segments = |source: &SourceId| matches!(source, SourceId::Segment(_));
        assert!(
            frozen.is_none_or(|frozen| frozen.imposed.keys().all(of_segments)),
            "ST-3: what is frozen masks rows of segments alone"
        );
        for (source, masks) in self
            .active
            .imposed
            .iter()
            .chain(frozen.into_iter().flat_map(|m| &m.imposed))
        {
            let masked = self.older.iter().find(|older| older.id() == *source);
            assert!(
                masked.is_some(),
                "ST-3: {source:?} has masked rows, and is no older source"
            );
            let is_there = |(table, rows): (Table, &RoaringBitmap)| {
                masked
                    .is_some_and(|source| rows.max().is_some_and(|last| last < source.rows(table)))
            };
            assert!(
                masks.iter().all(is_there),
                "ST-3: rows that are masked in {source:?} are there"
            );
        }
    }

    /// The view of the frozen or active memtable of a generation.
    fn view(&self, generation: u64) -> Option<&MemView> {
        let memtables = self.frozen.as_deref().into_iter().chain([&self.active]);
        memtables
            .map(|memtable| &memtable.view)
            .find(|view| view.generation() == generation)
    }
}
