//! Choosing some of many, seeded: the same seed over the same ids chooses the same ones, wherever and
//! in whatever order they are.
//!
//! Every id gets a number from a hash seeded by the caller; the smallest numbers win. A stratum with a quota gets that
//! many; the others share what is left of the sample in proportion to their sizes, each getting one at least while
//! there are enough.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::error::{Error, Result};

/// How many to choose, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sample {
    /// How many; all when there are fewer. `None` is all of them or, with quotas, what the quotas say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// Another seed gives another sample.
    pub seed: u64,
    /// The key whose values share the sample in proportion; `None` = no strata.
    pub stratify: Option<String>,
    /// Values of that key and how many to choose of each; all when there are fewer. `None` is what has no value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<(Option<String>, usize)>,
    /// Whether of the traces of one session, or of their spans, the newest with inputs alone counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest_per_session: bool,
}

impl Sample {
    /// A sample of `count`.
    pub fn new(count: usize, seed: u64) -> Self {
        Self {
            count: Some(count),
            seed,
            ..Self::default()
        }
    }

    /// All, or what quotas say of them.
    pub fn all(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Stratifies the sample by a key.
    pub fn stratify(mut self, key: impl Into<String>) -> Self {
        self.stratify = Some(key.into());
        self
    }

    /// Chooses `count` of those with this value of the key; `None` is those without a value. Strata without a quota
    /// share what is left of the sample's count.
    pub fn quota(mut self, value: Option<&str>, count: usize) -> Self {
        self.quotas.push((value.map(str::to_string), count));
        self
    }

    /// Takes of each session the newest trace or span alone; what has no session counts by itself.
    pub fn newest_per_session(mut self) -> Self {
        self.newest_per_session = true;
        self
    }

    /// # Errors
    /// `InvalidInput` for quotas that no sample can have.
    pub(crate) fn check(&self) -> Result<()> {
        if self.quotas.is_empty() {
            return Ok(());
        }
        if self.stratify.is_none() {
            return Err(Error::invalid_input(
                "quotas without a key to stratify by: say whose values they are of",
            ));
        }
        let (mut values, mut total) = (BTreeSet::new(), 0_usize);
        for (value, quota) in &self.quotas {
            if !values.insert(value) {
                let value = value.as_deref().unwrap_or("(no value)");
                return Err(Error::invalid_input(format!("two quotas of {value:?}")));
            }
            total = total.saturating_add(*quota);
        }
        match self.count {
            Some(count) if total > count => Err(Error::invalid_input(format!(
                "quotas of {total} in a sample of {count}: together at most {count} expected"
            ))),
            _ => Ok(()),
        }
    }

    /// The quotas that there are too few for: the value, how many there are, and the quota.
    pub(crate) fn unmet(&self, strata: &[Option<String>]) -> Vec<(Option<String>, u64, u64)> {
        let of = |value: &Option<String>| strata.iter().filter(|one| *one == value).count();
        let quotas = self.quotas.iter();
        quotas
            .map(|(value, quota)| (value.clone(), of(value) as u64, *quota as u64))
            .filter(|(_, there, quota)| there < quota)
            .collect()
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
    let sizes: Vec<(Option<&str>, usize)> = groups
        .iter()
        .map(|(stratum, group)| (*stratum, group.len()))
        .collect();
    let mut chosen = Vec::new();
    for (mut group, share) in groups.into_values().zip(shares_of(&sizes, sample)) {
        group.sort_unstable();
        chosen.extend(group.iter().take(share).map(|(_, _, at)| *at));
    }
    chosen.sort_unstable();
    chosen
}

/// How many to choose of each stratum.
fn shares_of(sizes: &[(Option<&str>, usize)], sample: &Sample) -> Vec<usize> {
    let quota_of = |stratum: &Option<&str>| {
        let mut quotas = sample.quotas.iter();
        quotas.find(|(value, _)| value.as_deref() == *stratum)
    };
    let by_quota: Vec<Option<usize>> = sizes
        .iter()
        .map(|(stratum, size)| quota_of(stratum).map(|(_, quota)| (*quota).min(*size)))
        .collect();
    let taken: usize = by_quota.iter().flatten().sum();
    let left = match sample.count {
        Some(count) => count.saturating_sub(taken),
        None if sample.quotas.is_empty() => usize::MAX,
        None => 0,
    };
    let others: Vec<usize> = sizes
        .iter()
        .zip(&by_quota)
        .filter(|(_, quota)| quota.is_none())
        .map(|((_, size), _)| *size)
        .collect();
    let mut of_others = shares(&others, left).into_iter();
    by_quota
        .into_iter()
        .map(|quota| quota.or_else(|| of_others.next()).unwrap_or(0))
        .collect()
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

    #[test]
    fn quotas_come_first_and_the_others_share_what_is_left() {
        let sizes = [(None, 4), (Some("a"), 10), (Some("b"), 30), (Some("c"), 60)];
        let of = |sample: Sample| shares_of(&sizes, &sample);
        let by_key = |sample: Sample| sample.stratify("key");
        assert_eq!(of(by_key(Sample::all(0))), [4, 10, 30, 60]);
        let quotas = |sample: Sample| by_key(sample).quota(Some("a"), 2).quota(None, 9);
        assert_eq!(of(quotas(Sample::all(0))), [4, 2, 0, 0]);
        assert_eq!(
            of(quotas(Sample::new(15, 0))),
            [4, 2, 3, 6],
            "what a quota leaves goes to the others"
        );
        assert_eq!(of(by_key(Sample::all(0)).quota(Some("d"), 5)), [0, 0, 0, 0]);
        let strata = [None, Some("a".to_string()), None];
        assert_eq!(
            quotas(Sample::all(0)).unmet(&strata),
            [(Some("a".to_string()), 1, 2), (None, 2, 9)]
        );
    }

    #[test]
    fn quotas_that_no_sample_has_are_named() {
        let error = |sample: Sample| sample.check().unwrap_err().to_string();
        let by_key = Sample::new(3, 0).stratify("key");
        assert!(error(Sample::all(0).quota(Some("a"), 1)).contains("stratify by"));
        assert!(error(by_key.clone().quota(Some("a"), 4)).contains("quotas of 4 in a sample of 3"));
        let twice = by_key.clone().quota(Some("a"), 1).quota(Some("a"), 2);
        assert!(error(twice).contains("two quotas of \"a\""));
        let other = by_key.quota(Some("a"), 1).quota(None, 2);
        assert!(other.check().is_ok());
        let text = serde_json::to_string(&other).unwrap();
        assert_eq!(
            text,
            r#"{"count":3,"seed":0,"stratify":"key","quotas":[["a",1],[null,2]]}"#
        );
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), other);
    }
}
