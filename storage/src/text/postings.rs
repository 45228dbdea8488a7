//! Posting lists of one index field: rows, occurrences, and phrases by position.
//!
//! A phrase walks its slots together: the rarest leads, the others seek to its row, and where all
//! stand on one row their positions are intersected. A slot that stands for many words (prefix, fuzzy)
//! is first gathered into one list.

use std::ops::Range;

use roaring::RoaringBitmap;
use tantivy::postings::{Postings, SegmentPostings, TermInfo};
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, InvertedIndexReader, TERMINATED, TantivyError, Term};

use super::cut::{count_of, items};
use super::evaluate::Occurrence;
use super::index::TantivyResult;
use super::query::Slot;

/// Seeking row by row pays once the posting list is this many times longer than the rows asked.
const SEEK_RATIO: u64 = 16;

/// The dictionary entries that fit a slot.
pub(super) fn slot_terms(index: &InvertedIndexReader, slot: &Slot) -> TantivyResult<Vec<TermInfo>> {
    let mut found = Vec::new();
    match slot {
        Slot::Word(word) => found.extend(index.terms().get(word.as_bytes())?),
        Slot::Prefix(prefix) => {
            let mut stream = index.terms().range().ge(prefix.as_bytes()).into_stream()?;
            while stream.advance() && stream.key().starts_with(prefix.as_bytes()) {
                found.push(stream.value().clone());
            }
        }
        Slot::Fuzzy(word, distance) => {
            // The field in the term plays no part in the automaton.
            let term = Term::from_field_text(Field::from_field_id(0), word);
            let automaton = FuzzyTermQuery::new(term, *distance, true).automaton()?;
            let mut stream = index.terms().search(automaton).into_stream()?;
            while stream.advance() {
                found.push(stream.value().clone());
            }
        }
    }
    Ok(found)
}

/// Adds the rows of the terms to `rows`.
pub(super) fn collect_rows(
    index: &InvertedIndexReader,
    terms: &[TermInfo],
    within: Option<&RoaringBitmap>,
    rows: &mut RoaringBitmap,
) -> TantivyResult<()> {
    for term in terms {
        if let Some(within) = within
            && within.len() * SEEK_RATIO < u64::from(term.doc_freq)
        {
            let mut postings = index.read_postings_from_terminfo(term, IndexRecordOption::Basic)?;
            rows.extend(within.iter().filter(|&row| seek(&mut postings, row) == row));
            continue;
        }
        let mut all = Vec::new();
        let mut block = index.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
        while !block.docs().is_empty() {
            all.extend_from_slice(block.docs());
            block.advance();
        }
        let unsorted = |_| TantivyError::InternalError("posting list is not ascending".to_owned());
        let mut found = RoaringBitmap::from_sorted_iter(all).map_err(unsorted)?;
        if let Some(within) = within {
            found &= within;
        }
        *rows |= found;
    }
    Ok(())
}

/// Adds the rows of the terms that lie in a run to `rows`. Nothing is read of what comes after it, and little
/// of what comes before.
pub(super) fn collect_rows_in(
    index: &InvertedIndexReader,
    terms: &[TermInfo],
    within: &Range<u32>,
    rows: &mut RoaringBitmap,
) -> TantivyResult<()> {
    for term in terms {
        let mut postings = index.read_postings_from_terminfo(term, IndexRecordOption::Basic)?;
        let (mut row, mut found) = (seek(&mut postings, within.start), Vec::new());
        while row < within.end {
            found.push(row);
            row = postings.advance();
        }
        let unsorted = |_| TantivyError::InternalError("posting list is not ascending".to_owned());
        *rows |= RoaringBitmap::from_sorted_iter(found).map_err(unsorted)?;
    }
    Ok(())
}

/// Appends the occurrences of the terms, in no particular order.
pub(super) fn collect_occurrences(
    index: &InvertedIndexReader,
    terms: &[TermInfo],
    within: Option<&RoaringBitmap>,
    found: &mut Vec<Occurrence>,
) -> TantivyResult<()> {
    for term in terms {
        let mut postings = index.read_postings_from_terminfo(term, IndexRecordOption::WithFreqs)?;
        match within {
            Some(within) if within.len() * SEEK_RATIO < u64::from(term.doc_freq) => {
                for row in within {
                    if seek(&mut postings, row) == row {
                        found.push(Occurrence {
                            row,
                            count: postings.term_freq(),
                        });
                    }
                }
            }
            _ => {
                let mut block =
                    index.read_block_postings_from_terminfo(term, IndexRecordOption::WithFreqs)?;
                while !block.docs().is_empty() {
                    let pairs = block.docs().iter().zip(block.freqs());
                    let pairs =
                        pairs.filter(|&(&row, _)| within.is_none_or(|within| within.contains(row)));
                    found.extend(pairs.map(|(&row, &count)| Occurrence { row, count }));
                    block.advance();
                }
            }
        }
    }
    Ok(())
}

