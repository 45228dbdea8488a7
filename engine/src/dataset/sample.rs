//! Choosing some of many, seeded: the same seed over the same ids chooses the same ones, wherever and
//! in whatever order they are.
//!
//! Every id gets a number from a hash seeded by the caller; the smallest numbers win. Strata share
//! the sample in proportion to their sizes, each getting one at least while there are enough.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// How many to choose, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sample {
    /// How many; all when there are fewer.
    pub count: usize,
    /// Another seed gives another sample.
    pub seed: u64,
    /// The key whose values share the sample in proportion; `None` = no strata.
    pub stratify: Option<String>,
}

impl Sample {
    /// A sample of `count`.
    pub fn new(count: usize, seed: u64) -> Self {
        Self {
            count,
            seed,
            stratify: None,
        }
    }

    /// Stratifies the sample by a key.
    pub fn stratify(mut self, key: impl Into<String>) -> Self {
        self.stratify = Some(key.into());
        self
    }
}

/// The positions of the chosen ids, ascending. `strata` is empty or has a value for each id.
pub(crate) fn choose(ids: &[String], strata: &[Option<String>], sample: &Sample) -> Vec<usize> {
    debug_assert!(strata.is_empty() || strata.len() == ids.len());
    let mut groups: BTreeMap<Option<&str>, Vec<(u64, &String, usize)>> = BTreeMap::new();
    for (at, id) in ids.iter().enumerate() {
        let stratum = strata.get(at).and_then(Option::as_deref);
        let number = XxHash3_64::oneshot_with_seed(sample.seed, id.as_bytes());
        groups.entry(stratum).or_default().push((number, id, at));
    }
    let sizes: Vec<usize> = groups.values().map(Vec::len).collect();
    let mut chosen = Vec::with_capacity(sample.count.min(ids.len()));
    for (mut group, share) in groups.into_values().zip(shares(&sizes, sample.count)) {
        group.sort_unstable();
        chosen.extend(group.iter().take(share).map(|(_, _, at)| *at));
    }
    chosen.sort_unstable();
    chosen
}

/// Shares of `count` by the largest remainder; one at least for each stratum while there are enough.
fn shares(sizes: &[usize], count: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    let count = count.min(total);
    if total == 0 {
        return vec![0; sizes.len()];
    }
    // (share, remainder, stratum), in wide numbers: a product of two counts fits.
    let mut shares: Vec<(usize, u128, usize)> = Vec::with_capacity(sizes.len());
    for (at, size) in sizes.iter().enumerate() {
        let product = *size as u128 * count as u128;
        shares.push((
            (product / total as u128) as usize,
            product % total as u128,
            at,
        ));
    }
    let given: usize = shares.iter().map(|(share, _, _)| share).sum();
    shares.sort_by_key(|(_, remainder, at)| (std::cmp::Reverse(*remainder), *at));
    for (share, _, _) in shares.iter_mut().take(count - given) {
        *share += 1;
    }
    if count >= sizes.len() {
        // Strata without a share take one from the largest shares.
        while let Some(empty) = shares.iter().position(|(share, _, _)| *share == 0) {
            let largest = shares
                .iter_mut()
                .max_by_key(|(share, _, at)| (*share, std::cmp::Reverse(*at)));
            match largest {
                Some((share, _, _)) if *share > 1 => *share -= 1,
                _ => break,
            }
            if let Some((share, _, _)) = shares.get_mut(empty) {
                *share = 1;
            }
        }
    }
    shares.sort_by_key(|(_, _, at)| *at);
    shares.into_iter().map(|(share, _, _)| share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|id| format!("{id:032x}")).collect()
    }

    #[test]
    fn a_seed_decides_and_order_does_not() {
        let (ids, sample) = (ids(100), Sample::new(10, 7));
        let chosen = choose(&ids, &[], &sample);
        assert_eq!(chosen.len(), 10);
        let mut reversed = ids.clone();
        reversed.reverse();
        let again: Vec<usize> = choose(&reversed, &[], &sample)
            .iter()
            .rev()
            .map(|at| 99 - at)
            .collect();
        assert_eq!(chosen, again);
        assert_ne!(chosen, choose(&ids, &[], &Sample::new(10, 8)));
        assert_eq!(choose(&ids, &[], &Sample::new(1000, 1)).len(), 100);
    }

    #[test]
    fn strata_share_in_proportion() {
        assert_eq!(shares(&[90, 10], 10), [9, 1]);
        assert_eq!(shares(&[98, 1, 1], 10), [8, 1, 1]);
        assert_eq!(shares(&[1, 1, 1], 2), [1, 1, 0]);
        assert_eq!(shares(&[5, 5], 100), [5, 5]);
        assert_eq!(shares(&[], 3), [0; 0]);
        assert_eq!(shares(&[3, 4], 0), [0, 0]);
    }
}
