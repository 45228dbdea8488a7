//! Rows by the text of an attribute itself, as a JSON function reads it: no element of a list, nothing at the end of
//! a path, and a quoted string with its quotes.
//!
//! Invariants:
//! 1. A row is sure only if its attribute is a string that is a term by itself: texts that may be those of a number, a
//!    word of JSON, a list or an object are left to who reads the row, since the index keeps one spelling of them.

use std::ops::Range;

use roaring::RoaringBitmap;
use tantivy::postings::TermInfo;

use super::attribute_terms::{PairKind, name_term, pair};
use super::candidates::ValueRows;
use super::index::{TantivyResult, guarded};
use super::postings::collect_rows_in;
use super::reader::TextReader;
use super::values::VALUES_MAX;
use crate::Result;

/// What a string cannot be that the index tells apart from everything else.
fn is_surely_string(text: &str) -> bool {
    !text.starts_with(['{', '[', '"'])
        && !text.contains(char::REPLACEMENT_CHARACTER)
        && !matches!(text, "true" | "false" | "null")
        && text.parse::<f64>().is_err()
}

impl TextReader {
    /// The rows whose attribute `key` is the string `value`; `None` when the index does not know.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn member_rows(&self, key: &str, value: &str) -> Result<Option<ValueRows>> {
        if !is_surely_string(value) {
            return Ok(None);
        }
        let rows = guarded(self.name(), || self.find_member(key, value))?;
        self.check_values(rows.as_ref())?;
        Ok(rows)
    }

    fn find_member(&self, key: &str, value: &str) -> TantivyResult<Option<ValueRows>> {
        let terms = [(PairKind::Text, value), (PairKind::List, "")];
        let [Some(text), Some(list)] = terms.map(|(kind, value)| pair(kind, key, value)) else {
            return Ok(None);
        };
        let (mut rows, mut lists) = (ValueRows::default(), RoaringBitmap::new());
        self.term_rows(&[text], true, None, &mut rows.sure)?;
        self.term_rows(&[list], true, None, &mut lists)?;
        // The elements of a list are terms as well.
        rows.sure -= &lists;
        debug_assert!(rows.sure.is_disjoint(&lists), "QU-2: a list is no string");
        Ok(Some(rows))
    }

    /// The rows of `within` whose attribute `key` is a text that the test accepts; `None` when it has too many values
    /// to look at.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn rows_with_member(
        &self,
        key: &str,
        accepts: &dyn Fn(&str) -> bool,
        within: Range<u32>,
    ) -> Result<Option<ValueRows>> {
        let rows = guarded(self.name(), || {
            self.find_accepted_members(key, accepts, &within)
        })?;
        self.check_values(rows.as_ref())?;
        Ok(rows)
    }

    fn find_accepted_members(
        &self,
        key: &str,
        accepts: &dyn Fn(&str) -> bool,
        within: &Range<u32>,
    ) -> TantivyResult<Option<ValueRows>> {
        let (Some(name), Some(values)) = (name_term(key), self.dictionaries(true).last()) else {
            return Ok(None);
        };
        let (Some(prefix), Some(list)) =
            (pair(PairKind::Text, key, ""), pair(PairKind::List, key, ""))
        else {
            return Ok(None);
        };
        let (mut accepted, mut known): (Vec<TermInfo>, Vec<TermInfo>) = (Vec::new(), Vec::new());
        let mut stream = values.index.terms().range().ge(&prefix).into_stream()?;
        let mut seen = 0;
        while stream.advance()
            && let Some(value) = stream.key().strip_prefix(prefix.as_slice())
        {
            seen += 1;
            if seen > VALUES_MAX {
                return Ok(None);
            }
            let Some(text) = std::str::from_utf8(value)
                .ok()
                .filter(|text| is_surely_string(text))
            else {
                continue;
            };
            if accepts(text) {
                accepted.push(stream.value().clone());
            }
            known.push(stream.value().clone());
        }
        let mut rows = ValueRows::default();
        let (mut told, mut lists) = (RoaringBitmap::new(), RoaringBitmap::new());
        collect_rows_in(&values.index, &accepted, within, &mut rows.sure)?;
        collect_rows_in(&values.index, &known, within, &mut told)?;
        let list = values.index.terms().get(list)?;
        collect_rows_in(&values.index, list.as_slice(), within, &mut lists)?;
        let raw = &self.raw().index;
        let named = raw.terms().get(name)?;
        collect_rows_in(raw, named.as_slice(), within, &mut rows.maybe)?;
        rows.sure -= &lists;
        told -= lists;
        rows.maybe -= told;
        assert!(
            rows.sure.is_disjoint(&rows.maybe),
            "QU-2: what is told is not looked at again"
        );
        Ok(Some(rows))
    }
}