/// Appends the occurrences of a phrase, by ascending row.
pub(super) fn collect_phrases(
    index: &InvertedIndexReader,
    slots: &[Slot],
    within: Option<&RoaringBitmap>,
    found: &mut Vec<Occurrence>,
) -> TantivyResult<()> {
    assert!(slots.len() > 1, "a phrase has several slots");
    let mut cursors = Vec::with_capacity(slots.len());
    for (offset, slot) in (0..).zip(slots) {
        let terms = slot_terms(index, slot)?;
        let size: u64 = terms.iter().map(|term| u64::from(term.doc_freq)).sum();
        if terms.is_empty() {
            return Ok(());
        }
        cursors.push((size, offset, Cursor::open(index, &terms)?));
    }
    cursors.sort_by_key(|&(size, offset, _)| (size, offset));
    let mut starts = Vec::new();
    let mut positions = Vec::new();
    let mut row = 0;
    while let Some(next) = next_common_row(&mut cursors, row) {
        debug_assert!(
            next >= row && found.last().is_none_or(|last| last.row < next),
            "rows ascend"
        );
        row = next + 1;
        if within.is_some_and(|within| !within.contains(next)) {
            continue;
        }
        let count = phrase_count(&mut cursors, &mut starts, &mut positions);
        if count > 0 {
            found.push(Occurrence { row: next, count });
        }
    }
    Ok(())
}

/// The first row at or after `row` on which all cursors can stand; they do then.
fn next_common_row(cursors: &mut [(u64, u32, Cursor)], mut row: u32) -> Option<u32> {
    loop {
        let wanted = row;
        for (_, _, cursor) in cursors.iter_mut() {
            let at = cursor.seek(row);
            debug_assert!(at >= row, "seeking never goes back");
            if at == TERMINATED {
                return None;
            }
            row = row.max(at);
            if at > wanted {
                break;
            }
        }
        if row == wanted {
            return Some(row);
        }
    }
}

/// Phrases on the row where all cursors stand. `starts` and `positions` are scratch space.
fn phrase_count(
    cursors: &mut [(u64, u32, Cursor)],
    starts: &mut Vec<u32>,
    positions: &mut Vec<u32>,
) -> u32 {
    for (i, (_, offset, cursor)) in cursors.iter_mut().enumerate() {
        let target = if i == 0 {
            &mut *starts
        } else {
            &mut *positions
        };
        cursor.positions(target);
        // A word too near the beginning cannot stand at this offset of a phrase.
        let begin = target.partition_point(|position| position < offset);
        target.drain(..begin);
        target.iter_mut().for_each(|position| *position -= *offset);
        if i > 0 {
            retain_common(starts, positions);
        }
        if starts.is_empty() {
            return 0;
        }
    }
    count_of(starts.len())
}

fn retain_common(starts: &mut Vec<u32>, positions: &[u32]) {
    let mut positions = positions.iter().peekable();
    starts.retain(|start| {
        while positions.next_if(|position| *position < start).is_some() {}
        positions.peek() == Some(&start)
    });
}

/// A slot's rows and positions.
enum Cursor {
    /// One word.
    Word(Box<SegmentPostings>),
    /// Many words, gathered.
    Gathered(Gathered),
}

struct Gathered {
    /// Row and position, sorted.
    entries: Vec<(u32, u32)>,
    at: usize,
}

impl Cursor {
    fn open(index: &InvertedIndexReader, terms: &[TermInfo]) -> TantivyResult<Cursor> {
        if let [term] = terms {
            let postings = index
                .read_postings_from_terminfo(term, IndexRecordOption::WithFreqsAndPositions)?;
            return Ok(Cursor::Word(Box::new(postings)));
        }
        let mut entries = Vec::new();
        let mut positions = Vec::new();
        for term in terms {
            let mut postings = index
                .read_postings_from_terminfo(term, IndexRecordOption::WithFreqsAndPositions)?;
            while postings.doc() != TERMINATED {
                postings.positions(&mut positions);
                entries.extend(positions.iter().map(|&position| (postings.doc(), position)));
                postings.advance();
            }
        }
        entries.sort_unstable();
        Ok(Cursor::Gathered(Gathered { entries, at: 0 }))
    }

    /// The first row at or after `row`, or [`TERMINATED`].
    fn seek(&mut self, row: u32) -> u32 {
        match self {
            Cursor::Word(postings) => seek(postings, row),
            Cursor::Gathered(list) => {
                let rest = items(&list.entries, list.at..);
                list.at += rest.partition_point(|&(entry, _)| entry < row);
                list.entries
                    .get(list.at)
                    .map_or(TERMINATED, |&(entry, _)| entry)
            }
        }
    }

    /// Replaces `positions` by those on the current row, ascending.
    fn positions(&mut self, positions: &mut Vec<u32>) {
        match self {
            Cursor::Word(postings) => postings.positions(positions),
            Cursor::Gathered(list) => {
                positions.clear();
                let rest = items(&list.entries, list.at..);
                let row = rest.first().map(|&(row, _)| row);
                let here = rest.iter().take_while(|&&(entry, _)| Some(entry) == row);
                positions.extend(here.map(|&(_, position)| position));
            }
        }
    }
}

/// Seeks forward; a list that is there already, or past it, stays.
fn seek(postings: &mut SegmentPostings, row: u32) -> u32 {
    if postings.doc() < row {
        postings.seek(row)
    } else {
        postings.doc()
    }
}
