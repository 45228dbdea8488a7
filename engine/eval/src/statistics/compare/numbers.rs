//! Numbers of two runs, paired by position.
//!
//! The p-value answers: were the two runs the same, how often would chance make a difference of the means as large, in
//! either direction?
//!
//! 1. Up to 12 pairs: every one of the 2^pairs ways to swap a and b within pairs is counted; p is the share with a
//!    difference at least as large (exact sign-flip test). A bootstrap of so few pairs would promise too much.
//! 2. Up to [`StatisticsSettings::bootstrap_count_max`] pairs: pairs are resampled and the p-value is read off the same resamples as
//!    the interval: twice the smaller of the shares of resampled differences `<= 0` and `>= 0`, each with one added above
//!    and below so that it is never 0: `min(1, 2 (1 + least) / (1 + resamples))`. It is below 5 % just when the 95 %
//!    interval leaves 0 out, but for ties and the added one.
//! 3. More pairs: the paired t test.

use serde::{Deserialize, Serialize};

use super::super::advice::{Advice, PowerGoal, advise_paired_numbers};
use super::super::bootstrap::resampled_means;
use super::super::error::StatisticsError;
use super::super::interval::{Interval, student_interval};
use super::super::random::SplitMix64;
use super::super::sample::{check_finite, mean_of, standard_deviation_of};
use super::super::settings::StatisticsSettings;
use super::super::special::student_two_sided;

/// Up to this many pairs all swaps are counted: 4,096 of them, and beyond it the bootstrap's p-value is sound.
const SIGN_FLIP_PAIRS_MAX: usize = 12;

/// Sums that differ by less than this share of all differences count as equal: rounding must not break ties.
const TIE: f64 = 1e-12;

/// How two runs differ in their numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberComparison {
    /// Pairs compared.
    pub pairs: u64,
    /// Mean of a over the pairs.
    pub mean_a: Option<f64>,
    /// Mean of b over the pairs.
    pub mean_b: Option<f64>,
    /// Mean of b minus a.
    pub difference: Option<f64>,
    /// Sample standard deviation of the differences; `None` of one pair.
    pub standard_deviation: Option<f64>,
    /// Interval of the difference: bootstrap of pairs, or Student's t for many; `None` of one pair.
    pub interval: Option<Interval>,
    /// Two-sided p-value of no difference; `None` of fewer than two pairs.
    pub p_value: Option<f64>,
    /// How the p-value was calculated.
    pub p_method: Option<PValueMethod>,
    /// Pairs in which b is larger.
    pub rose: u64,
    /// Pairs in which b is smaller.
    pub fell: u64,
    /// Pairs in which both are equal.
    pub equal: u64,
    /// How many pairs it takes to see this difference.
    pub advice: Advice,
}

/// How a p-value was calculated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PValueMethod {
    /// Every swap of a and b within pairs was counted.
    ExactSignFlip,
    /// Twice the smaller share of resampled differences on either side of 0.
    BootstrapPercentile,
    /// The paired t test.
    PairedT,
    /// The exact binomial form of McNemar's test.
    McnemarExact,
    /// Welch's t test.
    WelchT,
    /// Fisher's exact test.
    FisherExact,
}

/// Compares the numbers of two runs; `a` and `b` hold the same items in the same order. The difference is b minus a.
///
/// # Errors
/// When the lengths differ, a value is NaN or infinite, a difference overflows, or a setting is out of range.
///
/// ```
/// use tracehouse_eval::statistics::{StatisticsSettings, compare_numbers};
///
/// let a = [0.5, 0.6, 0.4, 0.7, 0.5, 0.6];
/// let b = [0.7, 0.8, 0.4, 0.9, 0.8, 0.7];
/// let compared = compare_numbers(&a, &b, &StatisticsSettings::default())?;
/// assert_eq!((compared.rose, compared.equal), (5, 1));
/// assert_eq!(compared.p_value, Some(0.0625));
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn compare_numbers(
    a: &[f64],
    b: &[f64],
    settings: &StatisticsSettings,
) -> Result<NumberComparison, StatisticsError> {
    settings.check()?;
    let differences = differences(a, b)?;
    let difference = mean_of(&differences);
    let standard_deviation = standard_deviation_of(&differences);
    let inference = Inference::of(&differences, settings);
    Ok(NumberComparison {
        pairs: differences.len() as u64,
        mean_a: mean_of(a),
        mean_b: mean_of(b),
        difference,
        standard_deviation,
        interval: inference.interval,
        p_value: inference.p_value,
        p_method: inference.p_value.map(|_| inference.p_method),
        rose: count(&differences, |value| value > 0.0),
        fell: count(&differences, |value| value < 0.0),
        equal: count(&differences, |value| value == 0.0),
        advice: advise_paired_numbers(
            differences.len() as u64,
            difference,
            standard_deviation,
            PowerGoal::default(),
        )?,
    })
}

