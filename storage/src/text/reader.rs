//! Reads the text index of a segment.
//!
//! Invariants:
//! 1. An open index has exactly as many rows as its segment, and the schema of this version; anything else is an error, and the caller scans and rebuilds (ST-5).
//! 2. Damage met later is an error too, never a panic: files are compared with their sums before they are read.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::SegmentComponent;
use tantivy::postings::TermInfo;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Index, InvertedIndexReader, Segment, SegmentReader, TantivyError};

use super::FreshText;
use super::checked::CheckedDirectory;
use super::evaluate::{Occurrence, TermSource, evaluate};
use super::flat_terms::FlatSlot;
use super::index::{
    OCCURRENCES_EXTENSION, RAW_FIELD, TantivyResult, TextLocation, VALUES_FIELD, WORDS_FIELD,
    guarded, schema,
};
use super::postings::{collect_occurrences, collect_phrases, collect_rows, slot_terms};
use super::query::{TextQuery, TextTerm};
use super::score::{self, Scored, TextStats};
use super::string_occurrences::{FIELDS, StringOccurrences};
use super::sums::TextSums;
use super::term_cache::TermCache;
use crate::env::Folder;
use crate::{Error, Result};

/// Rows are asked for by their strings when they are fewer than this part of all.
const FEW: u64 = 64;

/// An open text index.
pub struct TextReader {
    name: String,
    files: Index,
    /// Whether something was met that is not what was written.
    damage: Arc<AtomicBool>,
    rows: u32,
    words: Dictionary,
    raw: Dictionary,
    values: Dictionary,
    string_occurrences: Arc<StringOccurrences>,
    /// Lengths of the rows for ranking, and their sum.
    lengths: OnceLock<(Vec<u32>, u64)>,
    terms: TermCache,
}

/// The terms of a field and where they occur.
pub(super) struct Dictionary {
    pub(super) index: Arc<InvertedIndexReader>,
    pub(super) flat: FlatSlot,
    /// Leads from documents to rows in the field of words, whose documents are strings; in other fields they are rows.
    string_occurrences: Option<Arc<StringOccurrences>>,
}

impl std::fmt::Debug for TextReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextReader")
            .field("name", &self.name)
            .field("rows", &self.rows)
            .finish()
    }
}

impl TextReader {
    /// Opens the index in a directory; `expected_rows` is the number of rows of its segment.
    ///
    /// # Errors
    /// `Corrupt` when it is missing, damaged, of another version, or has another number of rows.
    pub fn open(folder: &Folder, expected_rows: u32) -> Result<TextReader> {
        let name = TextLocation::Directory(folder.clone()).name();
        guarded(&name, || {
            let damage = Arc::new(AtomicBool::new(false));
            let index = Index::open(CheckedDirectory::open(folder, damage.clone())?)?;
            let reader = TextReader::from_index(&index, &name, expected_rows);
            Ok(reader.map(|reader| TextReader { damage, ..reader }))
        })?
    }

    /// Whether a directory holds an index made by other rules, or by the rules of other versions: no damage, but it is
    /// of no use.
    pub fn is_outdated(folder: &Folder) -> bool {
        let opened = guarded("text index", || {
            Ok(Index::open(CheckedDirectory::open(folder, Arc::default())?)?.schema() != schema())
        });
        // What cannot be opened is told by who opens it.
        opened.unwrap_or(false)
    }

    /// Whether it met damage, and must be built anew.
    pub fn is_damaged(&self) -> bool {
        self.damage.load(Ordering::Relaxed)
    }

    /// Notes that an answer of it was wrong.
    pub fn mark_damaged(&self) {
        self.damage.store(true, Ordering::Relaxed);
    }

    pub(super) fn from_index(index: &Index, name: &str, expected_rows: u32) -> Result<TextReader> {
        let corrupt =
            |error: TantivyError| Error::with_source(crate::error::ErrorKind::Corrupt, name, error);
        if index.schema() != schema() {
            return Err(Error::corrupt(format!(
                "{name}: made by another version, it must be rebuilt"
            )));
        }
        let segments = index.searchable_segments().map_err(corrupt)?;
        let [segment_files] = segments.as_slice() else {
            return Err(Error::corrupt(format!(
                "{name}: {} parts instead of one",
                segments.len()
            )));
        };
        let segment = SegmentReader::open(segment_files).map_err(corrupt)?;
        if segment.max_doc() != expected_rows || segment.has_deletes() {
            let found = segment.max_doc();
            return Err(Error::corrupt(format!(
                "{name}: {found} documents for {expected_rows} rows"
            )));
        }
        let occurrences = open_occurrences(segment_files, expected_rows).map_err(corrupt)?;
        let Some(occurrences) = occurrences.map(Arc::new) else {
            return Err(Error::corrupt(format!(
                "{name}: its strings are not those of so many rows"
            )));
        };
        let dictionary =
            |field, occurrences| Dictionary::open(&segment, field, occurrences).map_err(corrupt);
        Ok(TextReader {
            name: name.to_owned(),
            files: index.clone(),
            damage: Arc::default(),
            rows: expected_rows,
            words: dictionary(WORDS_FIELD, Some(occurrences.clone()))?,
            raw: dictionary(RAW_FIELD, None)?,
            values: dictionary(VALUES_FIELD, None)?,
            string_occurrences: occurrences,
            lengths: OnceLock::new(),
            terms: TermCache::default(),
        })
    }

