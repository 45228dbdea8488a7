//! What the manifest says at one version, and how an edit leads to the next.
//!
//! Invariants
//! * Segment ids and catalogue names are unique.
//! * A mask is not empty, belongs to a live segment, and names rows that the segment has.
//! * `version` grows by one with every edit; `replay_from` never shrinks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::ManifestEdit;
use crate::error::{Error, Result};
use crate::schema::Table;

/// The id of a segment, a ULID. Displays as its 26 characters, which name its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SegmentId(pub u128);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ulid::Ulid(self.0).fmt(f)
    }
}

/// A file as it must be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMeta {
    /// Path below the segment's folder.
    pub name: String,
    /// Length in bytes.
    pub len: u64,
    /// XXH3-128 of the content.
    pub hash: u128,
    /// What its reader checks first; `None` of a file that is read whole.
    pub end: Option<FileEnd>,
}

/// The last part of a file, by which the rest can be checked piece by piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEnd {
    /// Length in bytes.
    pub len: u64,
    /// XXH3-128 of its bytes.
    pub hash: u128,
}

/// A live segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// Its id, which names its folder.
    pub id: SegmentId,
    /// Physical rows of the spans table.
    pub span_rows: u32,
    /// Physical rows of the traces table.
    pub trace_rows: u32,
    /// Physical rows of the assessments table.
    pub assessment_rows: u32,
    /// Smallest `request_time` of the traces rows and `start_time` of the spans rows, Unix nanoseconds.
    pub min_time_ns: i64,
    /// Largest `request_time` of the traces rows and `start_time` of the spans rows, Unix nanoseconds.
    pub max_time_ns: i64,
    /// Smallest log sequence of the rows.
    pub first_sequence: u64,
    /// Largest log sequence of the rows.
    pub last_sequence: u64,
    /// Its files, derived ones left out.
    pub files: Vec<FileMeta>,
}

impl SegmentMeta {
    /// By which the segments of a state are ordered: oldest rows first.
    fn order(&self) -> (u64, SegmentId) {
        (self.first_sequence, self.id)
    }

    /// Physical rows of a table.
    pub fn rows(&self, table: Table) -> u32 {
        match table {
            Table::Spans => self.span_rows,
            Table::Traces => self.trace_rows,
            Table::Assessments => self.assessment_rows,
        }
    }
}

/// A live file of the catalogue: a dataset version and the like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogFile {
    /// Path below the catalogue's folder.
    pub name: String,
    /// Length in bytes.
    pub len: u64,
    /// XXH3-128 of the content.
    pub hash: u128,
    /// What it is, as JSON text that the manifest does not look into.
    pub meta_json: String,
}

impl CatalogFile {
    /// The file as it must be found.
    pub fn file(&self) -> FileMeta {
        FileMeta {
            name: self.name.clone(),
            len: self.len,
            hash: self.hash,
            end: None,
        }
    }
}

/// All that is live at one version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestState {
    /// How many edits led here.
    pub version: u64,
    /// The first log sequence that is not in segments.
    pub replay_from: u64,
    /// Live segments by first log sequence, then id: oldest rows first.
    pub segments: Vec<SegmentMeta>,
    /// Superseded and deleted rows; no entry means none.
    #[serde(with = "super::mask::map")]
    pub masks: BTreeMap<(SegmentId, Table), RoaringBitmap>,
    /// Live catalogue files, by name.
    pub catalog: Vec<CatalogFile>,
}

impl ManifestState {
    /// The state after `edit`.
    ///
    /// # Errors
    /// `Internal` when the edit contradicts the state: an id or name that is taken or unknown, a mask of
    /// rows that do not exist, a replay point that goes back.
    pub fn apply(&self, edit: &ManifestEdit) -> Result<Self> {
        let mut next = self.clone();
        next.version = self
            .version
            .checked_add(1)
            .ok_or_else(|| Error::internal("manifest versions ran out"))?;
        next.apply_segments(edit)?;
        next.apply_masks(edit)?;
        next.apply_catalog(edit)?;
        if let Some(replay_from) = edit.replay_from {
            if replay_from < self.replay_from {
                let before = self.replay_from;
                return Err(Error::internal(format!(
                    "replay point goes back from {before} to {replay_from}"
                )));
            }
            next.replay_from = replay_from;
        }
        self.assert_leads_to(&next, edit);
        Ok(next)
    }

