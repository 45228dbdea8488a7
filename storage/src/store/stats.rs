//! Figures of a store: sizes, counts and how far the derived indexes have come.

use std::path::Path;

use super::{Store, lock};
use crate::env::Env;
use crate::error::Result;
use crate::schema::Table;

/// What a store holds and uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Live segments.
    pub segments: usize,
    /// Bytes of all files of the database.
    pub disk_bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Bytes of decoded columns held in memory.
    pub cache_bytes: u64,
    /// Files of segments that are open.
    pub open_files: usize,
    /// Bytes of rows held in memory.
    pub memtable_bytes: u64,
    /// Visible spans that a text index covers; the others are scanned.
    pub indexed_spans: u64,
    /// Live segments whose text index could not be built; they are scanned, and the next open tries
    /// again.
    pub unindexable_segments: usize,
    /// Writes since the open that were refused after they had been logged, because older rows of their
    /// traces could not be read. A seal cuts them off the log; an open that still finds one fails.
    pub refused_writes: u64,
}

impl Store {
    /// Current figures.
    ///
    /// # Errors
    /// Whatever taking a snapshot gives.
    pub fn stats(&self) -> Result<StoreStats> {
        let snapshot = self.snapshot()?;
        let indexed = snapshot
            .sources()
            .iter()
            .filter(|source| source.text().is_some());
        let indexed_spans = indexed
            .map(|source| source.visible_rows(Table::Spans))
            .sum();
        assert!(
            indexed_spans <= snapshot.visible_rows(Table::Spans),
            "what is indexed is there"
        );
        let state = lock(&self.state);
        let frozen = state
            .frozen
            .as_ref()
            .map_or(0, |frozen| frozen.view.bytes());
        let unindexable = state
            .segments
            .iter()
            .filter(|segment| state.unindexable.contains(&segment.id()));
        Ok(StoreStats {
            segments: state.segments.len(),
            disk_bytes: folder_bytes(self.env.as_ref(), Path::new("")),
            wal_bytes: folder_bytes(self.env.as_ref(), Path::new("wal")),
            cache_bytes: self.cache.bytes() as u64,
            open_files: self.cache.open_file_count(),
            memtable_bytes: (state.active.view.bytes() + frozen) as u64,
            indexed_spans,
            unindexable_segments: unindexable.count(),
            refused_writes: state.refused_writes,
        })
    }
}

/// Bytes of all files below a folder; what cannot be read counts 0.
pub(super) fn folder_bytes(env: &dyn Env, dir: &Path) -> u64 {
    let mut bytes = 0;
    for name in env.list(dir).unwrap_or_default() {
        let path = dir.join(&name);
        bytes += match env.open(&path) {
            Ok(file) => file.len(),
            Err(_) => folder_bytes(env, &path),
        };
    }
    bytes
}
