//! Rows by a test of an attribute's value, told from the values that are terms, within a run of rows.
//!
//! An attribute of few values (a model, a collection) needs no row to be read for any test of them. Posting
//! lists are read for the run alone, so that the newest rows of a large segment cost what they would cost in
//! a small one.
//!
//! Invariants:
//! 1. A row whose value is no term (it is long, or lies inside another attribute), or is a list of which the test
//!    accepts no element that is one, is among those that may have it. `None` says that there are too many values to look at.

use std::ops::Range;

use roaring::RoaringBitmap;
use tantivy::postings::TermInfo;

use super::attribute_terms::{PairKind, name_term, pair};
use super::candidates::{ValueRows, paths};
use super::index::{TantivyResult, guarded};
use super::postings::collect_rows_in;
use super::reader::TextReader;
use crate::Result;

/// Most values of an attribute that are looked at.
const VALUES_MAX: usize = 512;

/// The values of an attribute that are terms, by a test.
#[derive(Default)]
pub(super) struct Tested {
    /// Those that the test accepts.
    pub accepted: Vec<TermInfo>,
    /// Those that the test was put to: the text of the attribute itself, and not one inside of it.
    pub known: Vec<TermInfo>,
}

impl TextReader {
    /// The rows of `within` whose attribute `key` has a value that the test accepts: a string's text, the
    /// JSON text of anything else, or what a text stands for that is a quoted string again.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn rows_with_value(
        &self,
        key: &str,
        accepts: &dyn Fn(&str) -> bool,
        within: Range<u32>,
    ) -> Result<Option<ValueRows>> {
        let rows = guarded(self.name(), || self.find_accepted(key, accepts, within))?;
        self.check_values(rows.as_ref())?;
        Ok(rows)
    }

    fn find_accepted(
        &self,
        key: &str,
        accepts: &dyn Fn(&str) -> bool,
        within: Range<u32>,
    ) -> TantivyResult<Option<ValueRows>> {
        let names = paths(key)
            .into_iter()
            .chain([key])
            .map(name_term)
            .collect::<Option<Vec<_>>>();
        let Some(names) = names else {
            return Ok(None);
        };
        let mut tested = Tested::default();
        for kind in [PairKind::Text, PairKind::Inner] {
            let is_looked_at = self.visit_values(kind, key, &mut |value, term| {
                if std::str::from_utf8(value).is_ok_and(accepts) {
                    tested.accepted.push(term.clone());
                }
                if kind == PairKind::Text {
                    tested.known.push(term.clone());
                }
            })?;
            if !is_looked_at {
                return Ok(None);
            }
        }
        let told = self.rows_told(key, &names, &tested, &within)?;
        Ok(told.map(|(rows, _)| rows))
    }

    /// Goes over the values of `key` that are terms of `kind`; false when that cannot be, or there are too many.
    pub(super) fn visit_values(
        &self,
        kind: PairKind,
        key: &str,
        visit: &mut dyn FnMut(&[u8], &TermInfo),
    ) -> TantivyResult<bool> {
        let (Some(prefix), Some(values)) = (pair(kind, key, ""), self.dictionaries(true).last())
        else {
            return Ok(false);
        };
        let mut stream = values.index.terms().range().ge(&prefix).into_stream()?;
        let mut seen = 0;
        while stream.advance()
            && let Some(value) = stream.key().strip_prefix(prefix.as_slice())
        {
            seen += 1;
            if seen > VALUES_MAX {
                return Ok(false);
            }
            visit(value, stream.value());
        }
        Ok(true)
    }

    /// The rows of the accepted values; those that have one of the `names` and no value that is known may be others.
    /// Beside them the rows whose attribute is a list: its elements are terms, so that none of them is told by these.
    pub(super) fn rows_told(
        &self,
        key: &str,
        names: &[String],
        tested: &Tested,
        within: &Range<u32>,
    ) -> TantivyResult<Option<(ValueRows, RoaringBitmap)>> {
        let (Some(list), Some(values)) = (
            pair(PairKind::List, key, ""),
            self.dictionaries(true).last(),
        ) else {
            return Ok(None);
        };
        let (mut rows, values) = (ValueRows::default(), &values.index);
        collect_rows_in(values, &tested.accepted, within, &mut rows.sure)?;
        let raw = &self.raw().index;
        for name in names {
            let info = raw.terms().get(name)?;
            collect_rows_in(raw, info.as_slice(), within, &mut rows.maybe)?;
        }
        let (mut told, mut lists) = (RoaringBitmap::new(), RoaringBitmap::new());
        collect_rows_in(values, &tested.known, within, &mut told)?;
        let list = values.terms().get(list)?;
        collect_rows_in(values, list.as_slice(), within, &mut lists)?;
        told -= &lists;
        rows.maybe -= told;
        rows.maybe -= &rows.sure;
        Ok(Some((rows, lists)))
    }
}
