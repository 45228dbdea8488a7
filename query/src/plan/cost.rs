//! What things cost: every number that decides on a way to the rows, with the formula that it belongs to.
//!
//! The unit is a row of `traces` whose light columns are compared in a cached block. The numbers were chosen on the
//! generated workload of 100,000 traces (release build); what was measured for one is said beside it, and where nothing
//! is said it is a round number that was not measured by itself.

use tracehouse_storage::Snapshot;
use tracehouse_storage::schema::Table;

/// A lookup of a trace by its id, about 3 us a segment, costs as much as so many rows.
const LOOKUP_ROWS: u64 = 400;
/// So many lookups cost nothing that anyone notices: 64 times 3 us a segment.
const LOOKUPS_MIN: u64 = 64;
/// Matches on a page: a scan that is newest first ends with them.
const PAGE_ROWS: u64 = 100;

/// Up to this many traces that a condition has named are looked up by id instead of scanned for, newest first.
///
/// `n` lookups cost `n * LOOKUP_ROWS` rows. A scan that meets a match every `rows / n` rows has its page after
/// `PAGE_ROWS * rows / n`. They are equal at `n = sqrt(PAGE_ROWS * rows / LOOKUP_ROWS)`.
pub(crate) fn lookups_max(snapshot: &Snapshot) -> u64 {
    let rows = snapshot.visible_rows(Table::Traces);
    (rows.saturating_mul(PAGE_ROWS) / LOOKUP_ROWS)
        .isqrt()
        .max(LOOKUPS_MIN)
}

/// Up to this many ids that a condition lists are looked up, where all matches are wanted: `n * LOOKUP_ROWS` rows
/// against all of them. A statement's list of some hundred ids is common, so that few rows do not make it less.
pub(crate) fn listed_ids_max(rows: u64) -> u64 {
    (rows / LOOKUP_ROWS).max(LISTED_IDS_MIN)
}

/// Ids of a list that are looked up however few rows there are.
const LISTED_IDS_MIN: u64 = 256;

/// Rows that an index names are read by themselves when they are at most one in so many of a source's: a block of a
/// column is decoded whole, so that every other row of it costs as much as all.
const NAMED_SHARE: u64 = 2;
/// So few named rows are always read by themselves.
const NAMED_ROWS_MIN: u64 = 64;

/// The most rows that an index may name of a source with so many for reading them alone.
pub(crate) fn named_rows_max(rows: u32) -> u64 {
    (u64::from(rows) / NAMED_SHARE).max(NAMED_ROWS_MIN)
}

/// Values of a list that become a zone: each is compared with the bounds of every block.
pub(crate) const ZONE_VALUES_MAX: usize = 256;

/// Rows of the first piece of a segment that a search reads newest first: ten pages; each next piece is larger.
pub(crate) const FIRST_PIECE_ROWS: u32 = 1_024;
/// Rows of the first piece when light columns of spans are read, of which the workload has six a trace.
pub(crate) const FIRST_PIECE_ROWS_WITH_SPANS: u32 = 512;
/// Rows of the first piece when large columns of spans are read.
pub(crate) const FIRST_PIECE_ROWS_WITH_HEAVY_SPANS: u32 = 128;

/// Up to this many spans that an index names, their traces are found before the first row of `traces` is read; more
/// where [`lookups_max`] is more.
pub(crate) const FOUND_SPANS_MAX: u64 = 512;
/// Their most when large columns of each must be read.
pub(crate) const FOUND_HEAVY_SPANS_MAX: u64 = 128;
/// Words that more spans of a source than this have are not looked up: naming the half of all spans that say `gpt` cost
/// more than reading the newest hundred traces.
pub(crate) const COMMON_SPANS_MIN: u64 = 4_096;
/// Up to this many spans that an index names in a segment, the rows of their traces are told from the rows of spans.
pub(crate) const NAMED_SPANS_MAX: u64 = 16_384;
/// Up to this many spans of a common word are read at once, without asking an index for the others.
pub(crate) const SPANS_AT_ONCE_MAX: u64 = 2_048;

/// So many displaced traces (whose spans do not lie where their row says) are worth finding the traces of all spans
/// that satisfy the condition: each costs a lookup in every source.
pub(crate) const DISPLACED_TRACES_MIN: usize = 64;
/// Unless more spans than this must be looked at for that.
pub(crate) const DISPLACED_SPANS_MAX: u64 = 65_536;

/// Fewer assessments than this are all looked at: a block of them.
pub(crate) const ASSESSMENTS_MIN: u64 = 4_096;
/// Looking up the assessments of a trace costs as much as reading so many assessments.
const ASSESSMENTS_FOR_LOOKUP: u64 = 8;
/// Traces that are looked up before a condition is taken for a rare one, at least.
const ASSESSED_TRACES_MIN: usize = 1_024;

/// After so many traces without an end, all assessments are read: `n * ASSESSMENTS_FOR_LOOKUP` has become as many.
pub(crate) fn assessed_traces_max(assessments: u64) -> usize {
    let affordable = assessments / ASSESSMENTS_FOR_LOOKUP;
    usize::try_from(affordable)
        .unwrap_or(usize::MAX)
        .max(ASSESSED_TRACES_MIN)
}

/// Rows of a unit of a statement's scan: 16 blocks, so that a scan is spread over threads and comes up for air.
pub(crate) const UNIT_ROWS: u32 = 65_536;
/// Rows of a unit of rows that an index names, which lie apart.
pub(crate) const NAMED_UNIT_ROWS: usize = 8_192;
/// Rows that are worth a partition of a scan: each is planned for, and is a task.
pub(crate) const PARTITION_ROWS_MIN: u64 = 512;
/// Fewest rows per batch of a scan with a limit.
pub(crate) const LIMIT_BATCH_ROWS_MIN: usize = 64;

/// Rows after which it is told whether the filter that a join makes of its other side is worth its while.
pub(crate) const TRIAL_ROWS: u64 = 16_384;
/// It is not when at least one row in so many passes it: looking a row up costs as much as the join.
pub(crate) const TRIAL_PASSING_SHARE: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_follow_their_formulas() {
        assert_eq!(
            [0, 100_000, 1_000_000].map(listed_ids_max),
            [256, 256, 2_500]
        );
        assert_eq!([0, 100, 10_000].map(named_rows_max), [64, 64, 5_000]);
        assert_eq!([0, 80_000].map(assessed_traces_max), [1_024, 10_000]);
    }
}
