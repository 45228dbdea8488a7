//! Reads the text index of a segment.
//!
//! Invariants:
//! 1. An open index has exactly as many documents as its segment has rows, and the schema of this
//!    version; anything else is an error, and the caller scans and rebuilds (ST-5).
//! 2. Damage met later is an error too, never a panic.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;
use tantivy::directory::MmapDirectory;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::Field;
use tantivy::{Index, InvertedIndexReader, SegmentReader, TantivyError};

use super::FreshText;
use super::evaluate::{Occurrence, TermSource, evaluate};
use super::flat_terms::FlatSlot;
use super::index::{FIELD_NAMES, RAW_FIELD, TantivyResult, TextLocation, VALUES_FIELD, guarded, schema};
use super::postings::{collect_occurrences, collect_phrases, collect_rows, slot_terms};
use super::query::{TextQuery, TextTerm};
use super::score::{self, Scored, TextStats};
use super::term_cache::TermCache;
use crate::{Error, Result};

/// An open text index.
pub struct TextReader {
    name: String,
    rows: u32,
    fields: [IndexField; 3],
    raw: Dictionary,
    values: Dictionary,
    /// Lengths of the rows for ranking, and their sum.
    lengths: OnceLock<(Vec<u32>, u64)>,
    terms: TermCache,
}

struct IndexField {
    dictionary: Dictionary,
    lengths: FieldNormReader,
}

/// The terms of a field and where they occur.
pub(super) struct Dictionary {
    pub(super) index: Arc<InvertedIndexReader>,
    pub(super) flat: FlatSlot,
}

impl std::fmt::Debug for TextReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextReader").field("name", &self.name).field("rows", &self.rows).finish()
    }
}

impl TextReader {
    /// Opens the index in a directory; `expected_rows` is the number of rows of its segment.
    ///
    /// # Errors
    /// `Corrupt` when it is missing, damaged, of another version, or has another number of rows.
    pub fn open(path: &Path, expected_rows: u32) -> Result<TextReader> {
        let name = TextLocation::Directory(path.to_owned()).name();
        guarded(&name, || {
            let index = Index::open(MmapDirectory::open(path)?)?;
            Ok(TextReader::from_index(&index, &name, expected_rows))
        })?
    }

    pub(super) fn from_index(index: &Index, name: &str, expected_rows: u32) -> Result<TextReader> {
        let corrupt = |error: TantivyError| Error::with_source(crate::error::ErrorKind::Corrupt, name, error);
        if index.schema() != schema() {
            return Err(Error::corrupt(format!("{name}: made by another version, it must be rebuilt")));
        }
        let segments = index.searchable_segments().map_err(corrupt)?;
        let [segment] = segments.as_slice() else {
            return Err(Error::corrupt(format!("{name}: {} parts instead of one", segments.len())));
        };
        let segment = SegmentReader::open(segment).map_err(corrupt)?;
        if segment.max_doc() != expected_rows || segment.has_deletes() {
            let found = segment.max_doc();
            return Err(Error::corrupt(format!("{name}: {found} documents for {expected_rows} rows")));
        }
        let [inputs, outputs, other] = [0, 1, 2].map(|id| IndexField::open(&segment, id));
        let fields = [inputs.map_err(corrupt)?, outputs.map_err(corrupt)?, other.map_err(corrupt)?];
        if fields.iter().any(|field| field.lengths.num_docs() != expected_rows) {
            return Err(Error::corrupt(format!("{name}: lengths do not cover its rows")));
        }
        Ok(TextReader {
            name: name.to_owned(),
            rows: expected_rows,
            fields,
            raw: Dictionary::open(&segment, RAW_FIELD).map_err(corrupt)?,
            values: Dictionary::open(&segment, VALUES_FIELD).map_err(corrupt)?,
            lengths: OnceLock::new(),
            terms: TermCache::default(),
        })
    }

    /// Compares every file of the index in a directory with its checksum; the damaged ones by name.
    /// Reads everything: for `check`, not for opening.
    ///
    /// # Errors
    /// As [`TextReader::open`].
    pub fn damaged_files(path: &Path) -> Result<Vec<String>> {
        let name = TextLocation::Directory(path.to_owned()).name();
        let damaged = guarded(&name, || Index::open(MmapDirectory::open(path)?)?.validate_checksum())?;
        let mut names: Vec<String> = damaged.iter().map(|path| path.display().to_string()).collect();
        names.sort();
        Ok(names)
    }

    /// The first of the rows in `fresh`, of which the first has number `first_row`, that has another
    /// length here.
    pub fn first_difference(&self, first_row: u32, fresh: &FreshText) -> Option<u32> {
        (0..fresh.row_count())
            .map(|row| (first_row + row, fresh.length(row)))
            .find_map(|(row, length)| (row >= self.rows || self.length(row) != length).then_some(row))
    }

