//! Mean, spread and quantiles of numbers.
//!
//! **Invariants**
//! 1. Every function refuses NaN and infinity by position before it calculates.
//! 2. A mean lies between the smallest and the largest value, a quantile between its two neighbours.

use super::error::StatisticsError;

/// The mean, `None` of no values. Sums are compensated, so that a million values lose no digits.
///
/// # Errors
/// When a value is NaN or infinite.
pub fn mean(values: &[f64]) -> Result<Option<f64>, StatisticsError> {
    check_finite("values", values)?;
    Ok(mean_of(values))
}

/// The standard deviation of a sample (divided by `count - 1`), `None` of fewer than two values or when it is out of
/// an `f64`'s range.
///
/// # Errors
/// When a value is NaN or infinite.
pub fn standard_deviation(values: &[f64]) -> Result<Option<f64>, StatisticsError> {
    check_finite("values", values)?;
    Ok(standard_deviation_of(values))
}

/// The quantile of a share from 0 to 1, `None` of no values. Between two neighbours it is interpolated linearly: the
/// position is `share * (count - 1)`, numpy's default rule (type 7 of Hyndman and Fan).
///
/// # Errors
/// When a value is NaN or infinite, or the share is not from 0 to 1.
pub fn quantile(values: &[f64], share: f64) -> Result<Option<f64>, StatisticsError> {
    check_finite("values", values)?;
    check_quantile(share)?;
    Ok(quantile_of_sorted(&sorted(values), share))
}

/// Refuses a share of a quantile that is not from 0 to 1.
pub(super) fn check_quantile(share: f64) -> Result<(), StatisticsError> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    Err(StatisticsError::Setting {
        name: "quantile",
        given: share,
        expected: "from 0 to 1",
    })
}

/// Refuses NaN and infinity.
pub(super) fn check_finite(list: &'static str, values: &[f64]) -> Result<(), StatisticsError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(StatisticsError::NotFinite { list, index }),
        None => Ok(()),
    }
}

/// `None` for NaN and infinity, which must not leave the module.
pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The mean of finite values.
pub(super) fn mean_of(values: &[f64]) -> Option<f64> {
    let (low, high) = range_of(values)?;
    let count = values.len() as f64;
    let sum = compensated_sum(values.iter().copied());
    let mean = if sum.is_finite() {
        sum / count
    } else {
        // The sum is out of range, the mean is not.
        values.iter().map(|value| value / count).sum()
    };
    Some(mean.clamp(low, high))
}

/// The sample standard deviation of finite values.
pub(super) fn standard_deviation_of(values: &[f64]) -> Option<f64> {
    let mean = mean_of(values)?;
    if values.len() < 2 {
        return None;
    }
    let squares = compensated_sum(values.iter().map(|value| (value - mean).powi(2)));
    finite((squares / (values.len() as f64 - 1.0)).sqrt())
}

/// The smallest and the largest value.
pub(super) fn range_of(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    Some((low, high))
}

/// The values in order of size.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The quantile of sorted finite values.
pub(super) fn quantile_of_sorted(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share * last as f64;
    let below = (position.floor() as usize).min(last);
    let low = *sorted.get(below)?;
    let high = *sorted.get(below + 1).unwrap_or(&low);
    Some(between(low, high, position - below as f64))
}

/// The point at a share of the way from `low` to `high`; weights instead of a difference, which could overflow.
pub(super) fn between(low: f64, high: f64, share: f64) -> f64 {
    (low * (1.0 - share) + high * share).clamp(low, high)
}

/// A sum that carries its rounding errors along (Neumaier 1974).
fn compensated_sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = 0.0_f64;
    let mut lost = 0.0_f64;
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}
