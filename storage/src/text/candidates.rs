//! Rows that may match a pattern, or have a value of an attribute, from the terms of an index.
//!
//! ```text
//! part of a token -> dictionary entries (exact, range, flat dictionary) -> union of their posting lists
//! parts of a pattern -> intersection
//! ```
//!
//! Invariants:
//! 1. Every row that matches is among the candidates. `None` says that the index is of no help: nothing
//!    to look up, or more terms or rows than reading the text would cost.

use roaring::RoaringBitmap;
use tantivy::postings::TermInfo;

use super::attribute_terms::{NAME, PairKind, is_pairable, name_term, pair, shortest_number};
use super::index::{TantivyResult, guarded};
use super::pattern::{IndexedValue, Part, TextPattern};
use super::reader::{Dictionary, TextReader};
use super::row_terms::LONG;
use crate::Result;

/// Most dictionary entries that a part may stand for, in a field.
const TERMS_MAX: usize = 8_192;
/// Shorter pieces of tokens are in very many of them.
const RARE_BYTES_MIN: usize = 3;
/// Most names of attributes that are looked at one by one.
const NAMES_MAX: usize = 16_384;
/// Most posting entries of a part, for each row of the index.
const POSTINGS_PER_ROW_MAX: u64 = 2;
/// Candidates that are so few are looked at: narrowing them further by the index would cost more.
const FEW_ROWS: u64 = 16;
/// Longest dotted path whose beginnings are looked up as names.
const PATH_PARTS_MAX: usize = 16;
/// Integers below this are told apart by their nearest double.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// Rows by the value of an attribute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValueRows {
    /// Rows that have the value.
    pub sure: RoaringBitmap,
    /// Rows that may have the value; no row but these and `sure` has it.
    pub maybe: RoaringBitmap,
}

