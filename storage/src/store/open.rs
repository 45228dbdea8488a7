//! Opening: from what is on disk to a store that takes writes.
//!
//! 1. Lock; check or create `FORMAT`.
//! 2. Manifest: the live segments and where replay starts. Segments are opened lazily; a damaged one
//!    fails the queries that touch it, not the open.
//! 3. Metadata store: opened only when that is safe, else begun anew (ST-5).
//! 4. Replay the log into a memtable (ST-3). A torn tail ends it; damage stops the open with nothing
//!    modified (ST-6).
//! 5. Remove what no manifest names, and start a new log file, which begins with what is in doubt of the last.
//!
//! Every step may be interrupted and run again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};

use serde::{Deserialize, Serialize};

use super::catalog::CATALOG_DIR;
use super::operation::Operation;
use super::seal::open_text;
use super::{Log, State, Store, StoreOptions, segment_dir};
use crate::env::{Env, EnvLock};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::MetaStore;
use crate::manifest::{Manifest, ManifestState, SegmentId};
use crate::memtable::Memtable;
use crate::segment::{BlockCache, SegmentReader};
use crate::source::Segment;
use crate::wal::{self, Replayed, WalWriter};

/// The log's folder.
const WAL_DIR: &str = "wal";

/// The on-disk format this version writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// Contents of the `FORMAT` file, JSON text.
#[derive(Debug, Serialize, Deserialize)]
struct Format {
    /// 32 hex digits.
    db_uuid: String,
    format_version: u32,
    /// Older versions than this must not read the database.
    reader_version_min: u32,
    /// Older versions than this must not write it.
    writer_version_min: u32,
    #[serde(default)]
    features: Vec<String>,
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
        let (manifest, manifest_state) = Manifest::recover(&env, Path::new("manifest"))?;
        let live: Vec<SegmentId> = manifest_state.segments.iter().map(|segment| segment.id).collect();
        let catalog: Vec<String> = manifest_state.catalog.iter().map(|file| file.name.clone()).collect();
        let meta_store = Arc::new(match env.real_path(Path::new("kv")) {
            Some(dir) => MetaStore::open(&dir, &env.boot_id(), db_uuid, &live),
            None => MetaStore::in_memory(),
        });
        let cache = Arc::new(BlockCache::new(options.cache_bytes_max));
        let mut state = open_state(&env, manifest_state, &meta_store, &cache)?;
        let replayed = options.durable.then(|| replay(env.as_ref(), &mut state)).transpose()?;
        remove_unnamed(env.as_ref(), &live, &catalog)?;
        let wal = match &replayed {
            Some(replayed) => Some(WalWriter::resume(&env, Path::new(WAL_DIR), replayed)?),
            None => None,
        };
        let next_sequence = match &wal {
            Some(wal) => wal.next_sequence(),
            None => state.manifest.replay_from.max(1),
        };
        let log = Log { wal, next_sequence };
        Ok(Self::assemble(
            env,
            options,
            db_uuid,
            (meta_store, cache),
            log,
            Some(manifest),
            state,
            Some(lock_file),
        ))
    }

    /// The database as of now, without lock and without a write. Files that a writer removes
    /// meanwhile make later reads fail.
    fn open_to_read(env: Arc<dyn Env>, options: StoreOptions) -> Result<Arc<Store>> {
        let db_uuid = read_format(env.as_ref())?;
        let manifest_state = Manifest::read(env.as_ref(), Path::new("manifest"))?;
        let meta_store = Arc::new(MetaStore::in_memory());
        let cache = Arc::new(BlockCache::new(options.cache_bytes_max));
        let mut state = open_state(&env, manifest_state, &meta_store, &cache)?;
        let next_sequence = replay(env.as_ref(), &mut state)?.last_sequence + 1;
        let log = Log { wal: None, next_sequence };
        Ok(Self::assemble(env, options, db_uuid, (meta_store, cache), log, None, state, None))
    }

    #[allow(clippy::too_many_arguments)]
    fn assemble(
        env: Arc<dyn Env>,
        options: StoreOptions,
        db_uuid: u128,
        (meta_store, cache): (Arc<MetaStore>, Arc<BlockCache>),
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
            queue: Mutex::default(),
            log: Mutex::new(log),
            maintenance: Mutex::new(()),
            interrupted: AtomicBool::new(false),
            manifest: Mutex::new(manifest),
            state: Mutex::new(state),
            changed: Condvar::new(),
            _lock: lock_file,
        })
    }
}

fn open_state(
    env: &Arc<dyn Env>,
    manifest: ManifestState,
    meta_store: &Arc<MetaStore>,
    cache: &Arc<BlockCache>,
) -> Result<State> {
    let mut state = State {
        active: Memtable::new(1, manifest.replay_from.max(1)),
        frozen: None,
        segments: open_segments(env, &manifest, meta_store, cache)?,
        older: Vec::new(),
        manifest: Arc::new(manifest),
        snapshot: None,
        closed: false,
        indexing: BTreeSet::new(),
        unindexable: Vec::new(),
        seal_failure: None,
        refused_writes: 0,
    };
    state.rebuild_older();
    Ok(state)
}

