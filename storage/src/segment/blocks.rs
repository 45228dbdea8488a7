//! Decoded columns in memory: a cache of blocks under one budget, shared by all segments of a database.
//!
//! A *block* is up to [`BLOCK_ROWS`] rows of one row group, which are one page of a light column; or it is
//! a few rows with all columns that were asked for, such as the spans of one trace. A block that is not there is decoded from the file, so the cache changes no answer (QU-1).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef};
use lru::LruCache;

use super::open_files::OpenFiles;

/// Rows of a block at most; a page of a light column has as many.
pub(super) const BLOCK_ROWS: u32 = 4096;

/// Files kept open unless told otherwise.
pub(crate) const OPEN_FILES_MAX: usize = 128;

/// A block of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct BlockKey {
    /// Number given out by [`BlockCache::register`].
    pub file: u64,
    /// First physical row of the block.
    pub first_row: u32,
    /// What of its rows it has.
    pub part: Part,
}

/// What a block has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// The column at this position in the stored schema, of all its rows.
    Column(usize),
    /// The column at this position, of `rows` rows.
    Run { column: usize, rows: usize },
    /// The columns of these names, joined with commas, of `rows` rows.
    Rows { columns: Arc<str>, rows: u32 },
}

/// Decoded blocks; those not used for longest go first.
#[derive(Debug)]
pub struct BlockCache {
    bytes_max: usize,
    held: Mutex<Held>,
    files: AtomicU64,
    open_files: OpenFiles,
}

#[derive(Debug)]
struct Held {
    blocks: LruCache<BlockKey, (ArrayRef, usize)>,
    bytes: usize,
}

impl BlockCache {
    /// A cache that holds up to `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self::with_open_files(bytes_max, OPEN_FILES_MAX)
    }

    /// A cache that holds up to `bytes_max` bytes and keeps up to `files_max` files open.
    pub fn with_open_files(bytes_max: usize, files_max: usize) -> Self {
        let held = Held {
            blocks: LruCache::unbounded(),
            bytes: 0,
        };
        let open_files = OpenFiles::new(files_max);
        Self {
            bytes_max,
            held: Mutex::new(held),
            files: AtomicU64::new(0),
            open_files,
        }
    }

    /// Files that are open.
    pub fn open_file_count(&self) -> usize {
        self.open_files.count()
    }

    pub(super) fn open_files(&self) -> &OpenFiles {
        &self.open_files
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.held().bytes
    }

    /// A number for a file just opened.
    pub(super) fn register(&self) -> u64 {
        self.files.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self, key: &BlockKey) -> Option<ArrayRef> {
        self.held().blocks.get(key).map(|(block, _)| block.clone())
    }

    pub(super) fn insert(&self, key: BlockKey, block: ArrayRef) {
        let bytes = block.get_array_memory_size();
        let mut held = self.held();
        held.bytes += bytes;
        if let Some((_, replaced)) = held.blocks.put(key, (block, bytes)) {
            held.bytes -= replaced;
        }
        while held.bytes > self.bytes_max {
            let Some((_, (_, evicted))) = held.blocks.pop_lru() else {
                break;
            };
            held.bytes -= evicted;
        }
        assert!(
            held.bytes <= self.bytes_max,
            "the cache stays within its budget"
        );
        assert!(
            held.bytes == 0 || !held.blocks.is_empty(),
            "what is counted is held"
        );
    }

    /// Drops the blocks of a file that nobody reads any more.
    pub(super) fn forget(&self, file: u64) {
        self.open_files.forget(file);
        let mut held = self.held();
        let keys: Vec<BlockKey> = held
            .blocks
            .iter()
            .map(|(key, _)| key)
            .filter(|key| key.file == file)
            .cloned()
            .collect();
        for key in keys {
            if let Some((_, bytes)) = held.blocks.pop(&key) {
                held.bytes -= bytes;
            }
        }
        assert!(
            held.bytes == 0 || !held.blocks.is_empty(),
            "what is counted is held"
        );
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
