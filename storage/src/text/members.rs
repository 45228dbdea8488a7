//! Rows by the text of an attribute itself, as a JSON function reads it: no element of a list, nothing at the end of
//! a path, and a quoted string with its quotes.
//!
//! Invariants:
//! 1. A row is sure only if its attribute is a string that is a term by itself: texts that may be those of a number, a
//!    word of JSON, a list or an object are left to who reads the row, since the index keeps one spelling of them.

use std::ops::Range;

use roaring::RoaringBitmap;

use super::attribute_terms::{PairKind, name_term, pair};
use super::candidates::ValueRows;
use super::index::{TantivyResult, guarded};
use super::reader::TextReader;
use super::values::Tested;
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
        let Some(name) = name_term(key) else {
            return Ok(None);
        };
        let mut tested = Tested::default();
        let is_looked_at = self.visit_values(PairKind::Text, key, &mut |value, term| {
            let text = std::str::from_utf8(value).ok();
            let Some(text) = text.filter(|text| is_surely_string(text)) else {
                return;
            };
            if accepts(text) {
                tested.accepted.push(term.clone());
            }
            tested.known.push(term.clone());
        })?;
        if !is_looked_at {
            return Ok(None);
        }
        let Some((mut rows, lists)) = self.rows_told(key, &[name], &tested, within)? else {
            return Ok(None);
        };
        // A list may have the text as an element, and is looked at as one that is not known.
        rows.maybe |= &rows.sure & &lists;
        rows.sure -= lists;
        assert!(
            rows.sure.is_disjoint(&rows.maybe),
            "QU-2: what is told is not looked at again"
        );
        Ok(Some(rows))
    }
}
