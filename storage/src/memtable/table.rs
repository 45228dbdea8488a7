//! The mutable head of a store: rows, what they supersede in older sources, and which traces must be
//! folded before anyone looks.

use std::collections::{BTreeMap, HashSet};

use roaring::RoaringBitmap;

use super::MemView;
use crate::manifest::SegmentId;
use crate::model::TraceKey;
use crate::schema::Table;

/// Names a source of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceId {
    /// A sealed segment.
    Segment(SegmentId),
    /// A memtable, by generation.
    Memtable(u64),
}

/// Masked rows of one source, by table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableMasks {
    masks: BTreeMap<Table, RoaringBitmap>,
}

impl TableMasks {
    /// The masked rows of a table, when there are any.
    pub fn get(&self, table: Table) -> Option<&RoaringBitmap> {
        self.masks.get(&table)
    }

    /// Masks one row.
    pub fn insert(&mut self, table: Table, row: u32) {
        let is_new = self.masks.entry(table).or_default().insert(row);
        debug_assert!(
            is_new,
            "ST-3: row {row} of {} was visible until it was superseded",
            table.name()
        );
    }

    /// Masks many rows.
    pub fn extend(&mut self, table: Table, rows: &RoaringBitmap) {
        if !rows.is_empty() {
            let mask = self.masks.entry(table).or_default();
            debug_assert!(
                mask.is_disjoint(rows),
                "ST-3: no two old rows become the same new one"
            );
            *mask |= rows;
        }
    }

    /// Tables with masked rows.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &RoaringBitmap)> {
        self.masks.iter().map(|(table, rows)| (*table, rows))
    }
}

/// A memtable that takes writes.
#[derive(Debug, Clone)]
pub struct Memtable {
    /// The rows.
    pub view: MemView,
    /// Rows of older sources that rows of this memtable supersede or delete.
    pub imposed: BTreeMap<SourceId, TableMasks>,
    /// Traces whose spans changed since their row was folded.
    pub dirty: HashSet<TraceKey>,
    /// Traces that had rows in an older source when this memtable first saw them.
    pub known_older: HashSet<TraceKey>,
    /// First sequence number that may be in it.
    pub first_sequence: u64,
    /// Last sequence number applied; `first_sequence - 1` when none is.
    pub last_sequence: u64,
}

impl Memtable {
    /// An empty memtable for sequences from `first_sequence` on.
    pub fn new(generation: u64, first_sequence: u64) -> Self {
        assert!(
            generation > 0 && first_sequence > 0,
            "generations and sequences are counted from 1"
        );
        Self {
            view: MemView::new(generation),
            imposed: BTreeMap::new(),
            dirty: HashSet::new(),
            known_older: HashSet::new(),
            first_sequence,
            last_sequence: first_sequence.saturating_sub(1),
        }
    }

    /// This memtable's name as a source.
    pub fn id(&self) -> SourceId {
        SourceId::Memtable(self.view.generation())
    }

    /// Whether this memtable masks a row of an older source.
    pub fn masks(&self, source: SourceId, table: Table, row: u32) -> bool {
        self.imposed
            .get(&source)
            .and_then(|masks| masks.get(table))
            .is_some_and(|rows| rows.contains(row))
    }

    /// Operations that came to it: as many records of the log.
    pub fn records(&self) -> u64 {
        assert!(
            self.last_sequence + 1 >= self.first_sequence,
            "sequences only grow"
        );
        self.last_sequence + 1 - self.first_sequence
    }

    /// Whether no operation came to it, so that the log has nothing to be cut for it either.
    pub fn is_empty(&self) -> bool {
        self.last_sequence < self.first_sequence
    }
}
