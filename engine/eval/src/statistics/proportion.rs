//! Intervals of a rate: exact (Clopper-Pearson) and score (Wilson).

use super::error::StatisticsError;
use super::interval::{Interval, IntervalMethod};
use super::settings::check_share;
use super::special::{beta_inverse, normal_critical};

/// The exact binomial interval of the rate `passed / count` (Clopper and Pearson 1934): never holds the true rate less
/// often than it says. `None` when `count` is 0.
///
/// # Errors
/// When more passed than there are, or the confidence is not between 0 and 1.
///
/// ```
/// use tracehouse_eval::statistics::clopper_pearson;
///
/// let interval = clopper_pearson(8, 10, 0.95)?.unwrap();
/// assert!((interval.low - 0.4439045376923585).abs() < 1e-9);
/// assert!((interval.high - 0.9747892736731666).abs() < 1e-9);
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn clopper_pearson(
    passed: u64,
    count: u64,
    confidence: f64,
) -> Result<Option<Interval>, StatisticsError> {
    check_share("confidence", confidence)?;
    check_passed(passed, count)?;
    if count == 0 {
        return Ok(None);
    }
    let tail = (1.0 - confidence) / 2.0;
    let failed = count - passed;
    // The rate at which as many or more pass with probability `tail`, and the one at which as many or fewer do.
    let low = match passed {
        0 => Some(0.0),
        _ => beta_inverse(passed as f64, failed as f64 + 1.0, tail),
    };
    let high = match failed {
        0 => Some(1.0),
        _ => beta_inverse(passed as f64 + 1.0, failed as f64, 1.0 - tail),
    };
    Ok(low.zip(high).and_then(|(low, high)| {
        Interval::new(low, high, confidence, IntervalMethod::ClopperPearson)
    }))
}

/// The score interval of the rate `passed / count` (Wilson 1927): narrower than the exact one, right on the average.
/// `None` when `count` is 0.
///
/// # Errors
/// When more passed than there are, or the confidence is not between 0 and 1.
pub fn wilson(
    passed: u64,
    count: u64,
    confidence: f64,
) -> Result<Option<Interval>, StatisticsError> {
    check_share("confidence", confidence)?;
    check_passed(passed, count)?;
    Ok(wilson_of(passed, count, confidence)
        .and_then(|(low, high)| Interval::new(low, high, confidence, IntervalMethod::Wilson)))
}

/// The ends of the Wilson interval; `None` when `count` is 0.
pub(super) fn wilson_of(passed: u64, count: u64, confidence: f64) -> Option<(f64, f64)> {
    if count == 0 {
        return None;
    }
    let n = count as f64;
    let rate = passed as f64 / n;
    let z = normal_critical((1.0 - confidence) / 2.0);
    let shrink = 1.0 + z * z / n;
    let middle = (rate + z * z / (2.0 * n)) / shrink;
    let reach = z / shrink * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends the formula gives exactly 0 and 1 but for rounding.
    let low = if passed == 0 { 0.0 } else { middle - reach };
    let high = if passed == count { 1.0 } else { middle + reach };
    Some((low.max(0.0), high.min(1.0)))
}

/// Refuses more passed than there are.
pub(super) fn check_passed(passed: u64, count: u64) -> Result<(), StatisticsError> {
    if passed > count {
        return Err(StatisticsError::PassedOverCount { passed, count });
    }
    Ok(())
}
