//! One table of a snapshot as SQL scans it. The only file of this folder that calls the snapshot.
//!
//! A *unit* is the least piece of a scan: a run of at most [`UNIT_ROWS`] rows of one source, so that
//! work spreads over threads and a scan that finds nothing still comes up for air.

use roaring::RoaringBitmap;
use tracehouse_storage::Snapshot;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::{RowStream, ScanRequest};
use tracehouse_storage::schema::Table;

use crate::error::Result;
use crate::text_need::TextNeed;

/// Rows of one unit. A multiple of the parquet pages of light columns.
pub(super) const UNIT_ROWS: u32 = 65_536;

/// Rows found by a text index that one unit reads; they lie apart and are large.
const HITS_PER_UNIT: usize = 8192;

/// A source is read whole when its index names more than one row in this many, and not just a few.
const HIT_SHARE_MAX: u64 = 2;
const HITS_MIN: u64 = 64;

/// Trace ids looked up by index; a longer list is scanned.
const LOOKUP_IDS_MAX: usize = 256;

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

/// What is known of the rows wanted before reading any.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Trace ids of which the row's must be one.
    pub trace_ids: Option<Vec<String>>,
    /// Inclusive bounds of the table's time column, Unix nanoseconds.
    pub time_range: Option<(i64, i64)>,
    /// What the row's text must have.
    pub text: Option<TextNeed>,
    /// Rows that suffice, when nothing is filtered.
    pub rows_max: Option<u64>,
}

impl Wanted {
    /// Whether the rows are looked up by their trace ids.
    pub(super) fn is_by_trace_id(&self) -> bool {
        self.trace_ids.as_ref().is_some_and(|ids| ids.len() <= LOOKUP_IDS_MAX)
    }
}

/// What text indexes did for a scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TextUse {
    /// Sources whose index named the rows to read, and how many it named.
    pub indexed: usize,
    pub hits: u64,
    /// Sources that are read whole: without an index, or one that is of no help.
    pub scanned: usize,
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

    /// The column that a source's time range bounds, if there is one.
    pub(super) fn time_column(&self) -> Option<&'static str> {
        match self.table {
            Table::Spans => Some("start_time"),
            Table::Traces => Some("request_time"),
            Table::Assessments => None,
        }
    }

    /// Exact number of visible rows.
    pub(super) fn row_count(&self) -> u64 {
        self.snapshot.visible_rows(self.table)
    }

    /// Number of sources.
    pub(super) fn source_count(&self) -> usize {
        self.snapshot.source_count()
    }

    /// Units that hold every wanted row, newest source first, and what text indexes did for that.
    pub(super) fn units(&self, wanted: &Wanted) -> Result<(Vec<Unit>, Option<TextUse>)> {
        if let Some(units) = self.units_by_trace(wanted)? {
            return Ok((units, None));
        }
        let need = wanted.text.as_ref().filter(|_| self.table == Table::Spans);
        let (mut units, mut used) = (Vec::new(), TextUse::default());
        let mut visible: u64 = 0;
        for source in (0..self.snapshot.source_count()).rev() {
            if wanted.rows_max.is_some_and(|rows_max| visible >= rows_max) {
                break;
            }
            if !self.overlaps(source, wanted.time_range)? {
                continue;
            }
            match self.text_hits(source, need)? {
                Some(hits) => {
                    used.indexed += 1;
                    used.hits += hits.len();
                    push_hits(source, &hits, &mut units);
                }
                None => {
                    used.scanned += 1;
                    self.push_units(source, &mut units)?;
                }
            }
            visible += self.snapshot.source(source)?.visible_rows(self.table);
        }
        Ok((units, need.map(|_| used)))
    }

    /// Scans one unit.
    pub(super) fn scan(&self, unit: &Unit, request: &ScanRequest) -> Result<RowStream> {
        let request = ScanRequest { rows: unit.rows.clone(), ..request.clone() };
        Ok(self.snapshot.scan(unit.source, self.table, &request)?)
    }

    fn overlaps(&self, source: usize, time_range: Option<(i64, i64)>) -> Result<bool> {
        Ok(match (time_range, self.snapshot.source(source)?.time_range()) {
            (Some((min, max)), Some((first, last))) => first <= max && min <= last,
            _ => true,
        })
    }

    /// The rows that the source's text index names; `None` when it is read whole.
    fn text_hits(&self, source: usize, need: Option<&TextNeed>) -> Result<Option<RoaringBitmap>> {
        let Some(need) = need else { return Ok(None) };
        let source = self.snapshot.source(source)?;
        let rows_max = u64::from(source.rows(self.table)) / HIT_SHARE_MAX;
        Ok(source.text().and_then(|index| need.candidates(&index, rows_max.max(HITS_MIN))))
    }

    fn push_units(&self, source: usize, units: &mut Vec<Unit>) -> Result<()> {
        let rows = self.snapshot.source(source)?.rows(self.table);
        if rows == 0 {
            return Ok(());
        }
        if rows <= UNIT_ROWS {
            units.push(Unit { source, rows: None, row_count: u64::from(rows) });
            return Ok(());
        }
        let before = units.len();
        let mut first = 0;
        while first < rows {
            let end = rows.min(first.saturating_add(UNIT_ROWS));
            let mut run = RoaringBitmap::new();
            run.insert_range(first..end);
            units.push(Unit { source, rows: Some(run), row_count: u64::from(end - first) });
            first = end;
        }
        // Rows of a segment are sorted by time: its newest come last.
        if let Some(added) = units.get_mut(before..) {
            added.reverse();
        }
        Ok(())
    }

    /// The rows of the wanted traces by index; `None` when there are too many to look up.
    fn units_by_trace(&self, wanted: &Wanted) -> Result<Option<Vec<Unit>>> {
        let ids = match &wanted.trace_ids {
            Some(ids) if wanted.is_by_trace_id() => ids,
            _ => return Ok(None),
        };
        let mut by_source = vec![RoaringBitmap::new(); self.snapshot.source_count()];
        for id in ids {
            for (source, rows) in self.snapshot.rows_of(self.table, TraceKey::of(id))? {
                if let Some(all) = by_source.get_mut(source) {
                    *all |= rows;
                }
            }
        }
        let units = by_source.into_iter().enumerate().rev().filter(|(_, rows)| !rows.is_empty());
        let units = units.map(|(source, rows)| Unit { source, row_count: rows.len(), rows: Some(rows) });
        Ok(Some(units.collect()))
    }
}

/// Units over `hits`, newest rows first.
fn push_hits(source: usize, hits: &RoaringBitmap, units: &mut Vec<Unit>) {
    let rows: Vec<u32> = hits.iter().collect();
    for run in rows.rchunks(HITS_PER_UNIT) {
        let rows: RoaringBitmap = run.iter().copied().collect();
        units.push(Unit { source, rows: Some(rows), row_count: run.len() as u64 });
    }
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