    /// The exact set of rows that match.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn rows(&self, query: &TextQuery) -> Result<RoaringBitmap> {
        evaluate(self, query, None)
    }

    /// What ranking needs to know of these rows, without the masked ones.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn stats(&self, query: &TextQuery, masked: Option<&RoaringBitmap>) -> Result<TextStats> {
        score::stats(self, query, masked)
    }

    /// The best `k` rows among the allowed and not masked ones, best first; more when the last is tied.
    /// `stats` are those of all sources, merged.
    ///
    /// # Errors
    /// `Corrupt` when the index is damaged.
    pub fn top_k(
        &self,
        query: &TextQuery,
        stats: &TextStats,
        k: usize,
        at_least: f64,
        allowed: Option<&RoaringBitmap>,
        masked: Option<&RoaringBitmap>,
    ) -> Result<Vec<Scored>> {
        score::top_k(self, query, stats, k, at_least, allowed, masked)
    }

    /// The fields a term covers.
    fn covered(&self, term: &TextTerm) -> impl Iterator<Item = &IndexField> {
        self.fields.iter().zip(term.field.covers()).filter(|(_, covered)| *covered).map(|(field, _)| field)
    }

    /// How errors call the index.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Rows of the segment.
    pub(super) fn row_total(&self) -> u32 {
        self.rows
    }

    /// The field of raw tokens and names.
    pub(super) fn raw(&self) -> &Dictionary {
        &self.raw
    }

    /// The fields of words, then that of raw tokens, then, if wanted, that of values.
    pub(super) fn dictionaries(&self, with_values: bool) -> impl Iterator<Item = &Dictionary> {
        let words = self.fields.iter().map(|field| &field.dictionary);
        words.chain([&self.raw]).chain(with_values.then_some(&self.values))
    }

    /// Posting lists must not name rows that do not exist.
    pub(super) fn check_last(&self, row: Option<u32>) -> Result<()> {
        match row {
            Some(row) if row >= self.rows => {
                Err(Error::corrupt(format!("{}: names row {row} of {}", self.name, self.rows)))
            }
            _ => Ok(()),
        }
    }

    fn field_name(&self, field: &IndexField) -> String {
        let at = self.fields.iter().position(|other| std::ptr::eq(other, field)).unwrap_or_default();
        format!("{}, field {}", self.name, FIELD_NAMES.get(at).copied().unwrap_or_default())
    }
}

impl Dictionary {
    fn open(segment: &SegmentReader, field: u32) -> TantivyResult<Dictionary> {
        let index = segment.inverted_index(Field::from_field_id(field))?;
        Ok(Dictionary { index, flat: FlatSlot::default() })
    }
}

impl IndexField {
    fn open(segment: &SegmentReader, field: u32) -> TantivyResult<IndexField> {
        Ok(IndexField {
            dictionary: Dictionary::open(segment, field)?,
            lengths: segment.get_fieldnorms_reader(Field::from_field_id(field))?,
        })
    }

    fn occurrences(
        &self,
        term: &TextTerm,
        within: Option<&RoaringBitmap>,
        found: &mut Vec<Occurrence>,
    ) -> TantivyResult<()> {
        let index = &self.dictionary.index;
        match term.slots.as_slice() {
            [slot] => collect_occurrences(index, &slot_terms(index, slot)?, within, found),
            slots => collect_phrases(index, slots, within, found),
        }
    }

    fn matching(
        &self,
        term: &TextTerm,
        within: Option<&RoaringBitmap>,
        rows: &mut RoaringBitmap,
    ) -> TantivyResult<()> {
        let index = &self.dictionary.index;
        if let [slot] = term.slots.as_slice() {
            return collect_rows(index, &slot_terms(index, slot)?, within, rows);
        }
        let mut found = Vec::new();
        collect_phrases(index, &term.slots, within, &mut found)?;
        rows.extend(found.iter().map(|occurrence| occurrence.row));
        Ok(())
    }
}

impl TermSource for TextReader {
    fn row_count(&self) -> u32 {
        self.rows
    }

    fn matching(&self, term: &TextTerm, within: Option<&RoaringBitmap>) -> Result<RoaringBitmap> {
        let mut rows = RoaringBitmap::new();
        for field in self.covered(term) {
            guarded(&self.field_name(field), || field.matching(term, within, &mut rows))?;
        }
        self.check_last(rows.max())?;
        Ok(rows)
    }

    fn occurrences(&self, term: &TextTerm, within: Option<&RoaringBitmap>) -> Result<Vec<Occurrence>> {
        let mut found = Vec::new();
        for field in self.covered(term) {
            guarded(&self.field_name(field), || field.occurrences(term, within, &mut found))?;
        }
        // A few ascending runs: the stable sort merges them.
        found.sort_by_key(|occurrence| occurrence.row);
        found.dedup_by(|next, kept| {
            let same = next.row == kept.row;
            kept.count = kept.count.saturating_add(if same { next.count } else { 0 });
            same
        });
        self.check_last(found.last().map(|occurrence| occurrence.row))?;
        Ok(found)
    }

    fn all_occurrences(&self, term: &TextTerm) -> Result<Arc<[Occurrence]>> {
        if let Some(found) = self.terms.get(term) {
            return Ok(found);
        }
        let found: Arc<[Occurrence]> = self.occurrences(term, None)?.into();
        self.terms.put(term, &found);
        Ok(found)
    }

    fn length(&self, row: u32) -> u32 {
        self.row_lengths().0.get(row as usize).copied().unwrap_or(0)
    }

    fn total_length(&self) -> u64 {
        self.row_lengths().1
    }
}

impl TextReader {
    fn row_lengths(&self) -> &(Vec<u32>, u64) {
        self.lengths.get_or_init(|| {
            let of_row = |row| self.fields.iter().map(|field| field.lengths.fieldnorm(row)).sum();
            let lengths: Vec<u32> = (0..self.rows).map(of_row).collect();
            let total = lengths.iter().map(|&length| u64::from(length)).sum();
            (lengths, total)
        })
    }
}
