//! A live segment: its files, its keys, its text index, and what was read of it once and kept.
//!
//! A handle keeps the segment's files: the last one removes them when the manifest no longer has it (ST-2).

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use super::segment_keys::SegmentKeys;
use super::segment_text::{SegmentText, TextSlot};
use super::trace_runs::TraceRuns;
use crate::columns::{map_at, required_text};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::kv::{MetaStore, SegmentIndex};
use crate::manifest::{SegmentId, SegmentMeta};
use crate::model::{SESSION_METADATA, TraceKey};
use crate::readers::PendingDeletions;
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::segment::{BlockCache, SegmentReader};
use crate::text::TextReader;

/// A trace that waits for its root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// Its row.
    pub row: u32,
    /// When its last span ended, in Unix nanoseconds; `None` when none has.
    pub end_time_ns: Option<i64>,
}

/// A live segment: its files, its text index when there is one, and its part of the metadata store.
#[derive(Debug)]
pub struct Segment {
    meta: SegmentMeta,
    reader: SegmentReader,
    text: TextSlot,
    keys: SegmentKeys,
    /// The traces of the assessments, row by row, which are sorted by it; read when first asked for.
    assessed: OnceLock<Vec<TraceKey>>,
    /// The assessments that may count for a session; read when first asked for.
    session_wide: OnceLock<RoaringBitmap>,
    /// Its traces by their spans; read when first asked for.
    trace_runs: OnceLock<TraceRuns>,
    /// Its traces that wait for their root, with their ends; read when first asked for.
    waiting: OnceLock<Arc<[Waiting]>>,
    env: Arc<dyn Env>,
    dir: PathBuf,
    /// The manifest version that no longer has it; 0 while it is live.
    obsolete_since: AtomicU64,
    deletions: Arc<PendingDeletions>,
    /// The process that opened it.
    pid: u32,
}

impl Segment {
    /// A handle on the segment in `dir`.
    pub fn new(
        env: Arc<dyn Env>,
        dir: PathBuf,
        meta: SegmentMeta,
        reader: SegmentReader,
        text: SegmentText,
        meta_store: Arc<MetaStore>,
        deletions: Arc<PendingDeletions>,
    ) -> Self {
        debug_assert!(
            dir.ends_with(meta.id.to_string()),
            "ST-2: the folder that goes with it is its own"
        );
        Self {
            text: TextSlot::new(text),
            keys: SegmentKeys::new(meta.id, reader.clone(), meta_store),
            meta,
            reader,
            assessed: OnceLock::new(),
            session_wide: OnceLock::new(),
            trace_runs: OnceLock::new(),
            waiting: OnceLock::new(),
            env,
            dir,
            obsolete_since: AtomicU64::new(0),
            deletions,
            pid: std::process::id(),
        }
    }

    /// The segment's name.
    pub fn id(&self) -> SegmentId {
        self.meta.id
    }

    /// What the manifest says of it.
    pub fn meta(&self) -> &SegmentMeta {
        &self.meta
    }

    /// Where its files are, relative to the database.
    pub fn dir(&self) -> &PathBuf {
        &self.dir
    }

    /// Reads its files.
    pub fn reader(&self) -> &SegmentReader {
        &self.reader
    }

    /// A second handle with a block cache of its own, for reading all of the segment once.
    ///
    /// # Errors
    /// As [`SegmentReader::open`].
    pub(crate) fn reopened(&self, cache: Arc<BlockCache>) -> Result<Self> {
        let reader = SegmentReader::open(self.env.clone(), self.dir.clone(), &self.meta, cache)?;
        let text = self.text().map_or(SegmentText::Absent, SegmentText::Open);
        let (env, dir, meta) = (self.env.clone(), self.dir.clone(), self.meta.clone());
        Ok(Self::new(
            env,
            dir,
            meta,
            reader,
            text,
            self.keys.meta_store().clone(),
            self.deletions.clone(),
        ))
    }

    /// Its text index; `None` while it has none. The first who asks opens it.
    pub fn text(&self) -> Option<Arc<TextReader>> {
        self.text.get(self.meta.span_rows)
    }

    /// Whether it has a text index, as far as that is known without opening it.
    pub(crate) fn has_text(&self) -> bool {
        self.text.is_there()
    }

    /// Installs a text index built later.
    pub fn set_text(&self, text: impl Into<SegmentText>) {
        self.text.set(text);
    }

    /// No longer in the manifest from `version` on: the files are removed when the last reader lets go,
    /// in this process and in others (ST-2).
    pub fn mark_obsolete(&self, version: u64) {
        assert!(
            version > 0,
            "ST-2: no segment leaves the manifest before its first version"
        );
        let before = self.obsolete_since.swap(version, Ordering::AcqRel);
        assert_eq!(before, 0, "ST-2: a segment leaves the manifest once");
    }

    /// Puts the segment into the metadata store unless it is there.
    pub(crate) fn ensure_indexed(&self) -> Result<()> {
        self.keys.ensure_indexed()
    }

    /// Notes the traces of a segment that was just written.
    pub(crate) fn set_traces(&self, index: &SegmentIndex) {
        self.keys.set_traces(index);
    }

    /// Reads which traces it has before many lookups need it; tries once. Returns whether there was need.
    pub(crate) fn warm(&self) -> bool {
        self.keys.warm()
    }

    /// How it finds rows by a key.
    pub(super) fn keys(&self) -> &SegmentKeys {
        &self.keys
    }

    /// The rows of a trace, masked ones included.
    pub(super) fn rows_of(&self, table: Table, key: TraceKey) -> Result<RoaringBitmap> {
        Ok(match table {
            Table::Spans => match self.keys.span_run(key)? {
                Some(run) => (run.first_row..run.first_row.saturating_add(run.row_count)).collect(),
                None => RoaringBitmap::new(),
            },
            Table::Traces => self.keys.trace_row(key)?.into_iter().collect(),
            Table::Assessments => self.assessment_rows_of(key)?,
        })
    }

