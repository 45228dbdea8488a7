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
pub(super) const VALUES_MAX: usize = 512;

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
        let (Some(names), Some(values)) = (names, self.dictionaries(true).last()) else {
            return Ok(None);
        };
        let (mut accepted, mut known): (Vec<TermInfo>, Vec<TermInfo>) = (Vec::new(), Vec::new());
        for kind in [PairKind::Text, PairKind::Inner] {
            let Some(prefix) = pair(kind, key, "") else {
                return Ok(None);
            };
            let mut stream = values.index.terms().range().ge(&prefix).into_stream()?;
            let mut seen = 0;
            while stream.advance()
                && let Some(value) = stream.key().strip_prefix(prefix.as_slice())
            {
                seen += 1;
                if seen > VALUES_MAX {
                    return Ok(None);
                }
                if std::str::from_utf8(value).is_ok_and(accepts) {
                    accepted.push(stream.value().clone());
                }
                if kind == PairKind::Text {
                    known.push(stream.value().clone());
                }
            }
        }
        let mut rows = ValueRows::default();
        collect_rows_in(&values.index, &accepted, &within, &mut rows.sure)?;
        let raw = &self.raw().index;
        for name in names {
            let info = raw.terms().get(name)?;
            collect_rows_in(raw, info.as_slice(), &within, &mut rows.maybe)?;
        }
        let (mut told, mut lists) = (RoaringBitmap::new(), RoaringBitmap::new());
        collect_rows_in(&values.index, &known, &within, &mut told)?;
        let Some(list) = pair(PairKind::List, key, "") else {
            return Ok(None);
        };
        let list = values.index.terms().get(list)?;
        collect_rows_in(&values.index, list.as_slice(), &within, &mut lists)?;
        told -= lists;
        rows.maybe -= told;
        rows.maybe -= &rows.sure;
        Ok(Some(rows))
    }
}
