//! One index of the rows of several: postings are copied, no text is read or cut.
//!
//! ```text
//! rows:     in a new order, some dropped         -> string_occurrences
//! strings:  those of the first index that have rows left, then those of the second, ... -> words
//! ```
//!
//! Invariants:
//! 1. The index answers as one built from the rows would. A string that several of them have is there as
//!    often.
//! 2. Memory is what the occurrences of strings take: the postings of one term, 4 bytes for each row and string of the
//!    old indexes and 8 for each occurrence.

use std::sync::Arc;

use tantivy::postings::{FieldSerializer, InvertedIndexSerializer, Postings};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::TermMerger;
use tantivy::{DocSet, Index, TERMINATED, TantivyError};

use super::cut::{count_of, items};
use super::index::{RAW_FIELD, TantivyResult, TextLocation, VALUES_FIELD, WORDS_FIELD, guarded};
use super::reader::{Dictionary, TextReader};
use super::string_occurrences::{FIELDS, NUMBERS_END, StringOccurrences, StringOccurrencesWriter};
use super::writer::{create_index, write_files, write_sums};
use crate::{Error, Result};

/// Stands for a row or string that is dropped.
const DROPPED: u32 = u32::MAX;
/// Terms between two looks at whether to go on.
const TERMS_AT_A_TIME: u32 = 1024;

/// One of the indexes.
struct Input {
    reader: Arc<TextReader>,
    /// New numbers of its rows and strings.
    rows: Vec<u32>,
    strings: Vec<u32>,
}

/// Merges indexes into a new one at `location`, a directory that exists and is empty. `rows` names the index
/// of each row and its number there. `go_on` is asked now and then and ends the work by an error.
///
/// # Errors
/// `Corrupt` when an index is damaged or files cannot be written, `Internal` with too many strings; what
/// `go_on` says.
pub fn merge_indexes(
    location: TextLocation,
    indexes: &[Arc<TextReader>],
    rows: &[(usize, u32)],
    go_on: &dyn Fn() -> Result<()>,
) -> Result<TextReader> {
    let merged = merge_into(&create_index(&location)?, &location, indexes, rows, go_on)?;
    write_sums(&location)?;
    Ok(merged)
}

/// Merges indexes as [`merge_indexes`] does, into an index that was just created.
pub(super) fn merge_into(
    index: &Index,
    location: &TextLocation,
    indexes: &[Arc<TextReader>],
    rows: &[(usize, u32)],
    go_on: &dyn Fn() -> Result<()>,
) -> Result<TextReader> {
    // Damage would be copied, and then have a good checksum.
    if let Some(damaged) = indexes.iter().find(|index| !index.is_intact()) {
        return Err(Error::corrupt(format!("{} is damaged", damaged.name())));
    }
    let mut inputs: Vec<Input> = indexes.iter().map(Input::new).collect();
    for (number, &(input, row)) in (0..).zip(rows) {
        let new_row = inputs
            .get_mut(input)
            .and_then(|input| input.rows.get_mut(row as usize));
        *new_row
            .ok_or_else(|| Error::internal(format!("text index {input} has no row {row}")))? =
            number;
    }
    debug_assert_eq!(
        inputs
            .iter()
            .flat_map(|input| &input.rows)
            .filter(|&&new| new != DROPPED)
            .count(),
        rows.len(),
        "a row is taken once"
    );
    let mut strings = 0;
    for input in &mut inputs {
        strings = input.number_strings(strings);
    }
    if strings >= NUMBERS_END || rows.len() >= NUMBERS_END as usize {
        return Err(Error::internal(
            "text index: more strings than one segment can have",
        ));
    }
    let occurrences = new_occurrences(&inputs, rows)?.finish(strings)?;
    go_on()?;
    let (name, count) = (location.name(), count_of(rows.len()));
    // An error of ours on its way through tantivy's.
    let mut stopped = None;
    let written = guarded(&name, || {
        write_files(index, count, &occurrences, |serializer| {
            for field in [WORDS_FIELD, RAW_FIELD, VALUES_FIELD] {
                copy_field(&inputs, field, serializer, &mut || match go_on() {
                    Ok(()) => Ok(()),
                    Err(error) => {
                        stopped = Some(error);
                        Err(TantivyError::InternalError("stopped".to_owned()))
                    }
                })?;
            }
            Ok(())
        })
    });
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    written?;
    guarded(&name, || Ok(TextReader::from_index(index, &name, count)))?
}

impl Input {
    fn new(reader: &Arc<TextReader>) -> Input {
        let rows = vec![DROPPED; reader.row_total() as usize];
        let strings = vec![DROPPED; reader.string_occurrences().strings() as usize];
        Input {
            reader: reader.clone(),
            rows,
            strings,
        }
    }

    fn string_occurrences(&self) -> &StringOccurrences {
        self.reader.string_occurrences()
    }

    /// Numbers the strings of rows that are kept, from `first` on; the number after the last.
    fn number_strings(&mut self, first: u32) -> u32 {
        let kept = (0..).zip(&self.rows).filter(|&(_, &new)| new != DROPPED);
        for string in kept
            .flat_map(|(row, _)| self.reader.string_occurrences().of_row(row))
            .map(|(string, _)| string)
        {
            if let Some(number) = self.strings.get_mut(string as usize) {
                *number = 0;
            }
        }
        let mut next = first;
        for number in self.strings.iter_mut().filter(|number| **number != DROPPED) {
            *number = next;
            next = next.saturating_add(1);
        }
        assert!(
            next >= first,
            "the strings of an index are numbered after those before it"
        );
        next
    }

