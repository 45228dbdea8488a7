//! One table of a snapshot as SQL scans it. The only file of this folder that calls the snapshot.
//!
//! A *unit* is the least piece of a scan: a run of at most [`UNIT_ROWS`] rows of one source, so that
//! work spreads over threads and a scan that finds nothing still comes up for air.

use roaring::RoaringBitmap;
use tracehouse_storage::Snapshot;
use tracehouse_storage::manifest::SegmentId;
use tracehouse_storage::scan::{RowStream, ScanRequest};
use tracehouse_storage::schema::Table;

use super::related::RelatedRows;
use crate::error::Result;
use crate::plan::cost::{self, NAMED_UNIT_ROWS, UNIT_ROWS};
use crate::plan::{Access, AccessPath, Candidates, Required, Taken};
use crate::predicate::Predicate;
use crate::search::Related;

/// A run of rows of one source.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    source: usize,
    /// `None` means all rows of the source.
    rows: Option<RoaringBitmap>,
    row_count: u64,
}

impl Unit {
    /// The number of its source in the snapshot.
    pub(super) fn source(&self) -> usize {
        self.source
    }

    /// Its rows that are not masked.
    pub(super) fn row_count(&self) -> u64 {
        self.row_count
    }
}

/// The units of a scan, and how they were found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub units: Vec<Unit>,
    pub taken: Taken,
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

    /// A predicate on what belongs to traces, ready to be asked of their rows.
    pub(super) fn related(&self, predicate: &Predicate) -> Result<Related> {
        Ok(Related::of(&self.snapshot, predicate)?)
    }

    /// Units that hold every row that has what is required and related, newest source first; when nothing is, as many
    /// as hold `rows_max` rows.
    pub(super) fn units(
        &self,
        required: Required,
        related: &[RelatedRows],
        rows_max: Option<u64>,
    ) -> Result<Found> {
        let mut path = AccessPath::of(&self.snapshot, self.table, required)?;
        for related in related {
            related.related.confine(&self.snapshot, &mut path)?;
        }
        let first_rows = (related.iter()).map(|related| related.related.first_piece_rows());
        let mut first_rows = first_rows.min().unwrap_or(UNIT_ROWS);
        let (mut units, mut taken) = (Vec::new(), Taken::of(self.row_count()));
        let mut visible = 0;
        for source in (0..self.snapshot.source_count()).rev() {
            if rows_max.is_some_and(|rows_max| visible >= rows_max) {
                break;
            }
            let Access {
                way,
                rows: candidates,
            } = path.access(&self.snapshot, source)?;
            let of_source = match candidates {
                Candidates::Nothing => Vec::new(),
                Candidates::All => self.runs(source, &mut first_rows)?,
                Candidates::Rows(named) => self.named(source, &named)?,
            };
            taken.add(&path, way, of_source.iter().map(Unit::row_count).sum());
            units.extend(of_source);
            visible += self.snapshot.source(source)?.visible_rows(self.table);
        }
        Ok(Found { units, taken })
    }

    /// Units over all rows of a source, newest first, of at most `rows_max` rows, which doubles with each: what is
    /// related is looked at for the newest rows first, and a limit may end it there.
    fn runs(&self, source: usize, rows_max: &mut u32) -> Result<Vec<Unit>> {
        let rows = self.snapshot.source(source)?.rows(self.table);
        if rows <= *rows_max {
            *rows_max = rows_max.saturating_mul(2).min(UNIT_ROWS);
            return Ok(self.unit(source, None)?.into_iter().collect());
        }
        let (mut units, mut end) = (Vec::new(), rows);
        // Rows of a segment are sorted by time: its newest come last.
        while end > 0 {
            let first = (end - 1) / *rows_max * *rows_max;
            let mut run = RoaringBitmap::new();
            run.insert_range(first..end);
            units.extend(self.unit(source, Some(run))?);
            *rows_max = rows_max.saturating_mul(2).min(UNIT_ROWS);
            end = first;
        }
        Ok(units)
    }

    /// Units over the rows that an index names, newest first. Where they are most of the source, it is read by runs,
    /// since they lie together.
    fn named(&self, source: usize, named: &RoaringBitmap) -> Result<Vec<Unit>> {
        let is_most =
            named.len() > cost::named_rows_max(self.snapshot.source(source)?.rows(self.table));
        let unit_rows = if is_most {
            UNIT_ROWS as usize
        } else {
            NAMED_UNIT_ROWS
        };
        if named.len() <= unit_rows as u64 {
            return Ok(self
                .unit(source, Some(named.clone()))?
                .into_iter()
                .collect());
        }
        let (all, mut units): (Vec<u32>, _) = (named.iter().collect(), Vec::new());
        for run in all.rchunks(unit_rows) {
            units.extend(self.unit(source, Some(run.iter().copied().collect()))?);
        }
        Ok(units)
    }

    /// A unit over these rows, or all; none where all are masked.
    fn unit(&self, source: usize, rows: Option<RoaringBitmap>) -> Result<Option<Unit>> {
        let candidates = rows.map_or(Candidates::All, Candidates::Rows);
        let row_count = candidates.visible_rows(self.snapshot.source(source)?, self.table);
        let rows = match candidates {
            Candidates::Rows(rows) => Some(rows),
            Candidates::All | Candidates::Nothing => None,
        };
        Ok((row_count > 0).then_some(Unit {
            source,
            rows,
            row_count,
        }))
    }

    /// The latest time of the unit's source, if its rows are in the order of time.
    ///
    /// # Errors
    /// `Internal` when there is no such source.
    pub(super) fn latest_ns(&self, unit: &Unit) -> Result<Option<i64>> {
        let times = self.snapshot.source(unit.source)?.time_range();
        Ok(times.map(|(_, latest)| latest))
    }

    /// The segment that a source is, if it is one.
    ///
    /// # Errors
    /// `Internal` when there is no such source.
    pub(super) fn segment(&self, source: usize) -> Result<Option<SegmentId>> {
        let segment = self.snapshot.source(source)?.segment();
        Ok(segment.map(|segment| segment.id()))
    }

    /// Scans rows of one source.
    ///
    /// # Errors
    /// `Internal` when there is no such source; what reading it gives.
    pub(super) fn rows_of(&self, source: usize, request: &ScanRequest) -> Result<RowStream> {
        Ok(self.snapshot.scan(source, self.table, request)?)
    }

    /// Scans one unit.
    pub(super) fn scan(
        &self,
        unit: &Unit,
        request: &ScanRequest,
        related: &[RelatedRows],
    ) -> Result<RowStream> {
        let mut rows = unit.rows.clone();
        for related in related {
            if let Some(named) = related.related.named_rows(unit.source)? {
                rows = Some(rows.map_or_else(|| named.clone(), |rows| rows & named));
            }
        }
        if rows.as_ref().is_some_and(RoaringBitmap::is_empty) {
            return Ok(Box::new(std::iter::empty()));
        }
        let mut request = ScanRequest {
            rows,
            ..request.clone()
        };
        let filters = related
            .iter()
            .flat_map(|related| related.related.filters(unit.source));
        request.filters.extend(filters);
        self.rows_of(unit.source, &request)
    }
}
