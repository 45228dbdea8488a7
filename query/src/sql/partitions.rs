//! The units of a scan, dealt out to its partitions: at once, or when one of them is first asked for.
//!
//! To find the units of a condition on text an index is asked in every source. A scan that becomes a condition of another
//! (see `related`) never needs them.

use std::sync::{Arc, OnceLock};

use super::source::{Found, Unit};
use crate::error::Result;
use crate::plan::Taken;
use crate::plan::cost::PARTITION_ROWS_MIN;

/// The partitions of a scan.
#[derive(Debug, Clone)]
pub(super) struct Partitions {
    count: usize,
    dealt: Arc<OnceLock<Result<Dealt>>>,
}

/// Units by partition, and how they were found.
#[derive(Debug, Clone)]
pub(super) struct Dealt {
    pub partitions: Vec<Vec<Unit>>,
    pub taken: Taken,
}

impl Partitions {
    /// Partitions of units that are known, at most so many.
    pub(super) fn of(found: Found, partitions_max: usize) -> Self {
        let dealt = Dealt::of(found, partitions_max);
        Self {
            count: dealt.partitions.len(),
            dealt: Arc::new(OnceLock::from(Ok(dealt))),
        }
    }

    /// So many partitions of units that are found when they are asked for.
    pub(super) fn later(count: usize) -> Self {
        Self {
            count: count.max(1),
            dealt: Arc::default(),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// What was dealt out, found by `find` if nothing was yet.
    pub(super) fn dealt(&self, find: impl FnOnce() -> Result<Found>) -> Result<&Dealt> {
        let dealt = self
            .dealt
            .get_or_init(|| Ok(Dealt::of(find()?, self.count)));
        dealt.as_ref().map_err(Clone::clone)
    }
}

impl Dealt {
    /// Deals units out to at most `partitions_max` partitions, as many as are worth it, each getting its share of the newest rows first. Always
    /// at least one partition.
    fn of(found: Found, partitions_max: usize) -> Self {
        let rows: u64 = found.units.iter().map(Unit::row_count).sum();
        let worth = usize::try_from(rows / PARTITION_ROWS_MIN).unwrap_or(usize::MAX);
        let count = partitions_max.min(worth).clamp(1, found.units.len().max(1));
        let mut partitions: Vec<(u64, Vec<Unit>)> = vec![(0, Vec::new()); count];
        for unit in found.units {
            // A stable choice of the emptiest keeps the dealing deterministic.
            if let Some((rows, partition)) = partitions.iter_mut().min_by_key(|(rows, _)| *rows) {
                *rows += unit.row_count();
                partition.push(unit);
            }
        }
        Self {
            partitions: partitions.into_iter().map(|(_, units)| units).collect(),
            taken: found.taken,
        }
    }
}
