//! Opening: from what is on disk to a store that takes writes.
//!
//! 1. Lock; check or create `FORMAT`.
//! 2. Manifest: the live segments and where replay starts. Segments are opened lazily; a damaged one
//!    fails the queries that touch it, not the open.
//! 3. Metadata store: opened only when that is safe, else begun anew (ST-5).
//! 4. Replay the log into a memtable (ST-3). A torn tail ends it; damage stops the open with nothing
//!    modified (ST-6).
//! 5. Remove what no manifest names, and start a new log file, which begins with what is in doubt of the last.
//! 6. Seal what was in the log when that has many records or files: processes that end without closing, such as
//!    single commands, leave one file each.
//!
//! Every step may be interrupted and run again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};

use serde::{Deserialize, Serialize};

use super::holds::Holds;
use super::operation::Operation;
use super::replay::Replay;
use super::{CATALOG_DIR, ERASE_INTENT, HOLDS};
use super::{Log, State, Store, StoreOptions, segment_dir};
use crate::columns::text;
use crate::env::{Env, EnvLock, Folder};
use crate::error::{Error, ErrorKind, Result, guarded};
use crate::kv::MetaStore;
use crate::manifest::{Manifest, ManifestState, SegmentId};
use crate::memtable::Memtable;
use crate::model::TraceKey;
use crate::readers::{PendingDeletions, remove_any};
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::segment::{BlockCache, SegmentReader};
use crate::snapshot::{Segment, SegmentText};
use crate::wal::{self, Replayed, WalWriter};

/// The log's folder.
const WAL_DIR: &str = "wal";

/// The on-disk format this version writes and reads.
pub const FORMAT_VERSION: u32 = 4;

/// The oldest format that this version reads, and writes on with after raising it.
pub const FORMAT_VERSION_MIN: u32 = 3;

/// The files in the folder of a database, beside [`FOLDERS`]. `ERASE` is there while an erase is under way,
/// `HOLDS` while somebody holds files of the log.
const FILES: [&str; 7] = [
    "FORMAT",
    "FORMAT.tmp",
    "LOCK",
    ERASE_INTENT,
    "ERASE.tmp",
    HOLDS,
    "HOLDS.tmp",
];

/// The folders in the folder of a database.
const FOLDERS: [&str; 8] = [
    "manifest",
    WAL_DIR,
    "seg",
    CATALOG_DIR,
    "kv",
    "tmp",
    "readers",
    "quarantine",
];

/// Whether a database has a file or folder of this name.
pub(crate) fn is_of_layout(name: &str) -> bool {
    FILES.contains(&name) || FOLDERS.contains(&name)
}

/// Makes the folders of a database.
///
/// # Errors
/// `Io`, naming the folder.
pub(crate) fn create_folders(env: &dyn Env) -> Result<()> {
    for dir in FOLDERS {
        env.create_dir_all(Path::new(dir))
            .map_err(|e| Error::io(dir, e))?;
    }
    Ok(())
}

/// The folders in which a manifest names things, with the names; what else is there is left from unfinished work.
pub(crate) fn named_entries(manifest: &ManifestState) -> [(&'static str, Vec<String>); 3] {
    let segments = manifest
        .segments
        .iter()
        .map(|segment| segment.id.to_string());
    let files = manifest.catalog.iter().map(|file| file.name.clone());
    [
        ("seg", segments.collect()),
        (CATALOG_DIR, files.collect()),
        ("tmp", Vec::new()),
    ]
}

/// Contents of the `FORMAT` file, JSON text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Format {
    /// 32 hex digits.
    db_uuid: String,
    format_version: u32,
    /// Older versions than this must not read the database.
    reader_version_min: u32,
    /// Older versions than this must not write it.
    writer_version_min: u32,
    #[serde(default)]
    pub(crate) features: Vec<String>,
}

