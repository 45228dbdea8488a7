//! Compaction: several segments become one, without the rows that committed masks drop.
//!
//! Policy: segments are tiered by span count (powers of four); when a tier has enough of them, the oldest are
//! merged, as many as make no more than twice the size limit. Segments over the limit rest, so that memory and
//! time of a merge do not grow with the database, until more than half of their spans are deleted: then they are
//! written again alone, which gives the space back.
//!
//! Only *committed* masks drop rows. Rows masked by a memtable are kept and their masks renumbered:
//! if the process dies, replay finds them again and masks them anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::order::{Ordered, RowMap};
use super::{State, Store, lock};
use crate::error::Result;
use crate::manifest::ManifestEdit;
use crate::memtable::{SourceId, TableMasks};
use crate::schema::Table;
use crate::segment::BlockCache;
use crate::snapshot::{Rows, Segment, Source};

/// Memory for decoded columns of a merge, which reads each once: those that queries use stay where they are.
const MERGE_CACHE_BYTES_MAX: usize = 64 << 20;

/// What one compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// Segments merged.
    pub segments_before: usize,
    /// Segments they became.
    pub segments_after: usize,
}

impl Store {
    /// Merges all segments below the size limit, the oldest first, into as few as the policy allows.
    ///
    /// # Errors
    /// `Io`, `Corrupt` or `Closed`; the segments that were not merged yet stay then.
    pub fn compact(&self) -> Result<Compacted> {
        let _one_at_a_time = lock(&self.maintenance);
        let mut rest: Vec<Arc<Segment>> = self.mergeable(&lock(&self.state)).cloned().collect();
        let masked = |segment: &Arc<Segment>| {
            let state = lock(&self.state);
            Table::ALL
                .iter()
                .any(|table| state.manifest.masks.contains_key(&(segment.id(), *table)))
        };
        let mut compacted = Compacted::default();
        while !rest.is_empty() {
            let later = rest.split_off(self.mergeable_at_once(&rest));
            let inputs = std::mem::replace(&mut rest, later);
            assert!(
                !inputs.is_empty(),
                "each step of a compaction takes segments"
            );
            compacted.segments_before += inputs.len();
            compacted.segments_after += if inputs.len() > 1 || inputs.iter().any(masked) {
                self.merge_and_replace(inputs, None)?.segments_after
            } else {
                inputs.len()
            };
        }
        assert!(
            compacted.segments_after <= compacted.segments_before,
            "merging makes fewer segments"
        );
        Ok(compacted)
    }

    /// How many of these segments, from the first on, one merge may have.
    fn mergeable_at_once(&self, segments: &[Arc<Segment>]) -> usize {
        let rows_max = u64::from(self.options.segment_rows_max) * 2;
        let mut rows = 0;
        let fits = |segment: &&Arc<Segment>| {
            rows += u64::from(segment.meta().span_rows);
            rows <= rows_max
        };
        segments.iter().take_while(fits).count().max(1)
    }

    /// Merges one full tier, when there is one; ends early when the store is interrupted. Segments that
    /// wait for their text index are left alone: merging them would throw the work away.
    ///
    /// # Errors
    /// As [`Store::compact`].
    pub fn compact_tier(&self) -> Result<Compacted> {
        if self.has_too_many_segments() {
            return self.compact_urgently();
        }
        let _one_at_a_time = lock(&self.maintenance);
        let (segments, manifest, waiting) = {
            let state = lock(&self.state);
            let waiting = self.options.index_text && state.texts_to_build().next().is_some();
            (state.segments.clone(), state.manifest.clone(), waiting)
        };
        if waiting {
            return Ok(Compacted::default());
        }
        let spent = |segment: &&Arc<Segment>| {
            self.rests(segment) && manifest.is_mostly_masked(segment.meta())
        };
        let spent = segments
            .iter()
            .find(spent)
            .map(|segment| vec![segment.clone()]);
        let picked = spent.or_else(|| self.pick_tier(&segments));
        drop(segments);
        match picked {
            Some(inputs) => self.merge_and_replace(inputs, Some(&self.interrupted)),
            None => Ok(Compacted::default()),
        }
    }

    /// Merges whatever can be merged, for writers that wait for it; whether text indexes are built for
    /// nothing does not matter then.
    fn compact_urgently(&self) -> Result<Compacted> {
        let compacted = self.compact();
        lock(&self.state).merge_failure = compacted
            .as_ref()
            .err()
            .map(|error| (error.kind(), error.to_string()));
        self.changed.notify_all();
        compacted
    }

    fn pick_tier(&self, segments: &[Arc<Segment>]) -> Option<Vec<Arc<Segment>>> {
        let tier = |segment: &Arc<Segment>| segment.meta().span_rows.max(1).ilog2() / 2;
        let small = |segment: &&Arc<Segment>| !self.rests(segment);
        for wanted in 0..=16 {
            let mut of_tier: Vec<Arc<Segment>> = segments
                .iter()
                .filter(small)
                .filter(|segment| tier(segment) == wanted)
                .cloned()
                .collect();
            let segments_min = self.options.compaction_segments_min.max(2);
            if of_tier.len() >= segments_min {
                of_tier.truncate(self.mergeable_at_once(&of_tier));
                // Fewer would be written again and again for little.
                if of_tier.len() >= segments_min.div_ceil(2).max(2) {
                    return Some(of_tier);
                }
            }
        }
        None
    }

