//! What a threshold of similarity asks of two sets, as counts of shingles.
//!
//! With `t` the threshold and sets of `n` and `m` shingles, a Jaccard of `t` means that at least `t / (1 + t) * (n + m)`
//! are common, that `m` is at least `t * n`, and so that at least `t * n` of the `n` are common.
//!
//! Invariant: the counts are never too high. Rounding of floating point may make them lower by one, which costs a
//! comparison; the verdict itself is the division that [`Threshold::met`] makes.

use super::error::NearError;

/// Less than the rounding of any product here, relative to it.
const SLACK: f64 = 1e-9;

/// A similarity above 0 and at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Threshold(f64);

impl Threshold {
    pub(super) fn new(threshold: f64) -> Result<Self, NearError> {
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(NearError::Threshold(threshold));
        }
        Ok(Self(threshold))
    }

    /// This one, or the similarity that was found, when that is higher.
    pub(super) fn raised_to(self, similarity: f64) -> Self {
        Self(self.0.max(similarity))
    }

    /// The similarity, when the sets are near enough.
    pub(super) fn met(self, common: usize, n: usize, m: usize) -> Option<f64> {
        let similarity = common as f64 / (n + m - common) as f64;
        (similarity >= self.0).then_some(similarity)
    }

    /// Fewest common shingles of sets of `n` and `m`.
    pub(super) fn common_min(self, n: usize, m: usize) -> usize {
        at_least(self.0 / (1.0 + self.0) * (n + m) as f64)
    }

    /// Fewest shingles of a set that may be near one of `n`.
    pub(super) fn len_min(self, n: usize) -> usize {
        at_least(self.0 * n as f64)
    }

    /// How many of a set's first shingles must hold a common one, if any set is near it.
    pub(super) fn prefix(self, n: usize) -> usize {
        n - self.len_min(n).min(n) + 1
    }

    /// The same, if the near set has as many shingles or more: fewer, because then more must be common.
    pub(super) fn prefix_among_larger(self, n: usize) -> usize {
        n - self.common_min(n, n).min(n) + 1
    }
}

fn at_least(count: f64) -> usize {
    ((count * (1.0 - SLACK)).ceil() as usize).max(1)
}
