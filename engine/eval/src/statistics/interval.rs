//! An interval and how it was made; the interval of a mean.

use serde::{Deserialize, Serialize};

use super::bootstrap::{percentile_interval, resampled_means};
use super::error::StatisticsError;
use super::random::SplitMix64;
use super::sample::{check_finite, finite, mean_of, standard_deviation_of};
use super::settings::StatisticsSettings;
use super::special::student_critical;

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Its confidence: 0.95 for a 95 % interval.
    pub confidence: f64,
    /// How it was made.
    pub method: IntervalMethod,
    /// Resamples drawn, for the methods that draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resamples: Option<u32>,
}

/// How an [`Interval`] was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IntervalMethod {
    /// Quantiles of resampled statistics (seeded bootstrap, percentile method).
    BootstrapPercentile,
    /// Student's t over the standard error of the mean: for means of many values.
    StudentT,
    /// Exact binomial interval of a rate (Clopper and Pearson 1934).
    ClopperPearson,
    /// Score interval of a rate (Wilson 1927).
    Wilson,
    /// Difference of means of two groups of unequal variance (Welch 1947).
    Welch,
    /// Difference of the rates of two groups, from their Wilson intervals (Newcombe 1998, method 10 for independent
    /// groups).
    Newcombe,
    /// Difference of the rates of two paired runs, from their Wilson intervals and their correlation (Newcombe 1998,
    /// method 10 for paired data).
    NewcombePaired,
}

impl Interval {
    /// An interval without resampling; `None` when an end is not finite.
    pub(super) fn new(
        low: f64,
        high: f64,
        confidence: f64,
        method: IntervalMethod,
    ) -> Option<Self> {
        Some(Self {
            low: finite(low)?,
            high: finite(high)?,
            confidence,
            method,
            resamples: None,
        })
    }

    /// The percentile interval of resampled statistics; `None` when one of them is not finite.
    pub(super) fn of_resamples(statistics: &[f64], settings: &StatisticsSettings) -> Option<Self> {
        let (low, high) = percentile_interval(statistics, settings.confidence)?;
        Some(Self {
            resamples: Some(settings.resamples),
            ..Self::new(
                low,
                high,
                settings.confidence,
                IntervalMethod::BootstrapPercentile,
            )?
        })
    }
}

/// The interval of a mean: by seeded bootstrap (percentile method) up to [`StatisticsSettings::bootstrap_count_max`] values, by
/// Student's t for more; [`Interval::method`] says which. `None` of fewer than two values. Of fewer than about 20 values
/// the bootstrap's interval is somewhat narrow.
///
/// # Errors
/// When a value is NaN or infinite, or a setting is out of range.
///
/// ```
/// use tracehouse_eval::statistics::{StatisticsSettings, mean_interval};
///
/// let interval = mean_interval(&[0.2, 0.9, 0.4, 0.7, 0.8], &StatisticsSettings::default())?.unwrap();
/// assert!(interval.low < 0.6 && 0.6 < interval.high);
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn mean_interval(
    values: &[f64],
    settings: &StatisticsSettings,
) -> Result<Option<Interval>, StatisticsError> {
    settings.check()?;
    check_finite("values", values)?;
    Ok(mean_interval_of(values, settings))
}

/// The interval of the mean of finite values.
pub(super) fn mean_interval_of(values: &[f64], settings: &StatisticsSettings) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    if values.len() > settings.bootstrap_count_max {
        return student_interval(values, settings.confidence);
    }
    let mut random = SplitMix64::new(settings.seed);
    let means = resampled_means(values, settings.resamples, &mut random);
    Interval::of_resamples(&means, settings)
}

/// Student's interval of a mean.
pub(super) fn student_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let mean = mean_of(values)?;
    let count = values.len() as f64;
    let error = standard_deviation_of(values)? / count.sqrt();
    let reach = student_critical(1.0 - confidence, count - 1.0)? * error;
    Interval::new(
        mean - reach,
        mean + reach,
        confidence,
        IntervalMethod::StudentT,
    )
}
