//! What the index writer collects of one field: the numbers of its terms, document after document, and at
//! the end the posting list of each term.
//!
//! A document costs four bytes per word and no search among posting lists: at the end terms are sorted, and
//! their occurrences put in order by going through the log once per [`OCCURRENCES_AT_A_TIME`].
//!
//! Invariants:
//! 1. Postings and positions are those that tantivy's own writer makes of the same documents.
//! 2. Memory is four bytes per word, the terms, and 8 bytes for each of [`OCCURRENCES_AT_A_TIME`], or of
//!    the occurrences of the commonest term if those are more.

use tantivy::postings::{FieldSerializer, InvertedIndexSerializer};
use tantivy::schema::Field;

use super::cut::{count_of, items};
use super::term_ids::TermIds;

/// Occurrences that are put in order at a time.
const OCCURRENCES_AT_A_TIME: usize = 2 << 20;

/// What is kept of a term's occurrences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Documents, counts and positions.
    Positions,
    /// Documents only.
    Documents,
}

/// The terms of one field, by number.
#[derive(Debug)]
pub(super) struct FieldLog {
    kept: Kept,
    log: Vec<u32>,
    /// Where the documents end in the log.
    ends: Vec<usize>,
}

/// A position of a term in a document.
#[derive(Debug, Clone, Copy, Default)]
struct Occurrence {
    document: u32,
    position: u32,
}

impl FieldLog {
    pub(super) fn new(kept: Kept) -> Self {
        FieldLog {
            kept,
            log: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Adds a term to the document; where positions are not kept, it must not have it yet.
    pub(super) fn add(&mut self, term: u32) {
        self.log.push(term);
    }

    /// Ends the document; the number of its terms.
    pub(super) fn end_document(&mut self) -> usize {
        let terms = self.pending();
        self.ends.push(self.log.len());
        terms
    }

    /// Terms of the document so far.
    pub(super) fn pending(&self) -> usize {
        self.log.len() - self.ends.last().map_or(0, |end| *end)
    }

    /// Terms of all documents.
    pub(super) fn terms(&self) -> usize {
        self.log.len()
    }

    /// Number of documents.
    pub(super) fn documents(&self) -> usize {
        self.ends.len()
    }

    /// Writes the posting lists of the terms, whose numbers `order` has by the terms' bytes.
    pub(super) fn write(
        self,
        field: Field,
        terms: &TermIds,
        order: &[u32],
        serializer: &mut InvertedIndexSerializer,
    ) -> tantivy::Result<()> {
        if self.log.is_empty() {
            return Ok(());
        }
        let mut target = serializer.new_field(field, self.log.len() as u64, None)?;
        assert_eq!(order.len(), terms.len(), "each term is written");
        let counts = self.counts(terms.len());
        let order: Vec<u32> = order
            .iter()
            .copied()
            .filter(|&number| at(&counts, number) > 0)
            .collect();
        let mut rest = order.as_slice();
        let mut ends = vec![None; counts.len()];
        let mut occurrences = Vec::new();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(terms_at_a_time(rest, &counts));
            self.gather(now, &counts, &mut ends, &mut occurrences);
            let mut start = 0;
            for &number in now {
                let end = start + at(&counts, number);
                let list = items(&occurrences, start..end);
                self.write_term(terms.term(number), list, &mut target)?;
                start = end;
            }
            rest = later;
        }
        target.close()?;
        Ok(())
    }

    /// Occurrences of each term.
    fn counts(&self, terms: usize) -> Vec<usize> {
        let mut counts = vec![0; terms];
        for &number in &self.log {
            debug_assert!(
                (number as usize) < terms,
                "term {number} of {terms} was given out"
            );
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
        assert!(
            u32::try_from(total).is_ok(),
            "an index among the occurrences has 32 bits"
        );
        occurrences.clear();
        occurrences.resize(total, Occurrence::default());
        let mut start = 0;
        for (document, &end) in (0..).zip(&self.ends) {
            for (position, &number) in (0..).zip(items(&self.log, start..end)) {
                if let Some(Some(next)) = ends.get_mut(number as usize)
                    && let Some(occurrence) = occurrences.get_mut(*next as usize)
                {
                    *occurrence = Occurrence { document, position };
                    *next += 1;
                }
            }
            start = end;
        }
        for &number in terms {
            if let Some(end) = ends.get_mut(number as usize) {
                *end = None;
            }
        }
        debug_assert!(
            ends.iter().all(Option::is_none),
            "the next terms find it as it was"
        );
    }

    fn write_term(
        &self,
        term: &[u8],
        occurrences: &[Occurrence],
        target: &mut FieldSerializer<'_>,
    ) -> tantivy::Result<()> {
        let documents = || occurrences.chunk_by(|a, b| a.document == b.document);
        let (has_counts, document_count) = match self.kept {
            Kept::Positions => (true, count_of(documents().count())),
            Kept::Documents => (false, 0),
        };
        target.new_term(term, document_count, has_counts)?;
        let mut steps = Vec::new();
        for of_document in documents() {
            let Some(first) = of_document.first() else {
                continue;
            };
            let is_once = self.kept == Kept::Positions || of_document.len() == 1;
            debug_assert!(is_once, "without positions a term is in a document once");
            if self.kept == Kept::Positions {
                let mut before = 0;
                steps.clear();
                steps.extend(of_document.iter().map(|occurrence| {
                    occurrence.position - std::mem::replace(&mut before, occurrence.position)
                }));
            }
            target.write_doc(first.document, count_of(steps.len()), &steps);
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
    debug_assert!(
        (number as usize) < counts.len(),
        "term {number} of {} was given out",
        counts.len()
    );
    counts.get(number as usize).copied().unwrap_or(0)
}
