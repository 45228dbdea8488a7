//! What repair changes: a segment in the place of one with damaged files, and trace rows folded again.

use std::sync::Arc;

use super::operation::{Mutation, Operation};
use super::{Store, lock, segment_dir};
use crate::error::{Error, Result};
use crate::manifest::{ManifestEdit, SegmentId, SegmentMeta};
use crate::model::TraceKey;
use crate::schema::Table;
use crate::segment::SegmentReader;
use crate::snapshot::{Rows, Segment, SegmentText, Source};

impl Store {
    /// Puts a segment in the place of `id` that has the same rows but none of the tables in `without`.
    /// The old files are left for the next open to remove.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the other tables' files, `Io` from writing; nothing is changed then.
    pub(crate) fn replace_segment(&self, id: SegmentId, without: &[Table]) -> Result<()> {
        let manifest = lock(&self.state).manifest.clone();
        let meta = manifest
            .segment(id)
            .ok_or_else(|| Error::internal(format!("no segment {id}")))?;
        let kept = without
            .iter()
            .fold(meta.clone(), |meta, table| without_rows(meta, *table));
        let dir = segment_dir(id);
        let reader = SegmentReader::open(self.env.clone(), dir.clone(), &kept, self.cache.clone())?;
        let sequences = (kept.first_sequence, kept.last_sequence);
        let segment = Segment::new(
            self.env.clone(),
            dir,
            kept,
            reader,
            SegmentText::Absent,
            self.meta_store.clone(),
            self.deletions.clone(),
        );
        let masks = Table::ALL.map(|table| match without.contains(&table) {
            true => None,
            false => manifest.masks.get(&(id, table)).cloned().map(Arc::new),
        });
        let source = Source::new(Rows::Segment(Arc::new(segment)), masks);
        let written = self.write_segment(&[source], sequences, false, None)?;
        let edit = ManifestEdit {
            add_segments: written.into_iter().map(|written| written.meta).collect(),
            remove_segments: vec![id],
            ..ManifestEdit::default()
        };
        // Who repairs opens the database again: segments in memory stay as they are.
        self.commit_manifest(edit, |_| {})?;
        Ok(())
    }

    /// Folds the rows of these traces again from the spans that are there, and seals them.
    ///
    /// # Errors
    /// As [`Store::seal`].
    pub(crate) fn refold(&self, keys: &[TraceKey]) -> Result<()> {
        // An empty record, so that there is something to seal.
        self.commit(Operation::Mutation(Mutation::Edit(Vec::new())))?;
        {
            let mut state = lock(&self.state);
            state.active.known_older.extend(keys);
            state.active.dirty.extend(keys);
            state.snapshot = None;
        }
        self.seal()
    }
}

fn without_rows(mut meta: SegmentMeta, table: Table) -> SegmentMeta {
    match table {
        Table::Spans => meta.span_rows = 0,
        Table::Traces => meta.trace_rows = 0,
        Table::Assessments => meta.assessment_rows = 0,
    }
    meta
}
