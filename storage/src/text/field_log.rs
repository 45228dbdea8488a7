//! What the index writer collects of one field: the numbers of its terms, row after row, and at the end
//! the posting list of each term.
//!
//! A row costs four bytes per word and no search among posting lists: at the end terms are sorted, and
//! their occurrences put in place by going through the log once per [`OCCURRENCES_AT_A_TIME`].
//! Texts repeat (a call's messages hold those of the call before): a string that was seen is a copy of
//! its part of the log.
//!
//! Invariants:
//! 1. Postings, positions and lengths are those that tantivy's own writer makes of the same rows.
//! 2. Memory is at most four bytes per word and string, the terms, and 8 bytes for each of
//!    [`OCCURRENCES_AT_A_TIME`], or of the occurrences of the commonest term if those are more.

use std::collections::HashMap;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{FieldSerializer, InvertedIndexSerializer};
use tantivy::schema::Field;
use twox_hash::XxHash3_128;

use super::term_ids::TermIds;
use super::tokenizer::Words;
use crate::{Error, Result};

/// Occurrences that are put in order at a time.
const OCCURRENCES_AT_A_TIME: usize = 4 << 20;
/// Shortest string that is looked for among those seen, bytes.
const SEEN_STRING_BYTES_MIN: usize = 32;
/// Strings remembered at most.
const SEEN_STRINGS_MAX: usize = 1 << 20;
/// Stands in the log for the end of a string: a step between positions, so that no phrase crosses it.
const STRING_END: u32 = u32::MAX;

/// What is kept of a term's occurrences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Rows, counts and positions.
    Positions,
    /// Rows only.
    Rows,
}

/// The terms of one field.
#[derive(Debug)]
pub(super) struct FieldLog {
    kept: Kept,
    terms: TermIds,
    log: Vec<u32>,
    /// Where the rows end in the log.
    row_ends: Vec<usize>,
    /// Words in each row, as the index rounds them.
    lengths: Vec<u8>,
    words: u64,
    row_words: u32,
    /// Start and words of strings that were seen.
    seen: HashMap<u128, (usize, u32)>,
    word: String,
}

/// One place of a term.
#[derive(Debug, Clone, Copy, Default)]
struct Occurrence {
    row: u32,
    position: u32,
}

impl FieldLog {
    pub(super) fn new(kept: Kept) -> Self {
        FieldLog {
            kept,
            terms: TermIds::default(),
            log: Vec::new(),
            row_ends: Vec::new(),
            lengths: Vec::new(),
            words: 0,
            row_words: 0,
            seen: HashMap::new(),
            word: String::new(),
        }
    }

    /// Adds the words of a string to the row.
    ///
    /// # Errors
    /// `Internal` with more terms than there are numbers.
    pub(super) fn add_string(&mut self, text: &str) -> Result<()> {
        let hash = (text.len() >= SEEN_STRING_BYTES_MIN).then(|| XxHash3_128::oneshot(text.as_bytes()));
        if let Some((start, words)) = hash.and_then(|hash| self.seen.get(&hash)).copied() {
            self.log.extend_from_within(start..start + words as usize + 1);
            self.count(words);
            return Ok(());
        }
        let start = self.log.len();
        let mut cursor = Words::new(text);
        while cursor.next(&mut self.word).is_some() {
            self.log.push(self.terms.number(self.word.as_bytes()).ok_or_else(too_many)?);
        }
        let words = u32::try_from(self.log.len() - start).map_err(|_| too_many())?;
        self.log.push(STRING_END);
        self.count(words);
        if let Some(hash) = hash.filter(|_| self.seen.len() < SEEN_STRINGS_MAX) {
            self.seen.insert(hash, (start, words));
        }
        Ok(())
    }

    /// Adds a term to the row, which must not have it yet.
    ///
    /// # Errors
    /// As [`FieldLog::add_string`].
    pub(super) fn add_term(&mut self, term: &str) -> Result<()> {
        self.log.push(self.terms.number(term.as_bytes()).ok_or_else(too_many)?);
        self.count(1);
        Ok(())
    }

    fn count(&mut self, words: u32) {
        self.words += u64::from(words);
        self.row_words = self.row_words.saturating_add(words);
    }

