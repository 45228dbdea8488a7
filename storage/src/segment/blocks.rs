//! Decoded light columns in memory: a cache of blocks under one budget, shared by all segments of a
//! database.
//!
//! A *block* is up to [`BLOCK_ROWS`] rows of one row group, which are one page of a light column. A
//! block that is not there is decoded from the file, so the cache changes no answer (QU-1).

use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::ArrayRef;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Rows of a block at most; a page of a light column has as many.
pub(super) const BLOCK_ROWS: u32 = 4096;

/// What a block takes on average, for sizing the cache's tables.
const BLOCK_BYTES_TYPICAL: usize = 48 << 10;

/// One column of one block of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BlockKey {
    /// Number given out by [`BlockCache::register`].
    pub file: u64,
    /// Position of the column in the stored schema.
    pub column: usize,
    /// First physical row of the block.
    pub first_row: u32,
}

#[derive(Debug, Clone)]
struct ByMemory;

impl Weighter<BlockKey, ArrayRef> for ByMemory {
    fn weight(&self, _: &BlockKey, block: &ArrayRef) -> u64 {
        (block.get_array_memory_size() + size_of::<BlockKey>()) as u64
    }
}

/// Decoded blocks, the useful ones kept longest.
#[derive(Debug)]
pub struct BlockCache {
    blocks: Cache<BlockKey, ArrayRef, ByMemory>,
    files: AtomicU64,
}

impl BlockCache {
    /// A cache that holds up to `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        let blocks = Cache::with_weighter(bytes_max / BLOCK_BYTES_TYPICAL, bytes_max as u64, ByMemory);
        Self { blocks, files: AtomicU64::new(0) }
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.blocks.weight()
    }

    /// A number for a file just opened.
    pub(super) fn register(&self) -> u64 {
        self.files.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self, key: &BlockKey) -> Option<ArrayRef> {
        self.blocks.get(key)
    }

    pub(super) fn insert(&self, key: BlockKey, block: ArrayRef) {
        self.blocks.insert(key, block);
    }

    /// Drops the blocks of a file that nobody reads any more.
    pub(super) fn forget(&self, file: u64) {
        self.blocks.retain(|key, _| key.file != file);
    }
}
