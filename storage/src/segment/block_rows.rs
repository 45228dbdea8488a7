//! The rows of one block that a scan still wants, and the columns it has read of them.
//!
//! Light columns are there for the whole block; what is asked of them is taken when it is asked for, so that
//! a filter that may look at any row looks at them as they are.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::{filter, take};

use super::projection::Projection;
use crate::error::{Error, Result};

/// A total filter is put to a whole block when at least one row in so many is left.
const WHOLE_SHARE: usize = 4;

/// A run of rows of one row group.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) group: usize,
    /// First row of the group.
    pub(super) group_start: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The rows of a block that are left, with the columns read so far.
pub(super) struct Current {
    pub(super) block: Block,
    /// Rows counted from the block's first; `None` = all of them.
    pub(super) rows: Option<UInt32Array>,
    /// Columns of the whole block.
    pub(super) whole: BTreeMap<usize, ArrayRef>,
    /// Columns of the rows that are left.
    pub(super) columns: BTreeMap<usize, ArrayRef>,
}

impl Block {
    pub(super) fn len(self) -> usize {
        assert!(
            self.group_start <= self.start && self.start <= self.end,
            "a block is a run of its row group"
        );
        (self.end - self.start) as usize
    }
}

impl Current {
    pub(super) fn new(block: Block, rows: Option<UInt32Array>) -> Self {
        debug_assert!(
            rows.iter()
                .flat_map(|rows| rows.values())
                .all(|row| (*row as usize) < block.len()),
            "rows are counted from the block's first"
        );
        Self {
            block,
            rows,
            whole: BTreeMap::new(),
            columns: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.block.len(), Array::len)
    }

    /// The columns of a projection that are not there yet, ascending.
    pub(super) fn missing(&self, projection: &Projection) -> Vec<usize> {
        let is_missing =
            |root: &usize| !self.whole.contains_key(root) && !self.columns.contains_key(root);
        let mut roots: Vec<usize> = projection.roots().filter(is_missing).collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// A column of the rows that are left.
    pub(super) fn column(&mut self, root: usize) -> Result<ArrayRef> {
        if let Some(array) = self.columns.get(&root) {
            return Ok(array.clone());
        }
        let array = self.whole.get(&root);
        let array = array.ok_or_else(|| Error::internal(format!("column {root} was not read")))?;
        assert_eq!(
            array.len(),
            self.block.len(),
            "a light column is that of the whole block"
        );
        let Some(rows) = &self.rows else {
            return Ok(array.clone());
        };
        let taken = take(array.as_ref(), rows, None)?;
        self.columns.insert(root, taken.clone());
        Ok(taken)
    }

    /// Whether so many rows are left that a light column is rather looked at as a whole.
    pub(super) fn is_dense(&self) -> bool {
        let all = self.block.len();
        self.rows
            .as_ref()
            .is_none_or(|rows| rows.len().saturating_mul(WHOLE_SHARE) >= all)
    }

    /// Leaves the rows that are true in `keep`, which has one answer for each row of the block; whether there
    /// is any.
    pub(super) fn keep_of_whole(&mut self, keep: &BooleanArray) -> Result<bool> {
        let count = self.block.len();
        if keep.len() != count {
            return Err(Error::internal(format!(
                "a filter answered {} rows of {count}",
                keep.len()
            )));
        }
        let Some(rows) = &self.rows else {
            return self.keep(keep);
        };
        let kept = rows.values().iter().map(|row| {
            let row = *row as usize;
            row < count && keep.is_valid(row) && keep.value(row)
        });
        let kept = BooleanArray::new(kept.collect(), None);
        self.keep(&kept)
    }

    /// Leaves the rows that are true in `keep`; whether there is any.
    pub(super) fn keep(&mut self, keep: &BooleanArray) -> Result<bool> {
        if keep.len() != self.len() {
            return Err(Error::internal(format!(
                "a filter answered {} rows of {}",
                keep.len(),
                self.len()
            )));
        }
        let kept = keep.true_count();
        if kept == keep.len() {
            return Ok(true);
        }
        if kept == 0 {
            return Ok(false);
        }
        let all = || UInt32Array::from_iter_values(0..self.block.end - self.block.start);
        let rows = self.rows.take().unwrap_or_else(all);
        self.rows = Some(UInt32Array::from(filter(&rows, keep)?.to_data()));
        // Light columns are taken from the whole ones again, when they are asked for again.
        let whole = &self.whole;
        self.columns.retain(|root, _| !whole.contains_key(root));
        for array in self.columns.values_mut() {
            *array = filter(array.as_ref(), keep)?;
        }
        assert_eq!(
            self.len(),
            kept,
            "the rows that are left are those that were kept"
        );
        debug_assert!(
            self.columns.values().all(|array| array.len() == kept),
            "columns are of the rows left"
        );
        Ok(true)
    }

    /// Physical row numbers.
    pub(super) fn row_numbers(&self) -> UInt32Array {
        match &self.rows {
            Some(rows) => rows.unary(|row| row + self.block.start),
            None => UInt32Array::from_iter_values(self.block.start..self.block.end),
        }
    }

    /// The rows as runs counted from the row group's first.
    pub(super) fn runs(&self) -> Vec<Range<usize>> {
        let base = self.block.start - self.block.group_start;
        let mut runs: Vec<Range<usize>> = Vec::new();
        let Some(rows) = &self.rows else {
            runs.push(base as usize..(self.block.end - self.block.group_start) as usize);
            return runs;
        };
        for row in rows.values() {
            let row = (row + base) as usize;
            match runs.last_mut() {
                Some(run) if run.end == row => run.end += 1,
                _ => runs.push(row..row + 1),
            }
        }
        debug_assert_eq!(
            runs.iter().map(Range::len).sum::<usize>(),
            self.len(),
            "each row is in one run"
        );
        runs
    }
}