fn take_lock(env: &dyn Env) -> Result<Box<dyn EnvLock>> {
    let root = Path::new("");
    // A database that has a FORMAT file had its folder made durable before.
    if !env.exists(Path::new("FORMAT")) {
        env.create_root().map_err(|e| Error::io("database folder", e))?;
    }
    // A creation that was cut short leaves the empty folders of the layout, and nothing else.
    let layout =
        ["LOCK", "FORMAT.tmp", "manifest", "wal", "seg", "catalog", "kv", "tmp", "readers", "quarantine"];
    if !env.exists(Path::new("FORMAT")) {
        let names = env.list(root).map_err(|e| Error::io("database folder", e))?;
        if let Some(name) = names.iter().find(|name| !layout.contains(&name.as_str())) {
            return Err(Error::invalid_input(format!(
                "the folder is not a tracehouse database: it has no FORMAT file but has {name:?}"
            )));
        }
    }
    env.lock(Path::new("LOCK"), concat!("tracehouse ", env!("CARGO_PKG_VERSION"))).map_err(|e| {
        match e.kind() {
            std::io::ErrorKind::WouldBlock => Error::new(
                ErrorKind::Conflict,
                format!("another process has the database open for writing ({e})"),
            ),
            _ => Error::io("LOCK", e),
        }
    })
}

/// Reads `FORMAT`, or creates the layout with `FORMAT` last, so that a folder with it is complete.
fn open_format(env: &Arc<dyn Env>, durable: bool) -> Result<u128> {
    if !env.exists(Path::new("FORMAT")) {
        check_unfinished(env.as_ref())?;
        return create_layout(env, durable);
    }
    // Who renamed it may have died before this.
    env.sync_dir(Path::new("")).map_err(|e| Error::io("database folder", e))?;
    read_format(env.as_ref())
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
            return Err(Error::corrupt(format!("the file FORMAT is missing, and {dir} is not empty")));
        }
    }
    Ok(())
}

fn read_format(env: &dyn Env) -> Result<u128> {
    let bytes = env.read(Path::new("FORMAT")).map_err(|e| Error::io("FORMAT", e))?;
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
    u128::from_str_radix(&format.db_uuid, 16).map_err(|_| {
        Error::corrupt(format!("FORMAT has the db_uuid {:?}: 32 hex digits expected", format.db_uuid))
    })
}

fn create_layout(env: &Arc<dyn Env>, durable: bool) -> Result<u128> {
    let io = |what: &'static str| move |e| Error::io(what, e);
    // What an earlier attempt left.
    if env.exists(Path::new("manifest")) {
        env.remove_dir_all(Path::new("manifest")).map_err(io("manifest"))?;
    }
    for dir in ["manifest", "wal", "seg", "catalog", "kv", "tmp", "readers", "quarantine"] {
        env.create_dir_all(Path::new(dir)).map_err(io(dir))?;
    }
    Manifest::create(env, Path::new("manifest"))?;
    if durable {
        WalWriter::create(env, Path::new(WAL_DIR), 1)?;
    }
    // The folders' names first: FORMAT may come to be known at any time after its renaming.
    env.sync_dir(Path::new("")).map_err(io("database folder"))?;
    let db_uuid = env.new_ulid();
    let format = Format {
        db_uuid: format!("{db_uuid:032x}"),
        format_version: FORMAT_VERSION,
        reader_version_min: FORMAT_VERSION,
        writer_version_min: FORMAT_VERSION,
        features: Vec::new(),
    };
    let text = serde_json::to_vec(&format).map_err(|e| Error::internal(format!("FORMAT: {e}")))?;
    let tmp = Path::new("FORMAT.tmp");
    if env.exists(tmp) {
        env.remove_file(tmp).map_err(io("FORMAT.tmp"))?;
    }
    let mut file = env.create(tmp).map_err(io("FORMAT.tmp"))?;
    file.write_all(&text).and_then(|()| file.sync_data()).map_err(io("FORMAT.tmp"))?;
    env.rename(tmp, Path::new("FORMAT")).map_err(io("FORMAT"))?;
    env.sync_dir(Path::new("")).map_err(io("database folder"))?;
    Ok(db_uuid)
}

fn open_segments(
    env: &Arc<dyn Env>,
    manifest: &ManifestState,
    meta_store: &Arc<MetaStore>,
    cache: &Arc<BlockCache>,
) -> Result<Vec<Arc<Segment>>> {
    let mut segments = Vec::with_capacity(manifest.segments.len());
    for meta in &manifest.segments {
        let dir = segment_dir(meta.id);
        let reader = SegmentReader::open(env.clone(), dir.clone(), meta, cache.clone())?;
        let text = open_text(env.as_ref(), &dir, meta.span_rows);
        segments.push(Arc::new(Segment::new(
            env.clone(),
            dir,
            meta.clone(),
            reader,
            text,
            meta_store.clone(),
        )));
    }
    Ok(segments)
}

/// Applies the log to the state.
fn replay(env: &dyn Env, state: &mut State) -> Result<Replayed> {
    let replay_from = state.manifest.replay_from.max(1);
    wal::replay(env, Path::new(WAL_DIR), replay_from, &mut |record| {
        let operation = Operation::decode(record.kind, &record.payload)?;
        // A record about traces of a segment that cannot be read ends the open: left out, it would be
        // missing from answers, and from the log once that is cut.
        state.apply(operation, record.sequence).map(|_| ())
    })
}

/// Removes unfinished work, and folders and files that no manifest names.
fn remove_unnamed(env: &dyn Env, live: &[SegmentId], catalog: &[String]) -> Result<()> {
    let names: Vec<String> = live.iter().map(ToString::to_string).collect();
    for (dir, keep) in [("tmp", &[] as &[String]), ("seg", &names), (CATALOG_DIR, catalog)] {
        for name in env.list(Path::new(dir)).map_err(|e| Error::io(dir, e))? {
            if !keep.contains(&name) {
                let path = Path::new(dir).join(&name);
                env.remove_dir_all(&path)
                    .or_else(|_| env.remove_file(&path))
                    .map_err(|e| Error::io(path.display(), e))?;
            }
        }
    }
    Ok(())
}
