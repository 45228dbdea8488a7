//! What the index writer collects of the words of rows: each string once, as a document, and where it occurs.
//!
//! Invariants:
//! 1. The strings of a row have the words that the row has, as often; strings without words are left out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use twox_hash::XxHash3_128;

use super::field_log::{FieldLog, Kept};
use super::string_occurrences::{FIELDS, NUMBERS_END, StringOccurrencesWriter};
use super::term_ids::TermIds;
use super::tokenizer::{PackedWord, Words};
use crate::{Error, Result};

/// Strings remembered at most.
const SEEN_STRINGS_MAX: usize = 1 << 20;
/// What a string takes that is remembered, in terms.
const SEEN_TERMS: usize = 12;

/// Hashes are not hashed again.
#[derive(Debug, Clone, Copy, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() >= 8, "what is hashed is a hash of 128 bits");
        let low = bytes.first_chunk().copied().unwrap_or_default();
        self.0 = u64::from_le_bytes(low);
    }
}

/// The strings of an index.
#[derive(Debug)]
pub(super) struct StringLog {
    pub(super) terms: TermIds,
    pub(super) words: FieldLog,
    pub(super) occurrences: StringOccurrencesWriter,
    /// What strings became that were seen.
    seen: HashMap<u128, Seen, BuildHasherDefault<Hashed>>,
    /// Words of the row being added, by field.
    row_words: [u32; FIELDS],
    word: String,
    /// The words of the string being added: short ones packed, longer ones by number.
    packed: Vec<PackedWord>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    string: u32,
    /// None: it is no document.
    words: u32,
}

impl StringLog {
    pub(super) fn new() -> Self {
        StringLog {
            terms: TermIds::default(),
            words: FieldLog::new(Kept::Positions),
            occurrences: StringOccurrencesWriter::default(),
            seen: HashMap::default(),
            row_words: [0; FIELDS],
            word: String::new(),
            packed: Vec::new(),
        }
    }

    /// What is in memory, as a number of words.
    pub(super) fn terms(&self) -> usize {
        // Strings that were seen, and where strings and rows are.
        self.words.terms() + self.seen.len() * SEEN_TERMS + self.occurrences.len() * 2
    }

    /// Adds a string to a field of the row.
    ///
    /// # Errors
    /// `Internal` with more strings or words than there are numbers.
    pub(super) fn add(&mut self, field: usize, text: &str) -> Result<()> {
        debug_assert!(field < FIELDS, "a string is in one of the fields of words");
        let seen = self.find(text)?;
        if seen.words > 0 {
            self.occurrences
                .add(seen.string, u32::try_from(field).map_err(|_| too_many())?);
        }
        if let Some(words) = self.row_words.get_mut(field) {
            *words = words.saturating_add(seen.words);
        }
        Ok(())
    }

    /// The document of a string, a new one when it is new.
    fn find(&mut self, text: &str) -> Result<Seen> {
        let is_full = self.seen.len() >= SEEN_STRINGS_MAX;
        let entry = self.seen.entry(XxHash3_128::oneshot(text.as_bytes()));
        if let Entry::Occupied(seen) = &entry {
            return Ok(*seen.get());
        }
        debug_assert_eq!(self.words.pending(), 0, "the string before was ended");
        let string = self.words.documents();
        let mut cursor = Words::new(text);
        // Looked up together: the processor then waits for memory once for many words.
        self.packed.clear();
        while let Some(packed) = cursor.next_packed(&mut self.word) {
            self.packed.push(match packed {
                Some(word) => word,
                None => PackedWord::of_number(self.terms.number(self.word.as_bytes())?),
            });
        }
        for &word in &self.packed {
            self.words.add(match word.as_number() {
                None => self.terms.packed_number(word)?,
                Some(number) => number,
            });
        }
        let words = match self.words.pending() {
            0 => 0,
            _ => self.words.end_document(),
        };
        let string = u32::try_from(string)
            .ok()
            .filter(|&string| string < NUMBERS_END)
            .ok_or_else(too_many)?;
        let seen = Seen {
            string,
            words: u32::try_from(words).map_err(|_| too_many())?,
        };
        if !is_full {
            entry.insert_entry(seen);
        }
        Ok(seen)
    }

    /// Ends the row.
    pub(super) fn end_row(&mut self) {
        debug_assert_eq!(self.words.pending(), 0, "the strings of a row were ended");
        self.occurrences
            .end_row(std::mem::take(&mut self.row_words));
    }
}

fn too_many() -> Error {
    Error::internal("text index: more strings than one segment can have")
}