    /// Checks that a state which was read is one that edits lead to: see the head of this file.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(super) fn check(&self) -> Result<()> {
        let ids: BTreeSet<SegmentId> = self.segments.iter().map(|segment| segment.id).collect();
        let is_in_order = |a: &SegmentMeta, b: &SegmentMeta| a.order() < b.order();
        if ids.len() != self.segments.len() || !self.segments.is_sorted_by(is_in_order) {
            return Err(Error::corrupt("segments are named twice or in no order"));
        }
        if let Some(segment) = self
            .segments
            .iter()
            .find(|s| s.first_sequence > s.last_sequence)
        {
            return Err(Error::corrupt(format!(
                "segment {} ends before it begins",
                segment.id
            )));
        }
        for ((id, table), mask) in &self.masks {
            let rows = self.segment(*id).map_or(0, |segment| segment.rows(*table));
            if mask.max().is_none_or(|last| last >= rows) {
                let table = table.name();
                return Err(Error::corrupt(format!(
                    "a mask of {table} of segment {id} is of no rows there"
                )));
            }
        }
        if !self.catalog.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Error::corrupt(
                "catalogue files are named twice or in no order",
            ));
        }
        Ok(())
    }

    /// Asserts what an edit must have done; walks the state in debug builds only.
    fn assert_leads_to(&self, next: &Self, edit: &ManifestEdit) {
        assert_eq!(
            next.version,
            self.version + 1,
            "the version grows by one with every edit"
        );
        assert!(
            next.replay_from >= self.replay_from,
            "ST-2: what was sealed is not replayed again"
        );
        debug_assert_eq!(
            next.segments.len() + edit.remove_segments.len(),
            self.segments.len() + edit.add_segments.len(),
            "a segment comes or goes once"
        );
        debug_assert_eq!(
            next.catalog.len() + edit.remove_catalog.len(),
            self.catalog.len() + edit.add_catalog.len(),
            "a catalogue file comes or goes once"
        );
        debug_assert!(
            self.masks
                .iter()
                .all(|(key, mask)| edit.remove_segments.contains(&key.0)
                    || next
                        .masks
                        .get(key)
                        .is_some_and(|after| mask.is_subset(after))),
            "ST-4: rows that are masked stay so as long as their segment is there"
        );
        debug_assert!(
            next.check().is_ok(),
            "edit {} leads nowhere: {:?}",
            next.version,
            next.check()
        );
    }

    /// Whether more than half of the spans of a segment are superseded or deleted.
    pub fn is_mostly_masked(&self, segment: &SegmentMeta) -> bool {
        let masked = self
            .masks
            .get(&(segment.id, Table::Spans))
            .map_or(0, RoaringBitmap::len);
        assert!(
            masked <= u64::from(segment.span_rows),
            "a mask names rows that the segment has"
        );
        masked * 2 > u64::from(segment.span_rows)
    }

    /// The live segment with this id.
    pub fn segment(&self, id: SegmentId) -> Option<&SegmentMeta> {
        self.segments.iter().find(|segment| segment.id == id)
    }

    fn apply_segments(&mut self, edit: &ManifestEdit) -> Result<()> {
        let mut live: BTreeSet<SegmentId> =
            self.segments.iter().map(|segment| segment.id).collect();
        for id in &edit.remove_segments {
            if !live.remove(id) {
                return Err(Error::internal(format!(
                    "segment {id} to be removed is not live"
                )));
            }
        }
        self.segments.retain(|segment| live.contains(&segment.id));
        self.masks.retain(|(id, _), _| live.contains(id));
        for segment in &edit.add_segments {
            if !live.insert(segment.id) {
                return Err(Error::internal(format!(
                    "segment {} is live already",
                    segment.id
                )));
            }
            if segment.first_sequence > segment.last_sequence {
                return Err(Error::internal(format!(
                    "segment {} ends before it begins",
                    segment.id
                )));
            }
            self.segments.push(segment.clone());
        }
        self.segments.sort_by_key(SegmentMeta::order);
        Ok(())
    }

    fn apply_masks(&mut self, edit: &ManifestEdit) -> Result<()> {
        for (id, table, rows) in &edit.add_masks {
            let Some(segment) = self.segment(*id) else {
                return Err(Error::internal(format!(
                    "mask of segment {id}, which is not live"
                )));
            };
            let Some(last) = rows.max() else {
                continue;
            };
            let count = segment.rows(*table);
            if last >= count {
                let table = table.name();
                return Err(Error::internal(format!(
                    "mask of row {last} of {count} {table} of segment {id}"
                )));
            }
            *self.masks.entry((*id, *table)).or_default() |= rows;
        }
        Ok(())
    }

    fn apply_catalog(&mut self, edit: &ManifestEdit) -> Result<()> {
        for name in &edit.remove_catalog {
            match self.catalog.binary_search_by(|file| file.name.cmp(name)) {
                Ok(at) => drop(self.catalog.remove(at)),
                Err(_) => {
                    return Err(Error::internal(format!(
                        "catalogue file {name} to be removed is not live"
                    )));
                }
            }
        }
        for file in &edit.add_catalog {
            match self
                .catalog
                .binary_search_by(|other| other.name.cmp(&file.name))
            {
                Ok(_) => {
                    return Err(Error::internal(format!(
                        "catalogue file {} is live already",
                        file.name
                    )));
                }
                Err(at) => self.catalog.insert(at, file.clone()),
            }
        }
        Ok(())
    }
}