impl Format {
    fn new(db_uuid: u128) -> Self {
        Self {
            db_uuid: format!("{db_uuid:032x}"),
            format_version: FORMAT_VERSION,
            reader_version_min: FORMAT_VERSION,
            writer_version_min: FORMAT_VERSION,
            features: Vec::new(),
        }
    }

    fn db_uuid(&self) -> Result<u128> {
        u128::from_str_radix(&self.db_uuid, 16).map_err(|_| {
            Error::corrupt(format!(
                "FORMAT has the db_uuid {:?}: 32 hex digits expected",
                self.db_uuid
            ))
        })
    }
}

impl Store {
    /// Opens the database in the root of `env`, creating it when there is none.
    ///
    /// # Errors
    /// `Conflict` when another process has it open, `InvalidInput` for a folder that is no database or
    /// one of a newer format, `Corrupt` for damage in manifest or log, `Io` otherwise.
    pub fn open(env: Arc<dyn Env>, options: StoreOptions) -> Result<Arc<Store>> {
        if options.read_only {
            return Self::open_to_read(env, options);
        }
        let lock_file = take_lock(env.as_ref())?;
        let db_uuid = open_format(&env, options.durable)?;
        Self::open_locked(env, options, lock_file, db_uuid, &mut None)
    }

    /// Opens with the lock held. With a list for what is damaged in the log, that is left out and told
    /// there; otherwise it ends the open.
    pub(crate) fn open_locked(
        env: Arc<dyn Env>,
        options: StoreOptions,
        lock_file: Box<dyn EnvLock>,
        db_uuid: u128,
        salvaged: &mut Option<Vec<String>>,
    ) -> Result<Arc<Store>> {
        let (manifest, manifest_state) = Manifest::recover(&env, Path::new("manifest"))?;
        let (live, catalog) = named_by(&manifest_state);
        let meta_store = Arc::new(open_meta_store(env.as_ref(), db_uuid, &live));
        let (cache, deletions) = new_caches(&options);
        let holds = Holds::read(env.as_ref())?;
        let mut state = open_state(
            &env,
            &options,
            manifest_state,
            (&meta_store, &cache, &deletions),
            &[],
        )?;
        let replayed = match salvaged {
            Some(damage) => Some(salvage(env.as_ref(), &mut state, damage)?),
            None => options
                .durable
                .then(|| replay(env.as_ref(), &mut state))
                .transpose()?,
        };
        let version = state.manifest.version;
        remove_unnamed(env.as_ref(), &live, &catalog, &deletions, version)?;
        let replay_from = state.manifest.replay_from;
        // Files before the replay point are kept by a hold; sealing does not make them fewer.
        let files = replayed.as_ref().map_or(0, |replayed| {
            let needed = |(_, _, last): &&(PathBuf, u64, u64)| *last >= replay_from;
            replayed.files.iter().filter(needed).count()
        });
        let replayed = replayed.filter(|_| options.durable);
        let wal = open_log(&env, replayed.as_ref(), salvaged.is_some())?;
        let next_sequence = match &wal {
            Some(wal) => wal.next_sequence(),
            None => state.manifest.replay_from.max(1),
        };
        let last = state.active.last_sequence;
        let is_next = next_sequence == last + 1 || salvaged.is_some() && next_sequence > last;
        assert!(
            is_next,
            "ST-3, ST-6: {next_sequence} follows {last}: all is applied, and once"
        );
        let log = Log { wal, next_sequence };
        let mut store = Self::assemble(
            env,
            options,
            db_uuid,
            (meta_store, cache, deletions),
            log,
            Some(manifest),
            state,
            Some(lock_file),
        );
        if let Some(store) = Arc::get_mut(&mut store) {
            store.holds = Mutex::new(holds.not_behind(next_sequence));
        }
        // Who salvages seals what is left.
        if salvaged.is_none() {
            store.fold_long_log(files);
        }
        Ok(store)
    }

