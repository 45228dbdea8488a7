//! Which physical rows of a file a scan wants.

use roaring::RoaringBitmap;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_leave_out_means_no_bitmap() {
        let empty = RoaringBitmap::new();
        assert!(wanted_rows(10, None, None, None).is_none());
        assert!(wanted_rows(10, None, None, Some(&empty)).is_none());
        let mask: RoaringBitmap = [3, 12].into_iter().collect();
        assert_eq!(
            wanted_rows(10, None, None, Some(&mask)).map(|rows| rows.len()),
            Some(9)
        );
        assert_eq!(
            wanted_rows(10, Some(&mask), None, Some(&mask)).map(|rows| rows.len()),
            Some(0)
        );
    }
}
