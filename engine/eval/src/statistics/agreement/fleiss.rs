//! Fleiss' kappa of many raters (Fleiss 1971), also where items have differing numbers of ratings.
//!
//! With differing numbers (the way of Gwet 2014):
//! 1. The agreement of an item is the share of its pairs of ratings that are equal; an item with fewer than two ratings
//!    has none and is left out of the mean, and counted as such.
//! 2. The share of a label for chance is the mean, over all items with at least one rating, of its share of the item's
//!    ratings. So an item weighs the same however many rated it.
//!
//! With the same number everywhere both are Fleiss' own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::sample::finite;

/// Agreement of many raters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FleissKappa {
    /// Items given.
    pub items: u64,
    /// Ratings given.
    pub ratings: u64,
    /// Items with two or more ratings, which can agree.
    pub items_compared: u64,
    /// Items with one rating: they count for the shares of labels, not for agreement.
    pub items_with_one_rating: u64,
    /// Items with no rating, which say nothing.
    pub items_without_rating: u64,
    /// Distinct labels given.
    pub labels: u64,
    /// Fleiss' kappa; `None` when no item can be compared or all ratings are the same.
    pub kappa: Option<f64>,
    /// Mean share of equal pairs of ratings, over the items compared.
    pub percent_agreement: Option<f64>,
    /// Share of the items compared whose ratings are all equal.
    pub unanimous: Option<f64>,
    /// Share of equal pairs that chance alone would give.
    pub chance_agreement: Option<f64>,
}

/// Fleiss' kappa of items, each with the labels it was given; which rater gave which does not matter.
///
/// ```
/// use tracehouse_eval::statistics::fleiss_kappa;
///
/// let ratings = [vec!["good", "good", "bad"], vec!["bad", "bad"], vec!["good"]];
/// let agreement = fleiss_kappa(&ratings);
/// assert_eq!((agreement.items_compared, agreement.items_with_one_rating), (2, 1));
/// assert_eq!(agreement.unanimous, Some(0.5));
/// ```
pub fn fleiss_kappa<L: Ord, R: AsRef<[L]>>(items: &[R]) -> FleissKappa {
    let mut sums = Sums::default();
    let mut shares: BTreeMap<&L, f64> = BTreeMap::new();
    for item in items {
        let ratings = item.as_ref();
        let counts = counts(ratings);
        sums.take(ratings.len() as u64, counts.values().copied());
        for (label, count) in counts {
            *shares.entry(label).or_default() += count as f64 / ratings.len() as f64;
        }
    }
    let rated = (sums.compared + sums.single) as f64;
    let compared = sums.compared as f64;
    let observed = sums.agreement / compared;
    let chance: f64 = shares.values().map(|share| (share / rated).powi(2)).sum();
    let one_label = shares.len() <= 1;
    FleissKappa {
        items: items.len() as u64,
        ratings: sums.ratings,
        items_compared: sums.compared,
        items_with_one_rating: sums.single,
        items_without_rating: items.len() as u64 - sums.compared - sums.single,
        labels: shares.len() as u64,
        // With one label chance is 1 but for rounding, and kappa has no value.
        kappa: finite((observed - chance) / (1.0 - chance)).filter(|_| !one_label),
        percent_agreement: finite(observed),
        unanimous: finite(sums.unanimous as f64 / compared),
        chance_agreement: (rated > 0.0).then_some(chance),
    }
}

/// How often each label was given.
fn counts<L: Ord>(ratings: &[L]) -> BTreeMap<&L, u64> {
    let mut counts = BTreeMap::new();
    for label in ratings {
        *counts.entry(label).or_default() += 1;
    }
    counts
}

/// What is summed over items.
#[derive(Default)]
struct Sums {
    ratings: u64,
    compared: u64,
    single: u64,
    unanimous: u64,
    agreement: f64,
}

impl Sums {
    /// Takes an item by the number of its ratings and the counts of its labels.
    fn take(&mut self, ratings: u64, counts: impl Iterator<Item = u64>) {
        self.ratings += ratings;
        match ratings {
            0 => {}
            1 => self.single += 1,
            _ => {
                let pairs = |count: u64| count as f64 * (count as f64 - 1.0);
                let equal: f64 = counts.map(pairs).sum();
                self.compared += 1;
                self.unanimous += u64::from(equal == pairs(ratings));
                self.agreement += equal / pairs(ratings);
            }
        }
    }
}
