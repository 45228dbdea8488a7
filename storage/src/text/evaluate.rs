//! From a [`TextQuery`] to the set of rows, over any source of terms.
//!
//! Steps for AND: cheap terms first, each later one only inside the rows left so far, what is
//! excluded last. NOT elsewhere is the complement within the rows asked.

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::query::{Slot, TextQuery, TextTerm};
use crate::Result;

/// How often a term occurs in a row, or in a string of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub(super) row: u32,
    pub(super) count: u32,
}

/// Rows whose terms can be looked up: an index, or fresh rows in memory.
pub(super) trait TermSource {
    /// Rows, with text or without.
    fn row_count(&self) -> u32;

    /// Rows with the term, no others than `within`.
    fn matching(&self, term: &TextTerm, within: Option<&RoaringBitmap>) -> Result<RoaringBitmap>;

    /// Rows with the term, no others than `within`, and how often each has it; by ascending row.
    fn occurrences(
        &self,
        term: &TextTerm,
        within: Option<&RoaringBitmap>,
    ) -> Result<Vec<Occurrence>>;

    /// All occurrences of a term, by ascending row.
    fn all_occurrences(&self, term: &TextTerm) -> Result<Arc<[Occurrence]>> {
        Ok(self.occurrences(term, None)?.into())
    }

    /// Length of a row for ranking, words: the sum over its fields, each rounded as the index rounds.
    fn length(&self, row: u32) -> u32;

    /// Sum of all lengths.
    fn total_length(&self) -> u64;
}

/// The rows that match, no others than `within`.
pub(super) fn evaluate(
    source: &dyn TermSource,
    query: &TextQuery,
    within: Option<&RoaringBitmap>,
) -> Result<RoaringBitmap> {
    let rows = match query {
        TextQuery::Term(term) => source.matching(term, within)?,
        TextQuery::And(children) => evaluate_and(source, children, within)?,
        TextQuery::Or(children) => {
            let mut rows = RoaringBitmap::new();
            for child in children {
                rows |= evaluate(source, child, within)?;
            }
            rows
        }
        TextQuery::Not(child) => {
            let mut rows = within.cloned().unwrap_or_else(|| all_rows(source));
            let excluded = evaluate(source, child, Some(&rows))?;
            rows -= excluded;
            rows
        }
    };
    debug_assert!(
        within.is_none_or(|within| rows.is_subset(within)),
        "no other rows than those asked"
    );
    Ok(rows)
}

fn evaluate_and(
    source: &dyn TermSource,
    children: &[TextQuery],
    within: Option<&RoaringBitmap>,
) -> Result<RoaringBitmap> {
    let mut ordered: Vec<&TextQuery> = children.iter().collect();
    ordered.sort_by_key(|child| cost(child));
    let mut rows = within.cloned();
    for child in ordered {
        if rows.as_ref().is_some_and(RoaringBitmap::is_empty) {
            break;
        }
        rows = Some(evaluate(source, child, rows.as_ref())?);
    }
    Ok(rows.unwrap_or_else(|| all_rows(source)))
}

fn all_rows(source: &dyn TermSource) -> RoaringBitmap {
    (0..source.row_count()).collect()
}

/// Order of evaluation inside AND.
fn cost(query: &TextQuery) -> u8 {
    match query {
        TextQuery::Term(term) => match term.slots.as_slice() {
            [Slot::Word(_)] => 1,
            [_] => 3,
            _ => 2,
        },
        TextQuery::And(_) => 4,
        TextQuery::Or(_) => 5,
        TextQuery::Not(_) => 6,
    }
}
