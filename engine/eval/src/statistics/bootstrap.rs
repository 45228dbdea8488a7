//! Resampling: bootstrapped means and quantiles.
//!
//! A resample draws as many values as there are, with replacement. The percentile interval takes the quantiles
//! `(1 - confidence) / 2` and `1 - (1 - confidence) / 2` of the resampled statistics (linear rule).
//!
//! The quantile of a resample needs no resample: its k-th value is the value at position `floor(count * U)` of the
//! sorted ones, where U is the k-th of `count` uniform numbers and so beta-distributed with shapes `k` and
//! `count - k + 1`. Two draws give what `count` draws would, in exactly the same distribution, for any count.
//!
//! **Invariants**
//! 1. Draws come in a fixed order: resample by resample, position by position.

use super::random::SplitMix64;
use super::sample::{between, quantile_of_sorted, sorted};

/// The means of `resamples` resamples, in the order drawn.
pub(super) fn resampled_means(values: &[f64], resamples: u32, random: &mut SplitMix64) -> Vec<f64> {
    let count = values.len();
    let mut means = Vec::with_capacity(resamples as usize);
    for _ in 0..resamples {
        let mut sum = 0.0;
        for _ in 0..count {
            // A drawn position is always below count, so the 0 is never taken.
            sum += values.get(random.index(count)).copied().unwrap_or(0.0);
        }
        means.push(sum / count as f64);
    }
    means
}

/// The percentile interval of resampled statistics; `None` when one of them is not finite.
pub(super) fn percentile_interval(statistics: &[f64], confidence: f64) -> Option<(f64, f64)> {
    if statistics.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let ordered = sorted(statistics);
    let tail = (1.0 - confidence) / 2.0;
    let low = quantile_of_sorted(&ordered, tail)?;
    let high = quantile_of_sorted(&ordered, 1.0 - tail)?;
    Some((low, high))
}

/// The quantile of one resample of sorted values, drawn by the distribution of its order.
pub(super) fn resampled_quantile(
    sorted: &[f64],
    share: f64,
    random: &mut SplitMix64,
) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share * last as f64;
    let below = (position.floor() as usize).min(last);
    let count = sorted.len() as f64;
    let above_count = last - below;
    let first = random.beta(below as f64 + 1.0, above_count as f64 + 1.0);
    let low = value_at(sorted, first)?;
    if above_count == 0 {
        return Some(low);
    }
    // The next in order is the least of the others, uniform between the first and 1.
    let gap = 1.0 - random.unit().powf(1.0 / above_count as f64);
    let high = value_at(sorted, first + (1.0 - first) * gap)?;
    debug_assert!(low <= high && count > 0.0);
    Some(between(low, high, position - below as f64))
}

/// The value at a share of the way through sorted values.
fn value_at(sorted: &[f64], share: f64) -> Option<f64> {
    let position = (share * sorted.len() as f64) as usize;
    sorted.get(position.min(sorted.len() - 1)).copied()
}