    /// The segments alone, without the log and the metadata store, to replace some: for repair.
    pub(crate) fn open_segments_alone(
        env: &Arc<dyn Env>,
        options: StoreOptions,
    ) -> Result<Arc<Store>> {
        let (manifest, manifest_state) = Manifest::recover(env, Path::new("manifest"))?;
        let meta_store = Arc::new(MetaStore::in_memory());
        let (cache, deletions) = new_caches(&options);
        let state = open_state(
            env,
            &options,
            manifest_state,
            (&meta_store, &cache, &deletions),
            &[],
        )?;
        let log = Log {
            wal: None,
            next_sequence: 0,
        };
        Ok(Self::assemble(
            env.clone(),
            options,
            0,
            (meta_store, cache, deletions),
            log,
            Some(manifest),
            state,
            None,
        ))
    }

    /// The database as of now, without the writer's lock. It follows the writer: see `follow.rs`.
    fn open_to_read(env: Arc<dyn Env>, options: StoreOptions) -> Result<Arc<Store>> {
        let db_uuid = read_format(env.as_ref())?.db_uuid()?;
        let meta_store = Arc::new(MetaStore::in_memory());
        let (cache, deletions) = new_caches(&options);
        let held = (meta_store, cache, deletions);
        let (state, follow) = super::follow::read_newest(&env, &options, &held, &[])?;
        let log = Log {
            wal: None,
            next_sequence: 0,
        };
        let mut store = Self::assemble(env, options, db_uuid, held, log, None, state, None);
        if let Some(store) = Arc::get_mut(&mut store) {
            store.follow = Mutex::new(Some(follow));
        }
        Ok(store)
    }

    #[allow(clippy::too_many_arguments)]
    fn assemble(
        env: Arc<dyn Env>,
        options: StoreOptions,
        db_uuid: u128,
        (meta_store, cache, deletions): (Arc<MetaStore>, Arc<BlockCache>, Arc<PendingDeletions>),
        log: Log,
        manifest: Option<Manifest>,
        state: State,
        lock_file: Option<Box<dyn EnvLock>>,
    ) -> Arc<Store> {
        Arc::new(Store {
            env,
            options,
            db_uuid,
            meta_store,
            cache,
            deletions,
            queue: Mutex::default(),
            log: Mutex::new(log),
            maintenance: Mutex::new(()),
            interrupted: AtomicBool::new(false),
            manifest: Mutex::new(manifest),
            state: Mutex::new(state),
            changed: Condvar::new(),
            follow: Mutex::new(None),
            holds: Mutex::default(),
            held_full: AtomicBool::new(false),
            pid: std::process::id(),
            _lock: lock_file,
        })
    }
}

/// The metadata store of a database that the caller has locked. sled opens files by their path all the time:
/// where that may come to lead to another database, the store is in memory.
pub(crate) fn open_meta_store(env: &dyn Env, db_uuid: u128, live: &[SegmentId]) -> MetaStore {
    match env.folder(Path::new("kv")).filter(Folder::is_held) {
        Some(folder) => MetaStore::open(folder, &env.boot_id(), db_uuid, live),
        None => MetaStore::in_memory(),
    }
}

/// The segments and the files of the catalogue that a manifest names.
fn named_by(manifest: &ManifestState) -> (Vec<SegmentId>, Vec<String>) {
    let segments = manifest.segments.iter().map(|segment| segment.id);
    let files = manifest.catalog.iter().map(|file| file.name.clone());
    (segments.collect(), files.collect())
}

fn new_caches(options: &StoreOptions) -> (Arc<BlockCache>, Arc<PendingDeletions>) {
    (
        Arc::new(BlockCache::with_open_files(
            options.cache_bytes_max,
            options.open_files_max,
        )),
        Arc::default(),
    )
}

