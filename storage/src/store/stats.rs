//! Figures of a store: sizes, counts and how far the derived indexes have come.

use std::path::Path;

use super::{Store, lock, segment_dir};
use crate::env::Env;
use crate::error::Result;
use crate::schema::Table;
use crate::text::{TEXT_COLUMNS, TextLocation, TextWriter};

/// What a store holds and uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Live segments.
    pub segments: usize,
    /// Bytes of all files of the database.
    pub disk_bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Bytes of rows held in memory.
    pub memtable_bytes: u64,
    /// Visible spans that a text index covers; the others are scanned.
    pub indexed_spans: u64,
}

impl Store {
    /// Current figures.
    ///
    /// # Errors
    /// Whatever taking a snapshot gives.
    pub fn stats(&self) -> Result<StoreStats> {
        let snapshot = self.snapshot()?;
        let indexed = snapshot.sources().iter().filter(|source| source.text().is_some());
        let indexed_spans = indexed.map(|source| source.visible_rows(Table::Spans)).sum();
        let state = lock(&self.state);
        let frozen = state.frozen.as_ref().map_or(0, |frozen| frozen.view.bytes());
        Ok(StoreStats {
            segments: state.segments.len(),
            disk_bytes: folder_bytes(self.env.as_ref(), Path::new("")),
            wal_bytes: folder_bytes(self.env.as_ref(), Path::new("wal")),
            memtable_bytes: (state.active.view.bytes() + frozen) as u64,
            indexed_spans,
        })
    }

    /// Builds the text index of segments that have none; returns how many were built.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from a segment's files.
    pub fn index_text(&self) -> Result<usize> {
        let _one_at_a_time = lock(&self.maintenance);
        let segments = lock(&self.state).segments.clone();
        let mut built = 0;
        for segment in segments.iter().filter(|segment| segment.text().is_none()) {
            let tmp = Path::new("tmp").join(format!("{}-text", segment.id()));
            let dir = segment_dir(segment.id());
            let Some(real) = self.env.real_path(&tmp) else { continue };
            self.env.create_dir_all(&tmp).map_err(|e| crate::Error::io(tmp.display(), e))?;
            let mut writer = TextWriter::create(TextLocation::Directory(real))?;
            let request = crate::scan::ScanRequest::columns(TEXT_COLUMNS.iter().copied());
            for batch in segment.reader().scan(Table::Spans, &request, None)? {
                writer.add(&batch?)?;
            }
            writer.finish()?;
            let target = dir.join("text");
            if self.env.exists(&target) {
                self.env.remove_dir_all(&target).map_err(|e| crate::Error::io(target.display(), e))?;
            }
            self.env.rename(&tmp, &target).map_err(|e| crate::Error::io(target.display(), e))?;
            self.env.sync_dir(&dir).map_err(|e| crate::Error::io(dir.display(), e))?;
            if let Some(text) = self.open_text(&dir, segment.meta().span_rows) {
                segment.set_text(text);
                lock(&self.state).snapshot = None;
                built += 1;
            }
        }
        Ok(built)
    }
}

/// Bytes of all files below a folder; what cannot be read counts 0.
fn folder_bytes(env: &dyn Env, dir: &Path) -> u64 {
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