    /// Its traces by their spans.
    pub(super) fn trace_runs(&self) -> Result<&TraceRuns> {
        if let Some(runs) = self.trace_runs.get() {
            return Ok(runs);
        }
        let runs = TraceRuns::read(&self.reader)?;
        Ok(self.trace_runs.get_or_init(|| runs))
    }

    /// Its traces that wait for their root; `read` reads them when they are first asked for.
    pub(super) fn waiting(
        &self,
        read: impl FnOnce() -> Result<Vec<Waiting>>,
    ) -> Result<Arc<[Waiting]>> {
        if let Some(waiting) = self.waiting.get() {
            return Ok(waiting.clone());
        }
        let waiting: Arc<[Waiting]> = read()?.into();
        let rows = self.meta.trace_rows;
        assert!(
            waiting.iter().all(|trace| trace.row < rows),
            "what waits is one of the {rows} traces"
        );
        Ok(self.waiting.get_or_init(|| waiting).clone())
    }

    /// Assessments have no index by trace: they are few, so their traces are kept in memory.
    fn assessment_rows_of(&self, key: TraceKey) -> Result<RoaringBitmap> {
        let assessed = match self.assessed.get() {
            Some(assessed) => assessed,
            None => {
                let read = self.read_assessed()?;
                self.assessed.get_or_init(|| read)
            }
        };
        assert_eq!(
            assessed.len(),
            self.meta.assessment_rows as usize,
            "each assessment is of a trace"
        );
        let first = assessed.partition_point(|other| *other < key);
        let count = assessed
            .iter()
            .skip(first)
            .take_while(|other| **other == key)
            .count();
        Ok((first as u32..(first + count) as u32).collect())
    }

    /// The assessments whose metadata name a session.
    pub(super) fn session_wide(&self) -> Result<&RoaringBitmap> {
        if let Some(rows) = self.session_wide.get() {
            return Ok(rows);
        }
        let (mut rows, mut row) = (RoaringBitmap::new(), 0);
        for batch in self.reader.scan(
            Table::Assessments,
            &ScanRequest::columns(["metadata"]),
            None,
        )? {
            let batch = batch?;
            for at in 0..batch.num_rows() {
                if map_at(&batch, "metadata", at)?.contains_key(SESSION_METADATA) {
                    rows.insert(row);
                }
                row += 1;
            }
        }
        assert_eq!(
            row, self.meta.assessment_rows,
            "all rows are looked at, or their numbers are wrong"
        );
        Ok(self.session_wide.get_or_init(|| rows))
    }

    fn read_assessed(&self) -> Result<Vec<TraceKey>> {
        let mut keys = Vec::with_capacity(self.meta.assessment_rows as usize);
        for batch in self.reader.scan(
            Table::Assessments,
            &ScanRequest::columns(["trace_id"]),
            None,
        )? {
            let batch = batch?;
            keys.extend(required_text(&batch, "trace_id")?.iter().map(TraceKey::of));
        }
        if !keys.is_sorted() {
            let dir = self.dir.display();
            return Err(Error::corrupt(format!(
                "the assessments of segment {dir} are not in their order"
            )));
        }
        Ok(keys)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let version = self.obsolete_since.load(Ordering::Acquire);
        // A fork's copy ends with the fork, while the process it came from may still read the files.
        if version > 0 && self.pid == std::process::id() {
            self.deletions.delete(self.env.as_ref(), &self.dir, version);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::columns::spans_batch;
    use crate::env::{Folder, MemEnv};
    use crate::model::Span;
    use crate::snapshot::Source;
    use crate::store::{Store, StoreOptions};

    /// A segment that only the result holds.
    fn only_segment(env: &MemEnv) -> Arc<Segment> {
        let store = Store::open(Arc::new(env.clone()), StoreOptions::default()).unwrap();
        let span = Span {
            trace_id: "t".into(),
            span_id: "s".into(),
            ..Span::default()
        };
        store.append_spans(spans_batch(&[span]).unwrap()).unwrap();
        store.seal().unwrap();
        let sources = store.snapshot().unwrap().sources().to_vec();
        sources.iter().find_map(Source::segment).unwrap().clone()
    }

    #[test]
    fn the_last_holder_removes_the_files_unless_it_is_a_fork() {
        for (is_fork, files) in [(false, 0), (true, 1)] {
            let env = MemEnv::default();
            let mut segment = only_segment(&env);
            segment.mark_obsolete(9);
            // As in a fork: the process is not the one that opened it.
            Arc::get_mut(&mut segment).unwrap().pid += u32::from(is_fork);
            drop(segment);
            assert_eq!(env.list(Path::new("seg")).unwrap().len(), files);
        }
    }

    #[test]
    fn nobody_waits_for_an_index_that_another_opens() {
        let segment = only_segment(&MemEnv::default());
        let folder = tempfile::tempdir().unwrap();
        // Whoever reads a pipe waits for who writes it.
        let pipe = folder.path().join(crate::text::SUMS_FILE);
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        segment.set_text(SegmentText::Closed(Folder::at(folder.path())));
        let opener = std::thread::spawn({
            let segment = segment.clone();
            move || segment.text().is_none()
        });
        let writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        let (answer_in, answer) = mpsc::channel();
        std::thread::spawn({
            let segment = segment.clone();
            move || answer_in.send(segment.has_text())
        });
        assert_eq!(answer.recv_timeout(Duration::from_secs(10)), Ok(true));
        drop(writer);
        assert!(opener.join().unwrap());
        assert!(!segment.has_text());
    }
}