    /// The new numbers of a field's documents.
    fn documents(&self, field: u32) -> &[u32] {
        if field == WORDS_FIELD {
            &self.strings
        } else {
            &self.rows
        }
    }

    fn dictionary(&self, field: u32) -> &Dictionary {
        match field {
            RAW_FIELD => self.reader.raw(),
            VALUES_FIELD => self.reader.values(),
            _ => self.reader.words(),
        }
    }
}

fn new_occurrences(inputs: &[Input], rows: &[(usize, u32)]) -> Result<StringOccurrencesWriter> {
    let mut occurrences = StringOccurrencesWriter::default();
    for &(number, row) in rows {
        let input = inputs.get(number);
        let input = input.ok_or_else(|| Error::internal(format!("no text index {number}")))?;
        for (string, field) in input.string_occurrences().of_row(row) {
            // The strings of the rows that are kept were numbered.
            let new = input
                .strings
                .get(string as usize)
                .copied()
                .filter(|&new| new != DROPPED);
            let new = new.filter(|_| (field as usize) < FIELDS);
            occurrences.add(new.ok_or_else(|| no_string(input, row))?, field);
        }
        occurrences.end_row_rounded(input.string_occurrences().lengths(row));
    }
    Ok(occurrences)
}

fn no_string(input: &Input, row: u32) -> Error {
    Error::corrupt(format!(
        "{}: row {row} has a string that does not exist",
        input.reader.name()
    ))
}

fn copy_field(
    inputs: &[Input],
    field: u32,
    serializer: &mut InvertedIndexSerializer,
    go_on: &mut dyn FnMut() -> TantivyResult<()>,
) -> TantivyResult<()> {
    let dictionaries: Vec<&Dictionary> =
        inputs.iter().map(|input| input.dictionary(field)).collect();
    let streams = dictionaries
        .iter()
        .map(|dictionary| dictionary.index.terms().stream());
    let mut terms = TermMerger::new(streams.collect::<std::io::Result<Vec<_>>>()?);
    // Of strings that are dropped, too: ranking counts words by the lengths of rows.
    let words = dictionaries
        .iter()
        .map(|dictionary| dictionary.index.total_num_tokens())
        .sum();
    let mut target = serializer.new_field(Field::from_field_id(field), words, None)?;
    let mut list = PostingList::default();
    let mut until_asked = TERMS_AT_A_TIME;
    while terms.advance() {
        until_asked -= 1;
        if until_asked == 0 {
            until_asked = TERMS_AT_A_TIME;
            go_on()?;
        }
        list.clear();
        for (number, term) in terms.current_segment_ords_and_term_infos() {
            let (Some(input), Some(dictionary)) = (inputs.get(number), dictionaries.get(number))
            else {
                return Err(TantivyError::InternalError(format!(
                    "no text index {number}"
                )));
            };
            let option = if field == WORDS_FIELD {
                IndexRecordOption::WithFreqsAndPositions
            } else {
                IndexRecordOption::Basic
            };
            let mut postings = dictionary
                .index
                .read_postings_from_terminfo(&term, option)?;
            let documents = input.documents(field);
            while postings.doc() != TERMINATED {
                let Some(&new) = documents.get(postings.doc() as usize) else {
                    let (document, count) = (postings.doc(), documents.len());
                    return Err(TantivyError::InternalError(format!(
                        "document {document} of {count}"
                    )));
                };
                if new != DROPPED {
                    list.add(new, &mut postings, field == WORDS_FIELD);
                }
                postings.advance();
            }
        }
        list.write(terms.key(), field == WORDS_FIELD, &mut target)?;
    }
    target.close()?;
    Ok(())
}

/// The postings of one term.
#[derive(Debug, Default)]
struct PostingList {
    /// Documents, and where their positions end.
    documents: Vec<(u32, usize)>,
    /// Differences of positions.
    steps: Vec<u32>,
    positions: Vec<u32>,
}

impl PostingList {
    fn clear(&mut self) {
        self.documents.clear();
        self.steps.clear();
    }

    fn add(&mut self, document: u32, postings: &mut impl Postings, with_positions: bool) {
        if with_positions {
            postings.positions(&mut self.positions);
            debug_assert!(
                self.positions.is_sorted(),
                "the positions of a word in a string ascend"
            );
            let mut before = 0;
            let step =
                |&position: &u32| position.wrapping_sub(std::mem::replace(&mut before, position));
            self.steps.extend(self.positions.iter().map(step));
        }
        self.documents.push((document, self.steps.len()));
    }

    fn write(
        &mut self,
        term: &[u8],
        with_positions: bool,
        target: &mut FieldSerializer<'_>,
    ) -> tantivy::Result<()> {
        if self.documents.is_empty() {
            return Ok(());
        }
        if !with_positions {
            // Strings keep their order, rows do not.
            self.documents.sort_unstable();
        }
        debug_assert!(
            self.documents.is_sorted_by(|a, b| a.0 < b.0),
            "a posting list ascends"
        );
        target.new_term(term, count_of(self.documents.len()), with_positions)?;
        let mut start = 0;
        for &(document, end) in &self.documents {
            let steps = items(&self.steps, start..end);
            target.write_doc(document, count_of(steps.len()), steps);
            start = end;
        }
        target.close_term()?;
        Ok(())
    }
}
