//! Rows without an index, searched by brute force: the same answers and scores as an index over the
//! same rows.
//!
//! Each distinct word gets a number; a row's fields are kept as the numbers of their words, four bytes
//! each, with [`GAP`] between strings. A term first becomes the set of numbers that fit its slots.

use std::collections::{HashMap, HashSet};

use arrow::array::RecordBatch;
use roaring::RoaringBitmap;
use tantivy::fieldnorm::FieldNormReader;

use super::cut::{count_of, items};
use super::evaluate::{Occurrence, TermSource, evaluate};
use super::leaves::{SpanText, TextColumns};
use super::query::{Slot, TextQuery, TextTerm};
use super::score::{self, Scored, TextStats};
use super::tokenizer::Words;
use crate::Result;

/// Stands between the strings of a field; no word has this number.
const GAP: u32 = 0;

/// Searchable text of rows in memory; rows are numbered as they are added.
#[derive(Debug, Default)]
pub struct FreshText {
    /// Words and their numbers, from 1.
    words: HashMap<Box<str>, u32>,
    /// The fields of all rows, one after the other.
    numbers: Vec<u32>,
    rows: Vec<FreshRow>,
    total_length: u64,
    scratch: SpanText,
}

#[derive(Debug)]
struct FreshRow {
    start: usize,
    /// Ends of inputs, outputs and other text.
    ends: [usize; 3],
    length: u32,
}

/// What fits a slot.
enum Fitting {
    One(u32),
    Many(HashSet<u32>),
}

impl FreshText {
    /// Adds the rows of a batch that has [`super::TEXT_COLUMNS`], after those added before.
    ///
    /// # Errors
    /// `Internal` for missing columns.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = TextColumns::new(batch)?;
        let mut text = std::mem::take(&mut self.scratch);
        let before = self.rows.len();
        for row in 0..columns.rows() {
            columns.leaves(row, &mut text)?;
            self.add_row(&text);
        }
        assert_eq!(
            self.rows.len(),
            before + batch.num_rows(),
            "rows without text are numbered, too"
        );
        self.scratch = text;
        Ok(())
    }

    fn add_row(&mut self, text: &SpanText) {
        let start = self.numbers.len();
        let mut ends = [start; 3];
        let mut length = 0;
        for (list, end) in text.fields().into_iter().zip(&mut ends) {
            let count = self.add_field(list.joined());
            length += FieldNormReader::id_to_fieldnorm(FieldNormReader::fieldnorm_to_id(count));
            *end = self.numbers.len();
        }
        debug_assert!(
            ends.is_sorted() && ends.first() >= Some(&start),
            "fields follow each other"
        );
        self.total_length += u64::from(length);
        self.rows.push(FreshRow {
            start,
            ends,
            length,
        });
    }

    /// Appends the words of a field; their count.
    fn add_field(&mut self, joined: &str) -> u32 {
        let mut words = Words::new(joined);
        let mut word = String::new();
        let mut separators = 0;
        let mut count = 0;
        while words.next(&mut word).is_some() {
            if words.separators() != separators {
                separators = words.separators();
                self.numbers.push(GAP);
            }
            let number = self.number(&word);
            self.numbers.push(number);
            count += 1;
        }
        count
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.words.get(word) {
            return number;
        }
        let number = count_of(self.words.len() + 1);
        self.words.insert(word.into(), number);
        number
    }

    /// The exact set of rows that match.
    ///
    /// # Errors
    /// None today; the signature is the index's.
    pub fn rows(&self, query: &TextQuery) -> Result<RoaringBitmap> {
        evaluate(self, query, None)
    }

    /// What ranking needs to know of these rows, without the masked ones.
    ///
    /// # Errors
    /// As [`FreshText::rows`].
    pub fn stats(&self, query: &TextQuery, masked: Option<&RoaringBitmap>) -> Result<TextStats> {
        score::stats(self, query, masked)
    }

    /// The best `k` rows among the allowed and not masked ones, best first; more when the last is tied.
    /// `stats` are those of all sources, merged.
    ///
    /// # Errors
    /// As [`FreshText::rows`].
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

    /// What fits each slot; `None` when nothing fits one of them.
    fn fitting(&self, term: &TextTerm) -> Option<Vec<Fitting>> {
        term.slots
            .iter()
            .map(|slot| self.fitting_slot(slot))
            .collect()
    }

    fn fitting_slot(&self, slot: &Slot) -> Option<Fitting> {
        if let Slot::Word(word) = slot {
            return self.words.get(word.as_str()).copied().map(Fitting::One);
        }
        let fitting: HashSet<u32> = self
            .words
            .iter()
            .filter(|(word, _)| slot.fits(word))
            .map(|(_, &number)| number)
            .collect();
        (!fitting.is_empty()).then_some(Fitting::Many(fitting))
    }

    fn count_in_row(&self, row: &FreshRow, term: &TextTerm, slots: &[Fitting]) -> u32 {
        let mut start = row.start;
        let mut count = 0;
        for (end, covered) in row.ends.into_iter().zip(term.field.covers()) {
            if covered {
                count += count_in_field(items(&self.numbers, start..end), slots);
            }
            start = end;
        }
        count
    }
}

impl Fitting {
    fn has(&self, number: u32) -> bool {
        match self {
            Fitting::One(only) => *only == number,
            Fitting::Many(numbers) => numbers.contains(&number),
        }
    }
}

fn count_in_field(numbers: &[u32], slots: &[Fitting]) -> u32 {
    debug_assert!(!slots.is_empty(), "a term has a slot");
    let fits = |window: &&[u32]| {
        slots
            .iter()
            .zip(*window)
            .all(|(slot, &number)| slot.has(number))
    };
    let count = match slots {
        [Fitting::One(only)] => numbers.iter().filter(|&number| number == only).count(),
        _ => numbers.windows(slots.len().max(1)).filter(fits).count(),
    };
    count_of(count)
}

impl TermSource for FreshText {
    fn row_count(&self) -> u32 {
        count_of(self.rows.len())
    }

    fn matching(&self, term: &TextTerm, within: Option<&RoaringBitmap>) -> Result<RoaringBitmap> {
        let found = self.occurrences(term, within)?;
        Ok(found.iter().map(|occurrence| occurrence.row).collect())
    }

    fn occurrences(
        &self,
        term: &TextTerm,
        within: Option<&RoaringBitmap>,
    ) -> Result<Vec<Occurrence>> {
        let Some(slots) = self.fitting(term) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for (row, fields) in (0..).zip(&self.rows) {
            if within.is_some_and(|within| !within.contains(row)) {
                continue;
            }
            let count = self.count_in_row(fields, term, &slots);
            if count > 0 {
                found.push(Occurrence { row, count });
            }
        }
        Ok(found)
    }

    fn length(&self, row: u32) -> u32 {
        self.rows.get(row as usize).map_or(0, |row| row.length)
    }

    fn total_length(&self) -> u64 {
        self.total_length
    }
}
