//! A condition of another language on one row, such as SQL's: what it reads, how it is evaluated, and what is known of
//! the rows that satisfy it.
//!
//! **Invariant** QU-2: the zones, the need and the test of a value keep every row that satisfies the condition.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use tracehouse_storage::scan::{RowFilter, Zone};
use tracehouse_storage::text::{TextReader, ValueRows};
use tracehouse_storage::{Error, Result};

use crate::text_need::TextNeed;

/// A condition on one row that is no [`Condition`](super::Condition).
#[derive(Clone)]
pub struct RowCondition {
    /// For people.
    pub(crate) text: String,
    /// Its columns, and its evaluation.
    pub(crate) filter: RowFilter,
    /// Zones that every row lies in that satisfies it.
    pub(crate) zones: Vec<Zone>,
    /// What a span's text has that satisfies it.
    pub(crate) need: Option<TextNeed>,
    /// The attribute whose text alone decides.
    pub(crate) member: Option<MemberTest>,
}

/// Whether a text is wanted.
type TextPredicate = dyn Fn(&str) -> Result<bool> + Send + Sync;

/// A test of an attribute's text, as a JSON function reads it.
#[derive(Clone)]
pub(crate) struct MemberTest {
    pub key: String,
    pub accepts: Arc<TextPredicate>,
}

impl RowCondition {
    /// One boolean per row of a batch that has its columns, among others.
    ///
    /// # Errors
    /// What its evaluation gives; `Internal` when a column is missing.
    pub(super) fn rows(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let schema = batch.schema();
        let columns: Vec<usize> = (self.filter.columns.iter())
            .filter_map(|column| Some(schema.column_with_name(column)?.0))
            .collect();
        let own = batch
            .project(&columns)
            .ok()
            .filter(|own| own.num_columns() == self.filter.columns.len())
            .ok_or_else(|| Error::internal(format!("no columns for condition {}", self.text)))?;
        let kept = (self.filter.keep)(&own)?;
        Ok(trues(&kept))
    }

    /// The rows among `within` that satisfy it, as far as the values of its attribute tell; `None` when the index does
    /// not.
    pub(crate) fn rows_by_value(
        &self,
        index: &TextReader,
        within: Range<u32>,
    ) -> Option<ValueRows> {
        let MemberTest { key, accepts } = self.member.as_ref()?;
        // A value for which it fails is told from the rows themselves.
        let has_failed = Cell::new(false);
        let accepts = |text: &str| {
            accepts(text).unwrap_or_else(|_| {
                has_failed.set(true);
                false
            })
        };
        let rows = index.rows_with_member(key, &accepts, within).ok()?;
        rows.filter(|_| !has_failed.get())
    }
}

/// Where a condition holds; NULL is false.
fn trues(kept: &BooleanArray) -> BooleanBuffer {
    match kept.nulls() {
        Some(valid) => kept.values() & valid.inner(),
        None => kept.values().clone(),
    }
}

/// Two conditions are equal that are one.
impl PartialEq for RowCondition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.filter.keep, &other.filter.keep)
    }
}

impl fmt::Debug for RowCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RowCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