pub(super) fn open_state(
    env: &Arc<dyn Env>,
    options: &StoreOptions,
    manifest: ManifestState,
    (meta_store, cache, deletions): (&Arc<MetaStore>, &Arc<BlockCache>, &Arc<PendingDeletions>),
    known: &[Arc<Segment>],
) -> Result<State> {
    let mut state = State {
        active: Memtable::new(1, manifest.replay_from.max(1)),
        frozen: None,
        segments: open_segments(env, &manifest, meta_store, cache, deletions, known)?,
        older: Vec::new(),
        manifest: Arc::new(manifest),
        snapshot: None,
        closed: false,
        indexing: BTreeSet::new(),
        unindexable: Vec::new(),
        seal_failure: None,
        merge_failure: None,
        refused_writes: 0,
        refill: options.refill,
        hint_of_top: options.hint_of_top,
    };
    state.rebuild_older();
    Ok(state)
}

/// What the lock says of the program that holds it: its name, its command if it has one, our version. Other arguments
/// may be secrets.
fn holder() -> String {
    let mut arguments = std::env::args_os().map(PathBuf::from);
    let name = arguments
        .next()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let is_command =
        |word: &String| word.len() <= 20 && word.bytes().all(|c| c.is_ascii_lowercase());
    let command = arguments
        .next()
        .map(|word| word.to_string_lossy().into_owned())
        .filter(is_command);
    let words: Vec<String> = name.into_iter().chain(command).collect();
    format!(
        "{} (tracehouse {})",
        words.join(" "),
        env!("CARGO_PKG_VERSION")
    )
}

/// Takes the lock of the one writer.
///
/// # Errors
/// `Conflict` naming who holds it; `InvalidInput` for a folder of something else.
pub(crate) fn take_lock(env: &dyn Env) -> Result<Box<dyn EnvLock>> {
    let root = Path::new("");
    // A database that has a FORMAT file had its folder made durable before.
    if !env.exists(Path::new("FORMAT")) {
        env.create_root()
            .map_err(|e| Error::io("database folder", e))?;
    }
    // A creation that was cut short leaves the empty folders of the layout, and nothing else.
    if !env.exists(Path::new("FORMAT")) {
        let names = env
            .list(root)
            .map_err(|e| Error::io("database folder", e))?;
        if let Some(name) = names.iter().find(|name| !is_of_layout(name)) {
            return Err(Error::invalid_input(format!(
                "the folder is not a tracehouse database: it has no FORMAT file but has {name:?}"
            )));
        }
    }
    env.lock_root(&holder()).map_err(|e| match e.kind() {
        std::io::ErrorKind::WouldBlock => Error::new(
            ErrorKind::Conflict,
            format!("another process has the database open for writing ({e})"),
        ),
        _ => Error::io("LOCK", e),
    })
}

/// Reads `FORMAT`, or creates the layout with `FORMAT` last, so that a folder with it is complete.
fn open_format(env: &Arc<dyn Env>, durable: bool) -> Result<u128> {
    if !env.exists(Path::new("FORMAT")) {
        check_unfinished(env.as_ref())?;
        return create_layout(env, durable);
    }
    // Who renamed it may have died before this.
    env.sync_dir(Path::new(""))
        .map_err(|e| Error::io("database folder", e))?;
    raise_format(env.as_ref())
}

/// The id of a database that is about to be written, whose format is raised before anything is written that a
/// program of the version before would take for damage.
///
/// # Errors
/// As [`read_format`].
pub(crate) fn raise_format(env: &dyn Env) -> Result<u128> {
    let format = read_format(env)?;
    let db_uuid = format.db_uuid()?;
    if format.format_version < FORMAT_VERSION {
        write_format(env, db_uuid)?;
    }
    Ok(db_uuid)
}

/// Checks that a folder without `FORMAT` is one whose creation was cut short: nothing was ever written to it.
fn check_unfinished(env: &dyn Env) -> Result<()> {
    for dir in ["seg", CATALOG_DIR, WAL_DIR] {
        let path = Path::new(dir);
        let is_used = env.exists(path)
            && match dir {
                WAL_DIR => wal::has_records(env, path)?,
                _ => !env.list(path).map_err(|e| Error::io(dir, e))?.is_empty(),
            };
        if is_used {
            return Err(Error::corrupt(format!(
                "the file FORMAT is missing, and {dir} is not empty"
            )));
        }
    }
    Ok(())
}

