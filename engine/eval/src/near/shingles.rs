//! Shingles: the runs of words by which two texts are compared, and their exact Jaccard similarity.
//!
//! Between the words of a text and the hashed sets of the finder.
//!
//! Invariants: the shingles as texts ([`Shingles::of`]) and as hashes stand one to one, but for collisions of the 56 bits
//! that are kept of a hash (among ten million distinct shingles, one chance in a thousand that any two collide); every
//! text has at least one shingle.

use std::collections::BTreeSet;

use twox_hash::XxHash3_64;

use super::error::NearError;
use super::words::{bare, each_word};

/// Bits of a shingle's hash; the other eight hold how common it is.
pub(super) const HASH_BITS: u32 = 56;

/// Parts the hashes of texts without a word from those of shingles.
const WORDLESS_SEED: u64 = 1;

/// How texts are cut: runs of so many words, lower-cased, without white space and punctuation. Scripts that are written
/// without spaces go by characters; symbols such as `+`, `%` and emoji are words. A text of fewer words is one shingle, a
/// text without any word is itself one.
///
/// ```
/// use tracehouse_eval::near::Shingles;
///
/// let shingles = Shingles::default();
/// assert_eq!(shingles.jaccard("The cat sat down.", "the  cat sat DOWN"), 1.0);
/// assert_eq!(shingles.jaccard("the cat sat down", "the cat sat up"), 1.0 / 3.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shingles {
    words: usize,
}

impl Default for Shingles {
    /// Three words.
    fn default() -> Self {
        Self { words: 3 }
    }
}

impl Shingles {
    /// Shingles of so many words.
    ///
    /// # Errors
    /// When it is 0.
    pub fn new(words: usize) -> Result<Self, NearError> {
        if words == 0 {
            return Err(NearError::ShingleWords);
        }
        Ok(Self { words })
    }

    /// Words of one shingle.
    pub fn words(self) -> usize {
        self.words
    }

    /// The distinct shingles of a text, their words joined by a space.
    pub fn of(self, text: &str) -> BTreeSet<String> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word.to_owned()));
        if words.is_empty() {
            return BTreeSet::from([bare(text)]);
        }
        if words.len() < self.words {
            return BTreeSet::from([words.join(" ")]);
        }
        words.windows(self.words).map(|run| run.join(" ")).collect()
    }

    /// Shingles that both texts have, as a share of those that either has: 0 to 1. Exact and without hashes: what the
    /// finder is measured by.
    pub fn jaccard(self, a: &str, b: &str) -> f64 {
        let (a, b) = (self.of(a), self.of(b));
        let common = a.intersection(&b).count();
        let either = a.len() + b.len() - common;
        common as f64 / either as f64
    }

    /// Replaces `hashes` by the distinct hashes of the text's shingles, ascending; `words` is room to work in.
    pub(super) fn hash(self, text: &str, words: &mut Vec<[u8; 8]>, hashes: &mut Vec<u64>) {
        words.clear();
        hashes.clear();
        each_word(text, |word| {
            words.push(XxHash3_64::oneshot(word.as_bytes()).to_le_bytes());
        });
        if words.is_empty() {
            let hash = XxHash3_64::oneshot_with_seed(WORDLESS_SEED, bare(text).as_bytes());
            hashes.push(kept_bits(hash));
        } else {
            let run_words = self.words.min(words.len());
            let runs = words.windows(run_words);
            hashes.extend(runs.map(|run| kept_bits(XxHash3_64::oneshot(run.as_flattened()))));
            hashes.sort_unstable();
            hashes.dedup();
        }
    }
}

fn kept_bits(hash: u64) -> u64 {
    hash & ((1 << HASH_BITS) - 1)
}