impl TextReader {
    /// The rows that may match, masked ones included; `None` when all may.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn candidates(&self, pattern: &TextPattern) -> Result<Option<RoaringBitmap>> {
        let rows = guarded(self.name(), || self.find_candidates(pattern))?;
        self.check_last(rows.as_ref().and_then(RoaringBitmap::max))?;
        Ok(rows)
    }

    /// The rows whose attribute `key` has the value; `None` when the index does not know.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn value_rows(&self, key: &str, value: &IndexedValue) -> Result<Option<ValueRows>> {
        let rows = guarded(self.name(), || self.find_value(key, value))?;
        self.check_values(rows.as_ref())?;
        Ok(rows)
    }

    /// Checks that rows by a value exist.
    pub(super) fn check_values(&self, rows: Option<&ValueRows>) -> Result<()> {
        let Some(ValueRows { sure, maybe }) = rows else {
            return Ok(());
        };
        assert!(
            sure.is_disjoint(maybe),
            "QU-2: of what has the value for sure nothing is checked again"
        );
        self.check_last(sure.max().max(maybe.max()))
    }

    /// Whether the words of a pattern are each in more than `rows` rows, and the rest of it is too short to
    /// be rare, by what the dictionary and the beginning of posting lists say.
    pub fn is_common(&self, pattern: &TextPattern, rows: u64) -> bool {
        let (words, rest): (Vec<Part>, Vec<Part>) = pattern
            .parts()
            .into_iter()
            .partition(|part| part.begins && part.ends);
        let is_common = |word: &Part| {
            let mut count = 0;
            for dictionary in self.dictionaries(pattern.attribute().is_some()) {
                // What cannot be read is not known to be common.
                let counted = guarded(self.name(), || {
                    // Of a whole word there is one entry, never too many.
                    let terms = dictionary.terms_of(word)?.unwrap_or_default();
                    terms
                        .iter()
                        .map(|term| dictionary.about_rows(term, rows))
                        .sum::<TantivyResult<u64>>()
                });
                count += counted.unwrap_or_default();
            }
            count > rows
        };
        !words.is_empty()
            && rest.iter().all(|part| part.text.len() < RARE_BYTES_MIN)
            && words.iter().all(is_common)
    }

    fn find_candidates(&self, pattern: &TextPattern) -> TantivyResult<Option<RoaringBitmap>> {
        let mut rows: Option<RoaringBitmap> = None;
        for part in pattern.parts() {
            if rows.as_ref().is_some_and(|rows| rows.len() <= FEW_ROWS) {
                break;
            }
            if let Some(found) =
                self.part_rows(&part, pattern.attribute().is_some(), rows.as_ref())?
            {
                rows = Some(found);
            }
        }
        if let Some(key) = pattern.attribute()
            && rows.as_ref().is_none_or(|rows| rows.len() > FEW_ROWS)
            && let Some(having) = self.rows_with_attribute(key)?
        {
            rows = Some(rows.map_or_else(|| having.clone(), |rows| rows & &having));
        }
        let Some(mut rows) = rows else {
            return Ok(None);
        };
        if pattern.counts_names() {
            let Some(named) = self.rows_with_name(pattern)? else {
                return Ok(None);
            };
            rows |= named;
        }
        Ok(Some(rows))
    }

    /// Rows with a token that the part fits, among `within`; `None` when there are too many.
    fn part_rows(
        &self,
        part: &Part,
        in_values: bool,
        within: Option<&RoaringBitmap>,
    ) -> TantivyResult<Option<RoaringBitmap>> {
        let mut found = Vec::new();
        let mut postings = 0;
        for dictionary in self.dictionaries(in_values) {
            let Some(terms) = dictionary.terms_of(part)? else {
                return Ok(None);
            };
            postings += terms
                .iter()
                .map(|term| u64::from(term.doc_freq))
                .sum::<u64>();
            if postings > u64::from(self.row_total()).saturating_mul(POSTINGS_PER_ROW_MAX) {
                return Ok(None);
            }
            found.push((dictionary, terms));
        }
        let mut rows = RoaringBitmap::new();
        for (dictionary, terms) in found {
            dictionary.collect_rows(&terms, within, &mut rows)?;
        }
        if !part.begins {
            // What a long token holds past its beginning is nowhere in the index.
            self.term_rows(&[LONG.into()], in_values, within, &mut rows)?;
        }
        Ok(Some(rows))
    }

    /// Adds the rows that have one of these whole terms among tokens, names and values.
    pub(super) fn term_rows(
        &self,
        terms: &[Vec<u8>],
        in_values: bool,
        within: Option<&RoaringBitmap>,
        rows: &mut RoaringBitmap,
    ) -> TantivyResult<()> {
        for dictionary in self.term_dictionaries(in_values) {
            for term in terms {
                let info = dictionary.index.terms().get(term)?;
                dictionary.collect_rows(info.as_slice(), within, rows)?;
            }
        }
        Ok(())
    }

    /// Rows with the attribute, or with one that a dotted path may lead into.
    fn rows_with_attribute(&self, key: &str) -> TantivyResult<Option<RoaringBitmap>> {
        let names = paths(key)
            .into_iter()
            .chain([key])
            .map(|name| name_term(name).map(String::into_bytes));
        let Some(names) = names.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let mut rows = RoaringBitmap::new();
        self.term_rows(&names, false, None, &mut rows)?;
        Ok(Some(rows))
    }

    /// Rows with a name that the pattern may match; `None` when there are too many names to look at.
    fn rows_with_name(&self, pattern: &TextPattern) -> TantivyResult<Option<RoaringBitmap>> {
        let mut terms = Vec::new();
        let raw = self.raw();
        let index = &raw.index;
        let mut stream = index.terms().range().ge(NAME.to_string()).into_stream()?;
        let mut seen = 0;
        while stream.advance() {
            let Some(name) = std::str::from_utf8(stream.key())
                .ok()
                .and_then(|key| key.strip_prefix(NAME))
            else {
                break;
            };
            seen += 1;
            if seen > NAMES_MAX {
                return Ok(None);
            }
            if pattern.fits_name(name) {
                terms.push(stream.value().clone());
            }
        }
        terms.extend(index.terms().get(LONG)?);
        let mut rows = RoaringBitmap::new();
        raw.collect_rows(&terms, None, &mut rows)?;
        Ok(Some(rows))
    }

    fn find_value(&self, key: &str, value: &IndexedValue) -> TantivyResult<Option<ValueRows>> {
        if !is_pairable(key) {
            return Ok(None);
        }
        let text = |kind, value: &str| pair(kind, key, value);
        let (sure, maybe) = match value {
            IndexedValue::Text(value) => (
                vec![text(PairKind::Text, value), text(PairKind::Inner, value)],
                vec![],
            ),
            IndexedValue::Bool(value) => (vec![text(PairKind::Text, &value.to_string())], vec![]),
            IndexedValue::Number(value) => {
                let Some(shortest) = shortest_number(&value.to_string()) else {
                    return Ok(None);
                };
                let (same, other) = (
                    text(PairKind::Text, &shortest),
                    text(PairKind::Number, &shortest),
                );
                match value.abs() < EXACT_INTEGERS {
                    true => (vec![same], vec![other]),
                    false => (vec![], vec![same, other]),
                }
            }
        };
        let all = |terms: Vec<Option<Vec<u8>>>| terms.into_iter().collect::<Option<Vec<_>>>();
        let (Some(sure), Some(mut maybe)) = (all(sure), all(maybe)) else {
            return Ok(None);
        };
        // The value may also be an element of a long list, or lie inside another attribute, at the end of the path.
        maybe.extend(pair(PairKind::LongList, key, ""));
        maybe.extend(
            paths(key)
                .into_iter()
                .filter_map(name_term)
                .map(String::into_bytes),
        );
        let mut rows = ValueRows::default();
        self.term_rows(&sure, true, None, &mut rows.sure)?;
        self.term_rows(&maybe, true, None, &mut rows.maybe)?;
        rows.maybe -= &rows.sure;
        Ok(Some(rows))
    }
}

/// The beginnings of a dotted path, without the whole.
pub(super) fn paths(key: &str) -> Vec<&str> {
    if key.split('.').count() > PATH_PARTS_MAX {
        return Vec::new();
    }
    key.match_indices('.')
        .filter_map(|(at, _)| key.get(..at))
        .collect()
}

impl Dictionary {
    /// The entries that a part fits; `None` when there are too many.
    fn terms_of(&self, part: &Part) -> TantivyResult<Option<Vec<TermInfo>>> {
        let terms = self.index.terms();
        let mut found = Vec::new();
        let piece = part.text.as_bytes();
        match (part.begins, part.ends) {
            (true, true) => found.extend(terms.get(piece)?),
            (true, false) => {
                let mut stream = terms.range().ge(piece).into_stream()?;
                while stream.advance() && stream.key().starts_with(piece) {
                    if found.len() == TERMS_MAX {
                        return Ok(None);
                    }
                    found.push(stream.value().clone());
                }
            }
            (false, at_end) => {
                let flat = self.flat.get(&self.index)?;
                let Some(holding) = flat.holding(piece, at_end, TERMS_MAX) else {
                    return Ok(None);
                };
                for term in holding {
                    found.extend(terms.get(term)?);
                }
            }
        }
        Ok(Some(found))
    }
}
