//! Quantiles of two groups that are not paired, as the p95 of the latency of two versions: by bootstrap.

use serde::{Deserialize, Serialize};

use super::super::bootstrap::resampled_quantile;
use super::super::error::StatisticsError;
use super::super::interval::Interval;
use super::super::random::SplitMix64;
use super::super::sample::{check_finite, check_quantile, finite, quantile_of_sorted, sorted};
use super::super::settings::StatisticsSettings;

/// How two groups differ in a quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupQuantiles {
    /// The quantile: 0.5 for the median.
    pub quantile: f64,
    /// Values of a.
    pub count_a: u64,
    /// Values of b.
    pub count_b: u64,
    /// The quantile of a (linear rule).
    pub value_a: Option<f64>,
    /// The quantile of b (linear rule).
    pub value_b: Option<f64>,
    /// The quantile of b minus that of a.
    pub difference: Option<f64>,
    /// Bootstrap interval of the difference; `None` when a group has fewer than two values.
    pub difference_interval: Option<Interval>,
    /// The quantile of b over that of a; `None` unless every value of both groups is above 0.
    pub ratio: Option<f64>,
    /// Bootstrap interval of the ratio; `None` where the ratio or the interval of the difference is.
    pub ratio_interval: Option<Interval>,
}

/// Compares a quantile of two groups: difference (b minus a) and ratio (b over a), with percentile intervals of a
/// bootstrap that resamples each group. Cheap for any number of values (beyond sorting them), by drawing the quantile of
/// a resample from its distribution.
///
/// # Errors
/// When a value is NaN or infinite, the quantile is not from 0 to 1, or a setting is out of range.
///
/// ```
/// use tracehouse_eval::statistics::{StatisticsSettings, compare_group_quantile};
///
/// let a: Vec<f64> = (1..=200).map(f64::from).collect();
/// let b: Vec<f64> = a.iter().map(|value| value * 2.0).collect();
/// let median = compare_group_quantile(&a, &b, 0.5, &StatisticsSettings::default())?;
/// assert_eq!(median.ratio, Some(2.0));
/// assert!(median.ratio_interval.unwrap().low > 1.5);
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn compare_group_quantile(
    a: &[f64],
    b: &[f64],
    quantile: f64,
    settings: &StatisticsSettings,
) -> Result<GroupQuantiles, StatisticsError> {
    settings.check()?;
    check_quantile(quantile)?;
    check_finite("a", a)?;
    check_finite("b", b)?;
    let (a, b) = (sorted(a), sorted(b));
    let value_a = quantile_of_sorted(&a, quantile);
    let value_b = quantile_of_sorted(&b, quantile);
    let values = value_a.zip(value_b);
    let positive =
        a.first().is_some_and(|least| *least > 0.0) && b.first().is_some_and(|least| *least > 0.0);
    let resamples = if a.len() > 1 && b.len() > 1 {
        resample(&a, &b, quantile, settings)
    } else {
        Vec::new()
    };
    let interval = |statistic: fn(f64, f64) -> f64| {
        let statistics: Vec<f64> = resamples.iter().map(|(a, b)| statistic(*a, *b)).collect();
        Interval::of_resamples(&statistics, settings)
    };
    Ok(GroupQuantiles {
        quantile,
        count_a: a.len() as u64,
        count_b: b.len() as u64,
        value_a,
        value_b,
        difference: values.and_then(|(a, b)| finite(b - a)),
        difference_interval: interval(|a, b| b - a),
        ratio: values.filter(|_| positive).and_then(|(a, b)| finite(b / a)),
        ratio_interval: positive.then(|| interval(|a, b| b / a)).flatten(),
    })
}

/// The quantiles of resamples of both groups.
fn resample(a: &[f64], b: &[f64], quantile: f64, settings: &StatisticsSettings) -> Vec<(f64, f64)> {
    let mut random = SplitMix64::new(settings.seed);
    (0..settings.resamples)
        .filter_map(|_| {
            let first = resampled_quantile(a, quantile, &mut random);
            let second = resampled_quantile(b, quantile, &mut random);
            first.zip(second)
        })
        .collect()
}
