//! Conditions on one attribute, told from attributes before they are made whole.
//!
//! A segment stores attributes without the texts that `inputs` and `outputs` hold. A condition is mostly
//! decided by what is there; the rows where a missing text could decide are put aside, to be looked at
//! with their attributes made whole (QU-2).

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, BooleanArray};
use roaring::RoaringBitmap;
use tracehouse_storage::scan::{RowFilter, RowPredicate, STORED_ATTRIBUTES};
use tracehouse_storage::segment::{ABSENT_TEXT, stored_json};

use super::column::{row_numbers, text};
use super::json::KeyLookup;
use super::{Condition, Field, JsonTest, Test};

/// Rows put aside by filters on stored attributes.
pub(crate) type Undecided = Arc<Mutex<RoaringBitmap>>;

impl Condition {
    /// A filter that keeps the spans that surely satisfy this condition on an attribute, and puts those
    /// that may into `undecided`; `None` for other conditions, and where absence is what is asked for.
    pub(crate) fn stored_attribute_filter(&self, undecided: &Undecided) -> Option<RowFilter> {
        let Field::Json { column: "attributes", key } = &self.field else { return None };
        let Test::Json(test) = &self.test else { return None };
        let (key, test, undecided) = (key.clone(), test.clone(), undecided.clone());
        let keep: RowPredicate = Arc::new(move |batch| {
            let (stored, rows) = (text(batch, STORED_ATTRIBUTES)?, row_numbers(batch)?);
            let lookup = KeyLookup::new(&key);
            let mut undecided = undecided.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = rows.iter().enumerate().map(|(at, row)| {
                let decided =
                    if stored.is_valid(at) { decide(stored.value(at), &lookup, &test) } else { Some(false) };
                if decided.is_none() {
                    undecided.insert(*row);
                }
                Some(decided.unwrap_or(false))
            });
            Ok(BooleanArray::from_iter(kept))
        });
        Some(RowFilter { columns: vec![STORED_ATTRIBUTES.to_string(), "_row".to_string()], keep })
    }
}

/// Whether stored attributes satisfy the test; `None` when that depends on a text that is not there.
fn decide(stored: &str, lookup: &KeyLookup<'_>, test: &JsonTest) -> Option<bool> {
    if lookup.is_surely_absent(stored) {
        return Some(false);
    }
    let (json, is_open) = (stored_json(stored), Cell::new(false));
    let accepts = |raw: &str| {
        let is_absent = raw.contains(ABSENT_TEXT);
        is_open.set(is_open.get() || is_absent);
        !is_absent && test.accepts_attribute(raw)
    };
    let found = if test.reads_on() {
        lookup.any_from(&json, &accepts)
    } else {
        lookup.get(&json).is_some_and(accepts)
    };
    (found || !is_open.get()).then_some(found)
}