/// Reads `FORMAT`.
///
/// # Errors
/// `InvalidInput` for another format, `Corrupt`, `Io`.
pub(crate) fn read_format(env: &dyn Env) -> Result<Format> {
    let bytes = env
        .read(Path::new("FORMAT"))
        .map_err(|e| Error::io("FORMAT", e))?;
    let format: Format = serde_json::from_slice(&bytes)
        .map_err(|e| Error::corrupt(format!("FORMAT is not what this program writes: {e}")))?;
    if format.reader_version_min > FORMAT_VERSION || format.writer_version_min > FORMAT_VERSION {
        return Err(Error::invalid_input(format!(
            "FORMAT: the database has format version {} and needs a program that knows version {}; this one knows {}",
            format.format_version,
            format.reader_version_min.max(format.writer_version_min),
            FORMAT_VERSION
        )));
    }
    if format.format_version < FORMAT_VERSION_MIN {
        return Err(Error::invalid_input(format!(
            "FORMAT: the database has format version {}, which was never released; this program reads versions {} to {}",
            format.format_version, FORMAT_VERSION_MIN, FORMAT_VERSION
        )));
    }
    format.db_uuid()?;
    Ok(format)
}

/// The id of the database, as `FORMAT` has it.
///
/// # Errors
/// As [`read_format`].
pub(crate) fn read_uuid(env: &dyn Env) -> Result<u128> {
    read_format(env)?.db_uuid()
}

fn create_layout(env: &Arc<dyn Env>, durable: bool) -> Result<u128> {
    let io = |what: &'static str| move |e| Error::io(what, e);
    // What an earlier attempt left.
    if env.exists(Path::new("manifest")) {
        env.remove_dir_all(Path::new("manifest"))
            .map_err(io("manifest"))?;
    }
    create_folders(env.as_ref())?;
    Manifest::create(env, Path::new("manifest"))?;
    if durable {
        WalWriter::create(env, Path::new(WAL_DIR), 1)?;
    }
    // The folders' names first: FORMAT may come to be known at any time after its renaming.
    env.sync_dir(Path::new("")).map_err(io("database folder"))?;
    assert!(
        !env.exists(Path::new("FORMAT")),
        "a folder becomes a database when all else is there"
    );
    write_format(env.as_ref(), env.new_ulid())
}

/// Writes a new `FORMAT`, which makes the folder a database.
///
/// # Errors
/// `Io`.
pub(crate) fn write_format(env: &dyn Env, db_uuid: u128) -> Result<u128> {
    let text = serde_json::to_vec(&Format::new(db_uuid))
        .map_err(|e| Error::internal(format!("FORMAT: {e}")))?;
    write_small_file(env, "FORMAT", &text)?;
    Ok(db_uuid)
}

/// Writes a file in the root as a whole or not at all, durably.
///
/// # Errors
/// `Io`.
pub(crate) fn write_small_file(env: &dyn Env, name: &str, content: &[u8]) -> Result<()> {
    let io = |e| Error::io(name, e);
    let tmp = format!("{name}.tmp");
    let tmp = Path::new(&tmp);
    if env.exists(tmp) {
        env.remove_file(tmp).map_err(io)?;
    }
    let mut file = env.create(tmp).map_err(io)?;
    file.write_all(content)
        .and_then(|()| file.sync_data())
        .map_err(io)?;
    env.rename(tmp, Path::new(name)).map_err(io)?;
    env.sync_dir(Path::new("")).map_err(io)
}