    /// Merges, lets go of the old segments, and removes what no other process reads.
    fn merge_and_replace(
        &self,
        inputs: Vec<Arc<Segment>>,
        stop: Option<&AtomicBool>,
    ) -> Result<Compacted> {
        let compacted = self.merge(&inputs, stop);
        drop(inputs);
        self.deletions.clear(self.env.as_ref());
        compacted
    }

    /// Merges segments, one included, into one without the rows that committed masks drop.
    pub(super) fn merge(
        &self,
        inputs: &[Arc<Segment>],
        stop: Option<&AtomicBool>,
    ) -> Result<Compacted> {
        assert!(!inputs.is_empty(), "a merge has segments");
        let manifest = lock(&self.state).manifest.clone();
        let cache = Arc::new(BlockCache::new(MERGE_CACHE_BYTES_MAX));
        let source = |segment: &Arc<Segment>| {
            let mask = |table| {
                manifest
                    .masks
                    .get(&(segment.id(), table))
                    .cloned()
                    .map(Arc::new)
            };
            let reopened = Arc::new(segment.reopened(cache.clone())?);
            Ok(Source::new(Rows::Segment(reopened), Table::ALL.map(mask)))
        };
        let sources: Vec<Source> = inputs.iter().map(source).collect::<Result<_>>()?;
        let sequences = inputs.iter().fold((u64::MAX, 0), |(first, last), segment| {
            (
                first.min(segment.meta().first_sequence),
                last.max(segment.meta().last_sequence),
            )
        });
        let written = self.write_segment(&sources, sequences, self.options.index_text, stop)?;
        // Opened before the commit: past it nothing may fail.
        let opened = written
            .map(|written| self.open_written(written))
            .transpose()?;
        let edit = ManifestEdit {
            add_segments: opened
                .iter()
                .map(|(segment, _)| segment.meta().clone())
                .collect(),
            remove_segments: inputs.iter().map(|segment| segment.id()).collect(),
            ..ManifestEdit::default()
        };
        let is_one = opened.is_some();
        let version = self
            .commit_manifest(edit, |state| swap_merged(state, inputs, opened))?
            .version;
        for segment in inputs {
            segment.mark_obsolete(version);
            // The metadata store is derived: what cannot be removed now is dropped at the next open.
            let _ = self.meta_store.remove_segment(segment.id());
        }
        self.renew_meta_store();
        Ok(Compacted {
            segments_before: inputs.len(),
            segments_after: usize::from(is_one),
        })
    }

    /// Gives back the space that removed segments left in the metadata store, and fills it again, so that
    /// no lookup has to.
    fn renew_meta_store(&self) {
        if !self.meta_store.renew() {
            return;
        }
        let segments = lock(&self.state).segments.clone();
        for segment in segments {
            // The first lookup that needs the segment tries again, and has someone to tell.
            let _ = segment.ensure_indexed();
        }
    }
}

/// The segment made of `inputs` takes their place; without one they had no row that is visible. Masks of the
/// memtables are renumbered.
fn swap_merged(
    state: &mut State,
    inputs: &[Arc<Segment>],
    opened: Option<(Arc<Segment>, Vec<Ordered>)>,
) {
    let renumber = |imposed: &mut BTreeMap<SourceId, TableMasks>| {
        for (index, input) in inputs.iter().enumerate() {
            let Some(masks) = imposed.remove(&SourceId::Segment(input.id())) else {
                continue;
            };
            assert!(
                opened.is_some(),
                "ST-3: rows that only a memtable masks are kept"
            );
            let Some((segment, orders)) = &opened else {
                continue;
            };
            for ordered in orders {
                if let Some(rows) = masks.get(ordered.table) {
                    let map = RowMap::of(ordered, index, input.reader().rows(ordered.table));
                    let moved = map.translate(rows);
                    let masks = imposed.entry(SourceId::Segment(segment.id())).or_default();
                    masks.extend(ordered.table, &moved);
                }
            }
        }
    };
    renumber(&mut state.active.imposed);
    if let Some(frozen) = &mut state.frozen {
        // No seal runs during a compaction, so the frozen memtable may be replaced.
        let mut changed = frozen.as_ref().clone();
        renumber(&mut changed.imposed);
        *frozen = Arc::new(changed);
    }
    let is_merged = |segment: &Arc<Segment>| inputs.iter().any(|input| input.id() == segment.id());
    let before = state.segments.len();
    let position = state.segments.iter().position(is_merged);
    state.segments.retain(|segment| !is_merged(segment));
    assert_eq!(
        state.segments.len() + inputs.len(),
        before,
        "what was merged was live, each segment once"
    );
    if let (Some((segment, _)), Some(position)) = (opened, position) {
        state.segments.insert(position, segment);
    }
    state.rebuild_older();
}
