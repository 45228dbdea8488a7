//! One table of a snapshot as SQL scans it. The only file of this folder that calls the snapshot.
//!
//! A *unit* is the least piece of a scan: a run of at most [`UNIT_ROWS`] rows of one source, so that
//! work spreads over threads and a scan that finds nothing still comes up for air.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use tracehouse_storage::Snapshot;
use tracehouse_storage::scan::{RowStream, ScanRequest};
use tracehouse_storage::schema::Table;

use crate::error::Result;
use crate::plan::cost::{self, NAMED_UNIT_ROWS, UNIT_ROWS};
use crate::plan::{Access, AccessPath, Candidates, Required, Way};

/// A run of rows of one source.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    source: usize,
    /// `None` means all rows of the source.
    rows: Option<RoaringBitmap>,
    row_count: u64,
}

impl Unit {
    /// Its rows.
    pub(super) fn row_count(&self) -> u64 {
        self.row_count
    }
}

/// The units of a scan, and how they were found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub units: Vec<Unit>,
    /// By way, best first: how many sources it was taken in.
    pub ways: BTreeMap<Way, Sources>,
}

/// Sources in which a way was taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    /// The way in words.
    pub name: String,
    pub count: usize,
    /// The rows that it led to.
    pub rows: u64,
}

/// One table of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct TableRows {
    snapshot: Snapshot,
    table: Table,
}

impl TableRows {
    /// The rows of `table` visible in `snapshot`.
    pub(super) fn new(snapshot: Snapshot, table: Table) -> Self {
        Self { snapshot, table }
    }

    /// Which table.
    pub(super) fn table(&self) -> Table {
        self.table
    }

    /// Exact number of visible rows.
    pub(super) fn row_count(&self) -> u64 {
        self.snapshot.visible_rows(self.table)
    }

    /// Number of sources.
    pub(super) fn source_count(&self) -> usize {
        self.snapshot.source_count()
    }

    /// Units that hold every row that has what is required, newest source first; when nothing is, as many as hold
    /// `rows_max` rows.
    pub(super) fn units(&self, required: Required, rows_max: Option<u64>) -> Result<Found> {
        let path = AccessPath::of(&self.snapshot, self.table, required)?;
        let (mut found, mut visible) = (Found::default(), 0);
        for source in (0..self.snapshot.source_count()).rev() {
            if rows_max.is_some_and(|rows_max| visible >= rows_max) {
                break;
            }
            let rows = self.snapshot.source(source)?.rows(self.table);
            let Access { way, rows: candidates } = path.access(&self.snapshot, source)?;
            let rows = match candidates {
                Candidates::Nothing => 0,
                Candidates::All => push_units(source, rows, &mut found.units),
                Candidates::Rows(named) => push_named(source, rows, &named, &mut found.units),
            };
            if rows > 0 || way != Way::OtherTimes {
                let sources = found.ways.entry(way).or_default();
                sources.name = path.name_of(way);
                sources.count += 1;
                sources.rows += rows;
            }
            visible += self.snapshot.source(source)?.visible_rows(self.table);
        }
        Ok(found)
    }

    /// Scans one unit.
    pub(super) fn scan(&self, unit: &Unit, request: &ScanRequest) -> Result<RowStream> {
        let request = ScanRequest { rows: unit.rows.clone(), ..request.clone() };
        Ok(self.snapshot.scan(unit.source, self.table, &request)?)
    }
}

/// Units over all rows of a source, newest first; how many rows that are.
fn push_units(source: usize, rows: u32, units: &mut Vec<Unit>) -> u64 {
    if rows > 0 && rows <= UNIT_ROWS {
        units.push(Unit { source, rows: None, row_count: u64::from(rows) });
        return u64::from(rows);
    }
    // Rows of a segment are sorted by time: its newest come last.
    let mut end = rows;
    while end > 0 {
        let first = (end - 1) / UNIT_ROWS * UNIT_ROWS;
        let mut run = RoaringBitmap::new();
        run.insert_range(first..end);
        units.push(Unit { source, rows: Some(run), row_count: u64::from(end - first) });
        end = first;
    }
    u64::from(rows)
}

/// Units over the rows that an index names, newest first; how many they are. Where they are most of the source, it is
/// read by runs, since they lie together.
fn push_named(source: usize, rows: u32, named: &RoaringBitmap, units: &mut Vec<Unit>) -> u64 {
    let is_most = named.len() > cost::named_rows_max(rows);
    let unit_rows = if is_most { UNIT_ROWS as usize } else { NAMED_UNIT_ROWS };
    let all: Vec<u32> = named.iter().collect();
    for run in all.rchunks(unit_rows) {
        let rows: RoaringBitmap = run.iter().copied().collect();
        units.push(Unit { source, rows: Some(rows), row_count: run.len() as u64 });
    }
    named.len()
}

/// Deals `units` out to at most `partitions_max` partitions, each getting its share of the newest
/// rows first. Always at least one partition.
pub(super) fn deal(units: Vec<Unit>, partitions_max: usize) -> Vec<Vec<Unit>> {
    let count = partitions_max.clamp(1, units.len().max(1));
    let mut partitions: Vec<(u64, Vec<Unit>)> = vec![(0, Vec::new()); count];
    for unit in units {
        // A stable choice of the emptiest keeps the dealing deterministic.
        if let Some((rows, partition)) = partitions.iter_mut().min_by_key(|(rows, _)| *rows) {
            *rows += unit.row_count;
            partition.push(unit);
        }
    }
    partitions.into_iter().map(|(_, partition)| partition).collect()
}
