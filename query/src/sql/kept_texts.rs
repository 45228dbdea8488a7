//! Short texts of rows that statements read lately behind a top-k: previews above all. A list is mostly asked for again,
//! and each preview of it is in a piece of a file that has to be decoded for it alone.
//!
//! **Invariant** QU-1: only rows of segments are kept, under the segment's name and their number. Segments never change
//! and their names are never used again, so what is kept is never out of date.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tracehouse_storage::manifest::SegmentId;
use tracehouse_storage::schema::Table;

/// Texts kept, of at most so many bytes: a preview has 1,000 characters. Together 16 MiB at most.
const TEXTS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8_191);
const TEXT_BYTES_MAX: usize = 2_048;

/// A column of a row of a segment, the column by its place in the table's public schema.
pub(super) type Key = (SegmentId, Table, u32, usize);

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct KeptTexts(Mutex<LruCache<Key, Option<Arc<str>>>>);

impl Default for KeptTexts {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(TEXTS_MAX)))
    }
}

impl KeptTexts {
    /// A text that is kept, or that it is NULL.
    pub(super) fn get(&self, key: Key) -> Option<Option<Arc<str>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&key).cloned()
    }

    /// Keeps a text, if it is short.
    pub(super) fn put(&self, key: Key, text: Option<&str>) {
        if text.is_none_or(|text| text.len() <= TEXT_BYTES_MAX) {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.put(key, text.map(Arc::from));
        }
    }
}
