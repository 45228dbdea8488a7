//! The rows of one source that are looked at.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, Snapshot, Source};

/// Rows of one table of one source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Candidates {
    /// None.
    Nothing,
    /// All of them.
    All,
    /// These, at least one.
    Rows(RoaringBitmap),
}

impl Candidates {
    /// These rows; none of them is `Nothing`.
    pub fn of(rows: RoaringBitmap) -> Self {
        if rows.is_empty() {
            Candidates::Nothing
        } else {
            Candidates::Rows(rows)
        }
    }

    /// How many of them are visible.
    pub fn visible_rows(&self, source: &Source, table: Table) -> u64 {
        match (self, source.mask(table)) {
            (Candidates::Nothing, _) => 0,
            (Candidates::All, _) => source.visible_rows(table),
            (Candidates::Rows(rows), None) => rows.len(),
            (Candidates::Rows(rows), Some(mask)) => rows.len() - rows.intersection_len(mask),
        }
    }

    /// Those that are among these rows.
    pub fn among(self, rows: Option<&RoaringBitmap>) -> Self {
        match (self, rows) {
            (Candidates::Nothing, _) | (_, None) => Candidates::Nothing,
            (Candidates::All, Some(rows)) => Candidates::of(rows.clone()),
            (Candidates::Rows(all), Some(rows)) => Candidates::of(all & rows),
        }
    }
}

/// The rows of `traces` of these traces by source, each trace with a source where it may be.
///
/// # Errors
/// What reading an index gives.
pub(crate) fn rows_of_traces(
    snapshot: &Snapshot,
    traces: impl Iterator<Item = (TraceKey, usize)>,
) -> Result<BTreeMap<usize, RoaringBitmap>> {
    let mut rows: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
    for (key, home) in traces {
        if let Some(row) = snapshot.find_trace_near(key, home)? {
            rows.entry(row.source).or_default().insert(row.row);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_left_that_are_among_both() {
        let rows = |rows: &[u32]| rows.iter().copied().collect::<RoaringBitmap>();
        let (some, other) = (rows(&[1, 2]), rows(&[2, 3]));
        assert_eq!(
            Candidates::All.among(Some(&some)),
            Candidates::Rows(some.clone())
        );
        assert_eq!(
            Candidates::Rows(some.clone()).among(Some(&other)),
            Candidates::Rows(rows(&[2]))
        );
        assert_eq!(
            Candidates::Rows(some.clone()).among(Some(&rows(&[7]))),
            Candidates::Nothing
        );
        assert_eq!(
            Candidates::Rows(some.clone()).among(None),
            Candidates::Nothing
        );
        assert_eq!(Candidates::Nothing.among(Some(&some)), Candidates::Nothing);
    }
}