    /// Compares every file of the index in a directory with its sums; the damaged ones by name.
    /// Reads everything: for `check`, not for opening.
    ///
    /// # Errors
    /// As [`TextReader::open`].
    pub fn damaged_files(folder: &Folder) -> Result<Vec<String>> {
        let name = TextLocation::Directory(folder.clone()).name();
        guarded(&name, || Ok(TextSums::damaged(folder.path())?))
    }

    /// Whether every file has its checksum.
    pub(super) fn is_intact(&self) -> bool {
        guarded(&self.name, || damaged_files(&self.files)).is_ok_and(|damaged| damaged.is_empty())
    }

    /// The first of the rows in `fresh`, of which the first has number `first_row`, that has another
    /// length here.
    pub fn first_difference(&self, first_row: u32, fresh: &FreshText) -> Option<u32> {
        (0..fresh.row_count())
            .map(|row| (first_row + row, fresh.length(row)))
            .find_map(|(row, length)| {
                (row >= self.rows || self.length(row) != length).then_some(row)
            })
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

    /// How errors call the index.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Rows of the segment.
    pub(super) fn row_total(&self) -> u32 {
        self.rows
    }

    /// Where its strings are.
    pub(super) fn string_occurrences(&self) -> &StringOccurrences {
        &self.string_occurrences
    }

    /// The field of words.
    pub(super) fn words(&self) -> &Dictionary {
        &self.words
    }

    /// The field of values of attributes.
    pub(super) fn values(&self) -> &Dictionary {
        &self.values
    }

    /// The field of raw tokens and names.
    pub(super) fn raw(&self) -> &Dictionary {
        &self.raw
    }

    /// The field of words, then that of raw tokens, then, if wanted, that of values.
    pub(super) fn dictionaries(&self, with_values: bool) -> impl Iterator<Item = &Dictionary> {
        [&self.words]
            .into_iter()
            .chain(self.term_dictionaries(with_values))
    }

    /// The field of raw tokens, then, if wanted, that of values.
    pub(super) fn term_dictionaries(&self, with_values: bool) -> impl Iterator<Item = &Dictionary> {
        [&self.raw]
            .into_iter()
            .chain(with_values.then_some(&self.values))
    }

    /// Posting lists must not name rows that do not exist.
    pub(super) fn check_last(&self, row: Option<u32>) -> Result<()> {
        match row {
            Some(row) if row >= self.rows => Err(Error::corrupt(format!(
                "{}: names row {row} of {}",
                self.name, self.rows
            ))),
            _ => Ok(()),
        }
    }

    /// The strings of rows of a query, when these are so few that looking them up pays.
    fn strings_within(
        &self,
        within: Option<&RoaringBitmap>,
        covered: [bool; FIELDS],
    ) -> Option<RoaringBitmap> {
        let few = within.filter(|within| within.len() < u64::from(self.rows) / FEW)?;
        self.string_occurrences.strings_of(few, covered)
    }

    fn find_matching(
        &self,
        term: &TextTerm,
        within: Option<&RoaringBitmap>,
    ) -> TantivyResult<RoaringBitmap> {
        let (index, covered) = (&self.words.index, term.field.covers());
        let mut strings = RoaringBitmap::new();
        match term.slots.as_slice() {
            [slot] => {
                let terms = slot_terms(index, slot)?;
                collect_rows(
                    index,
                    &terms,
                    self.strings_within(within, covered).as_ref(),
                    &mut strings,
                )?;
            }
            slots => {
                let mut found = Vec::new();
                collect_phrases(
                    index,
                    slots,
                    self.strings_within(within, covered).as_ref(),
                    &mut found,
                )?;
                strings.extend(found.iter().map(|occurrence| occurrence.row));
            }
        }
        let mut rows = RoaringBitmap::new();
        self.string_occurrences
            .add_rows(&strings, covered, within, &mut rows);
        Ok(rows)
    }

    fn find_occurrences(
        &self,
        term: &TextTerm,
        within: Option<&RoaringBitmap>,
    ) -> TantivyResult<Vec<Occurrence>> {
        let (index, covered) = (&self.words.index, term.field.covers());
        let strings = self.strings_within(within, covered);
        let mut found = Vec::new();
        match term.slots.as_slice() {
            [slot] => collect_occurrences(
                index,
                &slot_terms(index, slot)?,
                strings.as_ref(),
                &mut found,
            )?,
            slots => collect_phrases(index, slots, strings.as_ref(), &mut found)?,
        }
        Ok(self.string_occurrences.occurrences(&found, covered, within))
    }
}

impl Dictionary {
    fn open(
        segment: &SegmentReader,
        field: u32,
        occurrences: Option<Arc<StringOccurrences>>,
    ) -> TantivyResult<Dictionary> {
        let index = segment.inverted_index(Field::from_field_id(field))?;
        Ok(Dictionary {
            index,
            flat: FlatSlot::default(),
            string_occurrences: occurrences,
        })
    }