fn open_segments(
    env: &Arc<dyn Env>,
    manifest: &ManifestState,
    meta_store: &Arc<MetaStore>,
    cache: &Arc<BlockCache>,
    deletions: &Arc<PendingDeletions>,
    known: &[Arc<Segment>],
) -> Result<Vec<Arc<Segment>>> {
    let mut segments = Vec::with_capacity(manifest.segments.len());
    for meta in &manifest.segments {
        let dir = segment_dir(meta.id);
        if let Some(open) = known.iter().find(|segment| segment.id() == meta.id) {
            if !open.has_text() {
                open.set_text(text_in_place(env.as_ref(), &dir));
            }
            segments.push(open.clone());
            continue;
        }
        let reader = SegmentReader::open(env.clone(), dir.clone(), meta, cache.clone())?;
        let text = text_in_place(env.as_ref(), &dir);
        segments.push(Arc::new(Segment::new(
            env.clone(),
            dir,
            meta.clone(),
            reader,
            text,
            meta_store.clone(),
            deletions.clone(),
        )));
    }
    assert_eq!(
        segments.len(),
        manifest.segments.len(),
        "each live segment is open"
    );
    Ok(segments)
}

/// The text index of a segment in place, not opened yet.
fn text_in_place(env: &dyn Env, dir: &Path) -> SegmentText {
    let folder = dir.join("text");
    match env.folder(&folder).filter(|_| env.exists(&folder)) {
        Some(folder) => SegmentText::Closed(folder),
        None => SegmentText::Absent,
    }
}

/// The log to go on with; none for a store without one.
fn open_log(
    env: &Arc<dyn Env>,
    replayed: Option<&Replayed>,
    is_salvaged: bool,
) -> Result<Option<WalWriter>> {
    let Some(replayed) = replayed else {
        return Ok(None);
    };
    let dir = Path::new(WAL_DIR);
    // A file that holds something else may have the name of the next one; it was copied.
    match is_salvaged {
        true => WalWriter::restart(env, dir, replayed.last_sequence + 1).map(Some),
        false => WalWriter::resume(env, dir, replayed).map(Some),
    }
}

/// Applies the log to the state.
fn replay(env: &dyn Env, state: &mut State) -> Result<Replayed> {
    let replay_from = state.manifest.replay_from.max(1);
    let mut replay = Replay::new(state);
    let replayed = wal::replay(env, Path::new(WAL_DIR), replay_from, &mut |record| {
        replay.add(&record)
    })?;
    replay.finish()?;
    Ok(replayed)
}

/// Applies what can be read of the log, and tells what cannot. Who salvages seals what is in doubt.
fn salvage(env: &dyn Env, state: &mut State, damage: &mut Vec<String>) -> Result<Replayed> {
    // That a trace has older spans is told by its row, which may be lost.
    for older in state.older.clone() {
        for batch in older.scan(Table::Spans, &ScanRequest::columns(["trace_id"]))? {
            let batch = batch?;
            let keys = text(&batch, "trace_id")?.iter().flatten().map(TraceKey::of);
            state.active.known_older.extend(keys);
        }
    }
    wal::salvage(
        env,
        Path::new(WAL_DIR),
        state.manifest.replay_from.max(1),
        damage,
        &mut |record| {
            guarded("write-ahead log record", || {
                Operation::decode(record.kind, &record.payload)
            })
            .and_then(|operation| state.apply(operation, record.sequence).map(drop))
        },
    )
}

/// Removes unfinished work, and folders and files that no manifest names.
fn remove_unnamed(
    env: &dyn Env,
    live: &[SegmentId],
    catalog: &[String],
    deletions: &PendingDeletions,
    version: u64,
) -> Result<()> {
    let names: Vec<String> = live.iter().map(ToString::to_string).collect();
    for (dir, keep) in [("seg", names.as_slice()), (CATALOG_DIR, catalog)] {
        for name in env.list(Path::new(dir)).map_err(|e| Error::io(dir, e))? {
            if !keep.contains(&name) {
                deletions.delete(env, &Path::new(dir).join(&name), version);
            }
        }
    }
    deletions.clear(env);
    for name in env
        .list(Path::new("tmp"))
        .map_err(|e| Error::io("tmp", e))?
    {
        let path = Path::new("tmp").join(&name);
        remove_any(env, &path).map_err(|e| Error::io(path.display(), e))?;
    }
    Ok(())
}
