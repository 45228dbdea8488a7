//! Bitmaps of physical rows, and the row selections parquet skips by.
//!
//! A bitmap covers the whole file; a selection covers one row group. Row groups without a wanted
//! row are never opened, and one whose rows are all wanted is read without a selection.

use arrow::array::BooleanBufferBuilder;
use parquet::arrow::arrow_reader::RowSelection;
use roaring::RoaringBitmap;

/// At one wanted row in this many or more, a bit per row is smaller than runs.
const MASK_ROWS_PER_WANTED_MAX: u64 = 16;

/// The rows of `0..row_count` that are in `rows` and `kept` and not in `mask`; `None` when that is
/// all of them. `None` for `rows`, `kept` means all rows, for `mask` none.
pub(super) fn wanted_rows(
    row_count: u32,
    rows: Option<&RoaringBitmap>,
    kept: Option<RoaringBitmap>,
    mask: Option<&RoaringBitmap>,
) -> Option<RoaringBitmap> {
    let mask = mask.filter(|mask| !mask.is_empty());
    let mut wanted = match (rows, kept) {
        (Some(rows), Some(kept)) => kept & rows,
        (Some(rows), None) => rows.clone(),
        (None, Some(kept)) => kept,
        (None, None) => {
            mask?;
            let mut all = RoaringBitmap::new();
            all.insert_range(0..row_count);
            all
        }
    };
    if let Some(mask) = mask {
        wanted -= mask;
    }
    Some(wanted)
}

/// What to read of the row group with the physical rows `start..end`.
pub(super) enum GroupSelection {
    /// No row of it is wanted.
    Nothing,
    /// All its rows are wanted.
    Everything,
    /// These of its rows are wanted, and how many they are.
    Rows(RowSelection, usize),
}

/// The part of `wanted` that lies in the rows `start..end`, counted from `start`.
pub(super) fn select_group(wanted: &RoaringBitmap, start: u32, end: u32) -> GroupSelection {
    let row_count = (end - start) as usize;
    let wanted_count = wanted.range_cardinality(start..end);
    if wanted_count == 0 {
        return GroupSelection::Nothing;
    }
    if wanted_count == row_count as u64 {
        return GroupSelection::Everything;
    }
    let runs = Runs { rows: wanted.range(start..end), start, end };
    let selection = if wanted_count * MASK_ROWS_PER_WANTED_MAX >= row_count as u64 {
        let mut bits = BooleanBufferBuilder::new(row_count);
        for run in runs {
            bits.append_n(run.start - bits.len(), false);
            bits.append_n(run.len(), true);
        }
        bits.append_n(row_count - bits.len(), false);
        RowSelection::from_boolean_buffer(bits.finish())
    } else {
        RowSelection::from_consecutive_ranges(runs, row_count)
    };
    GroupSelection::Rows(selection, usize::try_from(wanted_count).unwrap_or(row_count))
}

/// The runs of consecutive rows of a bitmap inside `start..end`, counted from `start`.
struct Runs<'a> {
    rows: roaring::bitmap::Iter<'a>,
    start: u32,
    end: u32,
}

impl Iterator for Runs<'_> {
    type Item = std::ops::Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let run = self.rows.next_range()?;
        let last = (*run.end()).min(self.end - 1);
        Some((*run.start() - self.start) as usize..(last - self.start) as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(selection: &RowSelection) -> Vec<u32> {
        let mut rows = Vec::new();
        let mut at = 0;
        for run in selection.iter() {
            if !run.skip {
                rows.extend(at..at + run.row_count as u32);
            }
            at += run.row_count as u32;
        }
        rows
    }

    #[test]
    fn groups_see_their_own_rows_only_across_container_borders() {
        let start = 65_000;
        let end = 67_000;
        for step in [1_usize, 2, 7, 40, 500] {
            let wanted: RoaringBitmap = (60_000..70_000).filter(|row| *row != 66_666).step_by(step).collect();
            let expected: Vec<u32> =
                wanted.iter().filter(|row| (start..end).contains(row)).map(|r| r - start).collect();
            match select_group(&wanted, start, end) {
                GroupSelection::Rows(selection, count) => {
                    assert_eq!(selected(&selection), expected, "step {step}");
                    assert_eq!(count, expected.len());
                    let covered: usize = selection.iter().map(|run| run.row_count).sum();
                    assert_eq!(covered, (end - start) as usize);
                }
                _ => panic!("step {step}: some rows are wanted"),
            }
        }
    }

    #[test]
    fn whole_and_empty_groups_have_no_selection() {
        let mut wanted = RoaringBitmap::new();
        wanted.insert_range(100..200);
        assert!(matches!(select_group(&wanted, 0, 100), GroupSelection::Nothing));
        assert!(matches!(select_group(&wanted, 100, 200), GroupSelection::Everything));
    }

    #[test]
    fn nothing_to_leave_out_means_no_bitmap() {
        let empty = RoaringBitmap::new();
        assert!(wanted_rows(10, None, None, None).is_none());
        assert!(wanted_rows(10, None, None, Some(&empty)).is_none());
        let mask: RoaringBitmap = [3, 12].into_iter().collect();
        assert_eq!(wanted_rows(10, None, None, Some(&mask)).map(|rows| rows.len()), Some(9));
        assert_eq!(wanted_rows(10, Some(&mask), None, Some(&mask)).map(|rows| rows.len()), Some(0));
    }
}
