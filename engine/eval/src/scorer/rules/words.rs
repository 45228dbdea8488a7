//! Words of texts as numbers, so that texts are compared fast.
//!
//! Invariants
//! 1. Two words have the same number when, and only when, their bytes are the same.
//! 2. Numbers are given in the order words are first seen, from 0.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Numbers of the words of one text.
#[derive(Default)]
pub(super) struct Vocabulary<'a> {
    numbers: HashMap<&'a [u8], u32, BuildHasherDefault<WordHasher>>,
}

impl<'a> Vocabulary<'a> {
    /// Room for so many words.
    pub(super) fn with_capacity(words: usize) -> Self {
        Self {
            numbers: HashMap::with_capacity_and_hasher(words, BuildHasherDefault::default()),
        }
    }

    /// The number of a word, a new one when it has none.
    pub(super) fn add(&mut self, word: &'a [u8]) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(word).or_insert(next)
    }

    /// The number of a word that was added.
    pub(super) fn get(&self, word: &[u8]) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    /// How many words have a number.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// A hash of short words: eight bytes at a time, folded by a wide product. The standard hash, made against chosen keys,
/// takes three times as long, and the map here lives for one pair of texts.
#[derive(Default)]
pub(super) struct WordHasher(u64);

/// An odd number with its bits spread evenly (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl WordHasher {
    fn mix(&mut self, bits: u64) {
        let wide = u128::from(self.0 ^ bits ^ SPREAD) * u128::from(SPREAD.rotate_left(32) | 1);
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((head, tail)) = rest.split_first_chunk::<8>() {
            self.mix(u64::from_le_bytes(*head));
            rest = tail;
        }
        if let Some((head, tail)) = rest.split_first_chunk::<4>() {
            self.mix(u64::from(u32::from_le_bytes(*head)));
            rest = tail;
        }
        if !rest.is_empty() {
            let last = rest
                .iter()
                .fold(1, |bits, &byte| (bits << 8) | u64::from(byte));
            self.mix(last);
        }
    }

    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