/// b minus a, item by item.
fn differences(a: &[f64], b: &[f64]) -> Result<Vec<f64>, StatisticsError> {
    if a.len() != b.len() {
        return Err(StatisticsError::LengthsDiffer {
            a: a.len(),
            b: b.len(),
        });
    }
    check_finite("a", a)?;
    check_finite("b", b)?;
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    match differences.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(StatisticsError::DifferenceOverflow { index }),
        None => Ok(differences),
    }
}

fn count(differences: &[f64], holds: impl Fn(f64) -> bool) -> u64 {
    differences.iter().filter(|value| holds(**value)).count() as u64
}

/// What the differences say of the true one.
struct Inference {
    interval: Option<Interval>,
    p_value: Option<f64>,
    p_method: PValueMethod,
}

impl Inference {
    fn of(differences: &[f64], settings: &StatisticsSettings) -> Self {
        if differences.len() > settings.bootstrap_count_max {
            return Self {
                interval: student_interval(differences, settings.confidence),
                p_value: paired_t(differences),
                p_method: PValueMethod::PairedT,
            };
        }
        if differences.len() < 2 {
            return Self {
                interval: None,
                p_value: None,
                p_method: PValueMethod::ExactSignFlip,
            };
        }
        let mut random = SplitMix64::new(settings.seed);
        let means = resampled_means(differences, settings.resamples, &mut random);
        let interval = Interval::of_resamples(&means, settings);
        let few = differences.len() <= SIGN_FLIP_PAIRS_MAX;
        Self {
            interval,
            p_value: if few {
                Some(sign_flip(differences))
            } else {
                interval.map(|_| bootstrap_p_value(&means))
            },
            p_method: if few {
                PValueMethod::ExactSignFlip
            } else {
                PValueMethod::BootstrapPercentile
            },
        }
    }
}

/// Twice the smaller share of resampled differences on either side of 0.
fn bootstrap_p_value(means: &[f64]) -> f64 {
    let below = means.iter().filter(|mean| **mean <= 0.0).count();
    let above = means.iter().filter(|mean| **mean >= 0.0).count();
    let least = below.min(above) as f64;
    (2.0 * (1.0 + least) / (1.0 + means.len() as f64)).min(1.0)
}

/// The share of all swaps within pairs whose sum is at least as far from 0.
fn sign_flip(differences: &[f64]) -> f64 {
    // Scaled by the largest, so that no sum overflows.
    let largest = differences
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    if largest == 0.0 {
        return 1.0;
    }
    let scaled: Vec<f64> = differences.iter().map(|value| value / largest).collect();
    let total: f64 = scaled.iter().map(|value| value.abs()).sum();
    let least = scaled.iter().sum::<f64>().abs() - TIE * total;
    let swaps = 1_u32 << scaled.len();
    let as_far = (0..swaps)
        .filter(|swap| swapped_sum(&scaled, *swap).abs() >= least)
        .count();
    as_far as f64 / f64::from(swaps)
}

/// The sum with the sign of each difference turned whose bit is set.
fn swapped_sum(differences: &[f64], swap: u32) -> f64 {
    differences
        .iter()
        .enumerate()
        .map(|(bit, value)| if swap >> bit & 1 == 1 { -value } else { *value })
        .sum()
}

/// The two-sided p-value of the paired t test. Differences that are all the same give 1 when they are 0, else 0.
fn paired_t(differences: &[f64]) -> Option<f64> {
    let mean = mean_of(differences)?;
    let deviation = standard_deviation_of(differences)?;
    if mean == 0.0 {
        return Some(1.0);
    }
    let count = differences.len() as f64;
    student_two_sided(mean / (deviation / count.sqrt()), count - 1.0)
}
