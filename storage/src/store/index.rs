//! Text indexes of segments: built when a segment is sealed, or shortly after by another thread.
//!
//! Several threads may build at a time, each for a segment of its own. An index is derived: until it is
//! there its rows are scanned, and one that is missing or damaged is built again (ST-5).

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{State, Store, lock, segment_dir};
use crate::error::{Error, Result};
use crate::manifest::SegmentId;
use crate::scan::{STORED_ATTRIBUTES, ScanRequest};
use crate::schema::Table;
use crate::segment::BlockCache;
use crate::snapshot::Segment;
use crate::text::{INDEXED_COLUMNS, TextLocation, TextReader, TextWriter};

/// Rows whose texts are in memory at a time.
const BATCH_ROWS: usize = 2_048;
/// Memory for decoded columns of a segment that is read once.
const READ_AHEAD_BYTES_MAX: usize = 16 << 20;

impl Store {
    /// Builds one text index that is missing and that nobody builds. Returns whether there was one.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the segment's files.
    pub fn index_next_text(&self) -> Result<bool> {
        self.open_texts();
        let Some(segment) = lock(&self.state).claim_unindexed() else {
            return Ok(false);
        };
        let mut claim = Claim {
            store: self,
            id: segment.id(),
            is_built: false,
        };
        let text = self.build_text(&segment)?;
        let mut state = lock(&self.state);
        segment.set_text(Some(text));
        state.snapshot = None;
        drop(state);
        claim.is_built = true;
        Ok(true)
    }

    /// How many segments wait for their text index.
    pub fn texts_to_build(&self) -> usize {
        lock(&self.state).texts_to_build().count()
    }

    /// Opens the text indexes that are there; those that cannot be read are known to be absent then.
    fn open_texts(&self) {
        let segments = lock(&self.state).segments.clone();
        segments.iter().for_each(|segment| drop(segment.text()));
    }

    /// Waits for a change of the segments, at most `idle`.
    pub fn wait_for_segment(&self, idle: Duration) {
        let state = lock(&self.state);
        if !state.closed {
            drop(
                self.changed
                    .wait_timeout(state, idle)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Waits until no thread builds a text index.
    pub fn wait_for_indexing(&self) {
        let mut state = lock(&self.state);
        while !state.indexing.is_empty() {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn build_text(&self, segment: &Segment) -> Result<TextReader> {
        let (tmp, dir) = (
            Path::new("tmp").join(format!("{}-text", segment.id())),
            segment_dir(segment.id()),
        );
        let io = |path: &Path, e| Error::io(path.display(), e);
        let location = self.text_location(&tmp)?;
        let in_memory = matches!(location, TextLocation::Memory);
        let mut writer = TextWriter::create(location)?;
        // As they are stored: the rest is in other columns that are read, too.
        let stored = |&column: &&'static str| {
            if column == "attributes" {
                STORED_ATTRIBUTES
            } else {
                column
            }
        };
        let mut request = ScanRequest::columns(INDEXED_COLUMNS.iter().map(stored));
        request.batch_rows = BATCH_ROWS;
        let cache = Arc::new(BlockCache::new(READ_AHEAD_BYTES_MAX));
        let segment = segment.reopened(cache)?;
        for batch in segment.reader().scan(Table::Spans, &request, None)? {
            writer.add(&batch?)?;
        }
        let text = writer.finish()?;
        if in_memory {
            return Ok(text);
        }
        let target = dir.join("text");
        if self.env.exists(&target) {
            self.env
                .remove_dir_all(&target)
                .map_err(|e| io(&target, e))?;
        }
        self.env.rename(&tmp, &target).map_err(|e| io(&target, e))?;
        self.env.sync_dir(&dir).map_err(|e| io(&dir, e))?;
        let folder = self
            .env
            .folder(&target)
            .ok_or_else(|| Error::internal("a folder without a path"))?;
        TextReader::open(&folder, segment.meta().span_rows)
    }
}

/// The claim of one thread to build the index of a segment. It ends also when that panics: others wait for it.
struct Claim<'a> {
    store: &'a Store,
    id: SegmentId,
    is_built: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.store.state);
        let was_claimed = state.indexing.remove(&self.id);
        assert!(was_claimed || std::thread::panicking(), "a claim ends once");
        if !self.is_built {
            // Not again and again: the next open tries anew.
            state.unindexable.push(self.id);
        }
        drop(state);
        self.store.changed.notify_all();
    }
}

impl State {
    /// Segments that have no text index yet but will get one.
    pub(super) fn texts_to_build(&self) -> impl Iterator<Item = &Arc<Segment>> {
        let is_waiting = |segment: &&Arc<Segment>| {
            !segment.has_text() && !self.unindexable.contains(&segment.id())
        };
        self.segments.iter().filter(is_waiting)
    }

    /// A segment without text index that nobody works on, claimed for the caller; largest first.
    fn claim_unindexed(&mut self) -> Option<Arc<Segment>> {
        let is_free = |segment: &&Arc<Segment>| !self.indexing.contains(&segment.id());
        let segment = self
            .texts_to_build()
            .filter(is_free)
            .max_by_key(|segment| segment.meta().span_rows)?
            .clone();
        let is_first = self.indexing.insert(segment.id());
        assert!(is_first, "one thread builds the index of a segment");
        Some(segment)
    }
}
