//! A filter of trace keys in memory: most segments do not have a trace that comes in, and the metadata store
//! takes microseconds to say so.
//!
//! Invariants:
//! * QU-2 a key that was given to it is never absent; one that was not is present once in some fifty times;
//! * it is made only once the lookups it would have saved have cost as much as making it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Result;
use crate::model::TraceKey;

/// Keys that are read in the time of one lookup in the metadata store.
const KEYS_PER_LOOKUP: u32 = 64;
/// Keys to a word of 64 bits, and the bits set for each.
const KEYS_PER_WORD: usize = 5;
const BITS_PER_KEY: u32 = 5;

/// The keys of a segment, read when many were looked up in vain.
#[derive(Debug, Default)]
pub(crate) struct LazyKeys {
    misses: AtomicU32,
    /// `None` when the keys could not be read.
    filter: OnceLock<Option<KeyFilter>>,
}

impl LazyKeys {
    /// Whether the key is absent for sure.
    pub(crate) fn lack(&self, key: TraceKey) -> bool {
        self.filter.get().is_some_and(|filter| filter.as_ref().is_some_and(|filter| !filter.may_have(key)))
    }

    /// Counts a lookup in vain among `key_count` keys, and calls `read` for all of them when it is time.
    pub(crate) fn missed(&self, key_count: u32, read: impl FnOnce() -> Result<Vec<TraceKey>>) {
        let misses = self.misses.fetch_add(1, Ordering::Relaxed);
        if misses >= key_count / KEYS_PER_LOOKUP && self.filter.get().is_none() {
            // Without them each key is looked up, and what is wrong with the file is told by who reads it.
            self.filter.get_or_init(|| read().ok().map(|keys| KeyFilter::of(&keys)));
        }
    }
}

#[derive(Debug)]
struct KeyFilter {
    words: Vec<u64>,
}

impl KeyFilter {
    fn of(keys: &[TraceKey]) -> Self {
        let mut filter = Self { words: vec![0; keys.len() / KEYS_PER_WORD + 1] };
        for key in keys {
            let (at, bits) = filter.place(*key);
            if let Some(word) = filter.words.get_mut(at) {
                *word |= bits;
            }
        }
        filter
    }

    fn may_have(&self, key: TraceKey) -> bool {
        let (at, bits) = self.place(key);
        self.words.get(at).is_none_or(|word| word & bits == bits)
    }

    /// The word of a key and its bits there.
    fn place(&self, key: TraceKey) -> (usize, u64) {
        let folded = (key.0 >> 64) as u64 ^ (key.0 as u64).rotate_left(32);
        let hash = u128::from(folded).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let (choice, mut rest) = ((hash >> 64) as u64, hash as u64);
        // The upper half of a product with the length: an even choice of a word.
        let at = (u128::from(choice) * self.words.len() as u128) >> 64;
        let mut bits = 0;
        for _ in 0..BITS_PER_KEY {
            bits |= 1 << (rest >> 58);
            rest <<= 6;
        }
        (at as usize, bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u128) -> TraceKey {
        TraceKey(number.wrapping_mul(0x1234_5678_9abc_def1_0fed_cba9_8765_4321) ^ number << 77)
    }

    #[test]
    fn no_key_is_lost_and_few_others_are_found() {
        for count in [0, 1, 7, 20_000] {
            let keys: Vec<TraceKey> = (0..count).map(key).collect();
            let filter = KeyFilter::of(&keys);
            assert!(keys.iter().all(|key| filter.may_have(*key)));
            let found = (count..count + 10_000).filter(|number| filter.may_have(key(*number))).count();
            assert!(found < 600, "{found} of 10000 beside {count}");
        }
    }

    #[test]
    fn keys_are_read_once_after_enough_misses() {
        let keys = LazyKeys::default();
        let mut reads = 0;
        for miss in 0..20 {
            assert!(!keys.lack(key(5)) || miss > 10);
            keys.missed(640, || {
                reads += 1;
                Ok(vec![key(1)])
            });
        }
        assert_eq!(reads, 1);
        assert!(keys.lack(key(5)) && !keys.lack(key(1)));
        let unreadable = LazyKeys::default();
        unreadable.missed(0, || Err(crate::Error::corrupt("x")));
        assert!(!unreadable.lack(key(5)));
    }
}