    /// Ends the row.
    pub(super) fn end_row(&mut self) {
        self.row_ends.push(self.log.len());
        self.lengths.push(FieldNormReader::fieldnorm_to_id(self.row_words));
        self.row_words = 0;
    }

    /// Number of words in each row, rounded, where ranking asks for it.
    pub(super) fn lengths(&self) -> Option<&[u8]> {
        (self.kept == Kept::Positions).then_some(&self.lengths)
    }

    /// Writes the posting lists.
    pub(super) fn write(
        self,
        field: Field,
        lengths: Option<FieldNormReader>,
        serializer: &mut InvertedIndexSerializer,
    ) -> tantivy::Result<()> {
        if self.terms.len() == 0 {
            return Ok(());
        }
        let mut target = serializer.new_field(field, self.words, lengths)?;
        let counts = self.counts();
        let order = self.terms.sorted();
        let mut rest = order.as_slice();
        let mut ends = vec![None; counts.len()];
        let mut occurrences = Vec::new();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(terms_at_a_time(rest, &counts));
            self.gather(now, &counts, &mut ends, &mut occurrences);
            let mut start = 0;
            for &number in now {
                let end = start + at(&counts, number);
                let list = occurrences.get(start..end).unwrap_or_default();
                self.write_term(number, list, &mut target)?;
                start = end;
            }
            rest = later;
        }
        target.close()?;
        Ok(())
    }

    /// Occurrences of each term.
    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.terms.len()];
        for &number in &self.log {
            if let Some(count) = counts.get_mut(number as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// Replaces `occurrences` by those of the terms, one term after the other. `ends` is all `None`
    /// before and after.
    fn gather(
        &self,
        terms: &[u32],
        counts: &[usize],
        ends: &mut [Option<u32>],
        occurrences: &mut Vec<Occurrence>,
    ) {
        let mut total = 0;
        for &number in terms {
            if let (Some(end), Ok(start)) = (ends.get_mut(number as usize), u32::try_from(total)) {
                *end = Some(start);
            }
            total += at(counts, number);
        }
        occurrences.clear();
        occurrences.resize(total, Occurrence::default());
        let mut start = 0;
        for (row, &end) in (0..).zip(&self.row_ends) {
            for (position, &number) in (0..).zip(self.log.get(start..end).unwrap_or_default()) {
                if let Some(Some(place)) = ends.get_mut(number as usize)
                    && let Some(occurrence) = occurrences.get_mut(*place as usize)
                {
                    *occurrence = Occurrence { row, position };
                    *place += 1;
                }
            }
            start = end;
        }
        for &number in terms {
            if let Some(end) = ends.get_mut(number as usize) {
                *end = None;
            }
        }
    }

    fn write_term(
        &self,
        number: u32,
        occurrences: &[Occurrence],
        target: &mut FieldSerializer<'_>,
    ) -> tantivy::Result<()> {
        let rows = || occurrences.chunk_by(|a, b| a.row == b.row);
        let (has_counts, row_count) = match self.kept {
            Kept::Positions => (true, u32::try_from(rows().count()).unwrap_or(u32::MAX)),
            Kept::Rows => (false, 0),
        };
        target.new_term(self.terms.term(number), row_count, has_counts)?;
        let mut steps = Vec::new();
        for places in rows() {
            let Some(first) = places.first() else { continue };
            if self.kept == Kept::Positions {
                let mut before = 0;
                steps.clear();
                steps.extend(
                    places
                        .iter()
                        .map(|place| place.position - std::mem::replace(&mut before, place.position)),
                );
            }
            target.write_doc(first.row, u32::try_from(steps.len()).unwrap_or(u32::MAX), &steps);
        }
        target.close_term()?;
        Ok(())
    }
}

/// How many of the terms have few enough occurrences together; at least one.
fn terms_at_a_time(terms: &[u32], counts: &[usize]) -> usize {
    let mut total = 0;
    let fit = terms.iter().take_while(|&&number| {
        total += at(counts, number);
        total <= OCCURRENCES_AT_A_TIME
    });
    fit.count().max(1)
}

fn at(counts: &[usize], number: u32) -> usize {
    counts.get(number as usize).copied().unwrap_or(0)
}

fn too_many() -> Error {
    Error::internal("text index: more words than one segment can have")
}