    /// Adds the rows of the terms to `rows`.
    pub(super) fn collect_rows(
        &self,
        terms: &[TermInfo],
        within: Option<&RoaringBitmap>,
        rows: &mut RoaringBitmap,
    ) -> TantivyResult<()> {
        let Some(occurrences) = &self.string_occurrences else {
            return collect_rows(&self.index, terms, within, rows);
        };
        let covered = [true; FIELDS];
        let few = within.filter(|within| within.len() < u64::from(occurrences.rows()) / FEW);
        let few = few.and_then(|few| occurrences.strings_of(few, covered));
        let mut strings = RoaringBitmap::new();
        collect_rows(&self.index, terms, few.as_ref(), &mut strings)?;
        occurrences.add_rows(&strings, covered, within, rows);
        Ok(())
    }

    /// About how many rows have the term, or more than `enough`: the first strings stand for all.
    pub(super) fn about_rows(&self, term: &TermInfo, enough: u64) -> TantivyResult<u64> {
        let documents = u64::from(term.doc_freq);
        let Some(occurrences) = self
            .string_occurrences
            .as_ref()
            .filter(|_| documents <= enough)
        else {
            return Ok(documents);
        };
        let block = self
            .index
            .read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
        let strings = block.docs();
        let rows: usize = strings
            .iter()
            .map(|&string| {
                occurrences
                    .of_string(string)
                    .take(usize::try_from(enough).unwrap_or(usize::MAX))
                    .count()
            })
            .sum();
        Ok(documents * rows as u64 / (strings.len() as u64).max(1))
    }
}

fn damaged_files(index: &Index) -> TantivyResult<HashSet<PathBuf>> {
    let mut damaged = index.validate_checksum()?;
    for segment in index.searchable_segments()? {
        // tantivy does not know of it.
        let occurrences = segment.relative_path(occurrences_component());
        if !index.directory().validate_checksum(&occurrences)? {
            damaged.insert(occurrences);
        }
    }
    Ok(damaged)
}

fn occurrences_component() -> SegmentComponent {
    SegmentComponent::Custom(OCCURRENCES_EXTENSION.to_owned())
}

fn open_occurrences(segment: &Segment, rows: u32) -> TantivyResult<Option<StringOccurrences>> {
    Ok(StringOccurrences::open(
        segment.open_read(occurrences_component())?.read_bytes()?,
        rows,
    ))
}

impl TermSource for TextReader {
    fn row_count(&self) -> u32 {
        self.rows
    }

    fn matching(&self, term: &TextTerm, within: Option<&RoaringBitmap>) -> Result<RoaringBitmap> {
        let rows = guarded(&self.name, || self.find_matching(term, within))?;
        self.check_last(rows.max())?;
        Ok(rows)
    }

    fn occurrences(
        &self,
        term: &TextTerm,
        within: Option<&RoaringBitmap>,
    ) -> Result<Vec<Occurrence>> {
        let found = guarded(&self.name, || self.find_occurrences(term, within))?;
        self.check_last(found.last().map(|occurrence| occurrence.row))?;
        debug_assert!(
            found.is_sorted_by(|a, b| a.row < b.row),
            "a row is told once, in order"
        );
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
        debug_assert!(
            row < self.rows,
            "rows of an answer were checked: row {row} of {}",
            self.rows
        );
        self.row_lengths().0.get(row as usize).copied().unwrap_or(0)
    }

    fn total_length(&self) -> u64 {
        self.row_lengths().1
    }
}

impl TextReader {
    fn row_lengths(&self) -> &(Vec<u32>, u64) {
        self.lengths.get_or_init(|| {
            let of_row = |row| {
                self.string_occurrences
                    .lengths(row)
                    .map(FieldNormReader::id_to_fieldnorm)
                    .iter()
                    .sum()
            };
            let lengths: Vec<u32> = (0..self.rows).map(of_row).collect();
            let total = lengths.iter().map(|&length| u64::from(length)).sum();
            (lengths, total)
        })
    }
}
