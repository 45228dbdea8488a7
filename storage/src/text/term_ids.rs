//! Numbers for terms, in the order in which they are first seen. Used by the index writer, which then
//! handles four bytes in place of a word.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use twox_hash::XxHash3_64;

use super::cut::{count_of, items};
use super::tokenizer::PackedWord;
use crate::{Error, Result};

/// The terms of one field.
#[derive(Debug)]
pub(super) struct TermIds {
    slots: HashTable<Slot>,
    terms: Terms,
    seeds: [u64; 2],
}

/// Most words are found without a look at the terms themselves, which are far away in memory.
#[derive(Debug)]
struct Slot {
    /// A short term packed, or the hash of a longer one with a last byte that no packed term has.
    key: [u64; 2],
    number: u32,
}

impl Default for TermIds {
    fn default() -> Self {
        // Unforeseeable: nobody can make texts whose words share a hash.
        let random = RandomState::new();
        let seeds = [random.hash_one(0), random.hash_one(1)];
        TermIds {
            slots: HashTable::new(),
            terms: Terms::default(),
            seeds,
        }
    }
}

/// Terms one after the other.
#[derive(Debug, Default)]
struct Terms {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl TermIds {
    /// Number of terms.
    pub(super) fn len(&self) -> usize {
        self.terms.ends.len()
    }

    /// The number of a term, a new one when it is new.
    ///
    /// # Errors
    /// `Internal` when all numbers are taken.
    pub(super) fn number(&mut self, term: &[u8]) -> Result<u32> {
        if let Some(packed) = PackedWord::new(term) {
            return self.packed_number(packed);
        }
        let key = [XxHash3_64::oneshot(term), u64::MAX];
        let TermIds {
            slots,
            terms,
            seeds,
        } = self;
        let found = slots.find(hash(key, *seeds), |slot| {
            slot.key == key && terms.get(slot.number) == term
        });
        match found {
            Some(slot) => Ok(slot.number),
            None => self.add(key, term),
        }
    }

    /// The number of a term that is packed, which it is given when it has none.
    ///
    /// # Errors
    /// As [`TermIds::number`].
    pub(super) fn packed_number(&mut self, term: PackedWord) -> Result<u32> {
        let key = halves(term.0);
        if let Some(slot) = self
            .slots
            .find(hash(key, self.seeds), |slot| slot.key == key)
        {
            return Ok(slot.number);
        }
        let (bytes, length) = term.bytes();
        self.add(key, items(&bytes, ..length))
    }

    fn add(&mut self, key: [u64; 2], term: &[u8]) -> Result<u32> {
        let TermIds {
            slots,
            terms,
            seeds,
        } = self;
        let number = u32::try_from(terms.ends.len())
            .ok()
            .filter(|&number| number < u32::MAX);
        let number = number
            .ok_or_else(|| Error::internal("text index: more terms than one segment can have"))?;
        terms.bytes.extend_from_slice(term);
        terms.ends.push(terms.bytes.len());
        debug_assert_eq!(
            slots.len() + 1,
            terms.ends.len(),
            "each term has one number"
        );
        slots.insert_unique(hash(key, *seeds), Slot { key, number }, |slot| {
            hash(slot.key, *seeds)
        });
        Ok(number)
    }

    /// The term of a number that was given out.
    pub(super) fn term(&self, number: u32) -> &[u8] {
        self.terms.get(number)
    }

    /// All numbers, in the order of their terms' bytes.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let key = |term: &[u8]| {
            let mut first = [0; 8];
            first
                .iter_mut()
                .zip(term)
                .for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(first)
        };
        let numbers = 0..count_of(self.len());
        let mut order: Vec<_> = numbers
            .map(|number| (key(self.term(number)), number))
            .collect();
        // Most terms differ within their first bytes: these are compared without a look at the others.
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| self.term(a.1).cmp(self.term(b.1)))
        });
        let order: Vec<u32> = order.into_iter().map(|(_, number)| number).collect();
        debug_assert!(
            order.is_sorted_by(|a, b| self.term(*a) < self.term(*b)),
            "a term is there once"
        );
        order
    }
}

fn halves(number: u128) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = number.to_le_bytes();
    [
        u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        u64::from_le_bytes([i, j, k, l, m, n, o, p]),
    ]
}

/// Mixes both halves of a product: cheap, and good enough, since whoever chooses the keys does not know the seeds.
fn hash(key: [u64; 2], seeds: [u64; 2]) -> u64 {
    let [low, high] = halves(u128::from(key[0] ^ seeds[0]) * u128::from(key[1] ^ seeds[1]));
    low ^ high
}

impl Terms {
    fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        // The first begins where the bytes do.
        let start = number
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or(0);
        debug_assert!(
            number < self.ends.len(),
            "term {number} of {} was given out",
            self.ends.len()
        );
        let end = self.ends.get(number).copied().unwrap_or(start);
        items(&self.bytes, start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_terms_have_one_number_and_numbers_sort_by_term() {
        let mut ids = TermIds::default();
        let words: Vec<String> = (0..3000)
            .map(|i| format!("{}word{}", "x".repeat(i % 11), (i * 7919) % 1000))
            .collect();
        assert!(words.iter().any(|word| word.len() > PackedWord::BYTES_MAX));
        let numbers: Vec<u32> = words
            .iter()
            .map(|word| ids.number(word.as_bytes()).unwrap())
            .collect();
        for (word, number) in words.iter().zip(&numbers) {
            assert_eq!(ids.term(*number), word.as_bytes());
            assert_eq!(ids.number(word.as_bytes()).unwrap(), *number);
        }
        let mut expected = words.clone();
        expected.sort();
        expected.dedup();
        let sorted: Vec<_> = ids
            .sorted()
            .iter()
            .map(|&n| String::from_utf8(ids.term(n).to_vec()).unwrap())
            .collect();
        assert_eq!(sorted, expected);
        assert_eq!(ids.len(), expected.len());
    }
}
