//! Conditions on one attribute, told from attributes before they are made whole.
//!
//! A segment stores attributes without the texts that `inputs` and `outputs` hold. A condition is mostly
//! decided by what is there; the rows where a missing text could decide are put aside, to be looked at
//! with their attributes made whole (QU-2).

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, BooleanArray, StringViewArray};
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use tracehouse_storage::Result;
use tracehouse_storage::scan::{RowFilter, RowPredicate, STORED_ATTRIBUTES};
use tracehouse_storage::segment::{ABSENT_TEXT, stored_members};

use super::column::{row_numbers, text};
use super::json::KeyLookup;
use super::{Condition, Field, JsonTest, Test};

/// Attributes that MLflow writes into a span of another convention, in its order, and the columns that
/// hold what it would write.
const TRANSLATED: [(&str, &str); 5] = [
    ("mlflow.spanType", "span_type"),
    ("mlflow.spanInputs", "inputs"),
    ("mlflow.spanOutputs", "outputs"),
    ("mlflow.llm.model", "model"),
    ("mlflow.llm.provider", "provider"),
];

/// What MLflow would have translated into an attribute that a span lacks, and into those after it.
pub(super) struct Translated<'a> {
    columns: Vec<(&'static str, &'a StringViewArray)>,
}

impl<'a> Translated<'a> {
    /// The columns read for a test of a key of a JSON column: the attribute's own, then those after it if
    /// the test reads on; none for keys that MLflow does not write.
    pub fn columns(column: &str, key: &str, test: &Test) -> impl Iterator<Item = &'static str> {
        let first = TRANSLATED
            .iter()
            .position(|(name, _)| column == "attributes" && *name == key);
        let rest = first
            .and_then(|first| TRANSLATED.get(first..))
            .unwrap_or_default();
        let reads_on = matches!(test, Test::Json(test) if test.reads_on());
        rest.iter()
            .map(|(_, column)| *column)
            .take(if reads_on { TRANSLATED.len() } else { 1 })
    }

    /// The values of a batch.
    ///
    /// # Errors
    /// `Internal` when the batch lacks a column.
    pub fn of(batch: &'a RecordBatch, column: &str, key: &str, test: &Test) -> Result<Self> {
        let columns =
            Self::columns(column, key, test).map(|column| Ok((column, text(batch, column)?)));
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
        })
    }

    /// The attribute itself, as JSON text.
    pub fn get(&self, row: usize) -> Option<String> {
        json_text(self.columns.first()?, row)
    }

    /// The attribute and those after it, when there is the attribute.
    pub fn all(&self, row: usize) -> impl Iterator<Item = String> + '_ {
        let columns = if self.get(row).is_some() {
            self.columns.as_slice()
        } else {
            &[]
        };
        columns
            .iter()
            .filter_map(move |column| json_text(column, row))
    }
}

/// The JSON text of a text. A span that says nothing of its type has the type `UNKNOWN`.
fn json_text((name, column): &(&str, &StringViewArray), row: usize) -> Option<String> {
    let text = column.is_valid(row).then(|| column.value(row));
    let text = text.filter(|text| *name != "span_type" || *text != "UNKNOWN")?;
    serde_json::to_string(text).ok()
}

/// Rows put aside by filters on stored attributes.
pub(crate) type Undecided = Arc<Mutex<RoaringBitmap>>;

impl Condition {
    /// A filter that keeps the spans that surely satisfy this condition on an attribute, and puts those
    /// that may into `undecided`; `None` for other conditions, and where absence is what is asked for.
    pub(crate) fn stored_attribute_filter(&self, undecided: &Undecided) -> Option<RowFilter> {
        let Field::Json {
            column: "attributes",
            key,
        } = &self.field
        else {
            return None;
        };
        let Test::Json(test) = &self.test else {
            return None;
        };
        let (key, test, undecided) = (key.clone(), test.clone(), undecided.clone());
        let is_translated = Translated::columns("attributes", &key, &self.test)
            .next()
            .is_some();
        let keep: RowPredicate = Arc::new(move |batch| {
            let (stored, rows) = (text(batch, STORED_ATTRIBUTES)?, row_numbers(batch)?);
            let lookup = KeyLookup::new(&key);
            let mut undecided = undecided.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = rows.iter().enumerate().map(|(at, row)| {
                let object = if stored.is_valid(at) {
                    stored.value(at)
                } else {
                    "{}"
                };
                let decided = match decide(object, &lookup, &test) {
                    // Other columns may say it, and they are not here.
                    Some(false)
                        if is_translated
                            && stored_members(object)
                                .and_then(|object| lookup.get(object))
                                .is_none() =>
                    {
                        None
                    }
                    decided => decided,
                };
                if decided.is_none() {
                    undecided.insert(*row);
                }
                Some(decided.unwrap_or(false))
            });
            Ok(BooleanArray::from_iter(kept))
        });
        Some(RowFilter {
            columns: vec![STORED_ATTRIBUTES.to_string(), "_row".to_string()],
            keep,
        })
    }
}

/// Whether stored attributes satisfy the test; `None` when that depends on a text that is not there.
fn decide(stored: &str, lookup: &KeyLookup<'_>, test: &JsonTest) -> Option<bool> {
    let (members, is_open) = (stored_members(stored)?, Cell::new(false));
    let accepts = |raw: &str| {
        let is_absent = raw.contains(ABSENT_TEXT);
        is_open.set(is_open.get() || is_absent);
        !is_absent && test.accepts_attribute(raw)
    };
    let found = if test.reads_on() {
        lookup.any_from(members, &accepts)
    } else {
        lookup.get(members).is_some_and(|raw| accepts(&raw))
    };
    if !found
        && lookup
            .on_the_way(members)
            .any(|raw| raw.contains(ABSENT_TEXT))
    {
        // The path may lead into the text that is not there.
        is_open.set(true);
    }
    (found || !is_open.get()).then_some(found)
}
