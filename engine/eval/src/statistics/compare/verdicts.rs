//! Passes and fails of two runs, paired by position: McNemar's exact test, Newcombe's interval.

use serde::{Deserialize, Serialize};

use super::super::advice::{Advice, PowerGoal, advise_paired_verdicts};
use super::super::error::StatisticsError;
use super::super::interval::{Interval, IntervalMethod};
use super::super::proportion::wilson_of;
use super::super::settings::StatisticsSettings;
use super::super::special::beta_regularized;
use super::numbers::PValueMethod;

/// Up to this many differing pairs the p-value is counted in whole numbers that a u64 and an f64 hold, so that few pairs
/// give 0.0625 and not 0.06250000000000006.
const COUNTED_COINS_MAX: u64 = 50;

/// How two runs differ in their verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictComparison {
    /// Pairs compared.
    pub pairs: u64,
    /// Items that pass in both.
    pub both: u64,
    /// Items that pass in neither.
    pub neither: u64,
    /// Items that pass in a and fail in b.
    pub only_a: u64,
    /// Items that fail in a and pass in b.
    pub only_b: u64,
    /// Rate of a over the pairs.
    pub rate_a: Option<f64>,
    /// Rate of b over the pairs.
    pub rate_b: Option<f64>,
    /// Rate of b minus rate of a.
    pub difference: Option<f64>,
    /// Interval of the difference (Newcombe's for paired data).
    pub interval: Option<Interval>,
    /// Two-sided p-value of no difference: McNemar's exact test. 1 when no pair differs, `None` of no pairs.
    pub p_value: Option<f64>,
    /// How the p-value was calculated.
    pub p_method: Option<PValueMethod>,
    /// How many pairs it takes to see this difference.
    pub advice: Advice,
}

/// Compares the verdicts of two runs; `a` and `b` hold the same items in the same order. The difference is b minus a.
///
/// # Errors
/// When the lengths differ or a setting is out of range.
///
/// ```
/// use tracehouse_eval::statistics::{StatisticsSettings, compare_verdicts};
///
/// let a = [true, true, false, false, true, true, false, true];
/// let b = [true, true, true, true, true, true, false, false];
/// let compared = compare_verdicts(&a, &b, &StatisticsSettings::default())?;
/// assert_eq!((compared.only_a, compared.only_b), (1, 2));
/// assert_eq!(compared.p_value, Some(1.0));
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn compare_verdicts(
    a: &[bool],
    b: &[bool],
    settings: &StatisticsSettings,
) -> Result<VerdictComparison, StatisticsError> {
    settings.check()?;
    if a.len() != b.len() {
        return Err(StatisticsError::LengthsDiffer {
            a: a.len(),
            b: b.len(),
        });
    }
    let count = |first, second| {
        let same = |pair: &(&bool, &bool)| (*pair.0, *pair.1) == (first, second);
        a.iter().zip(b).filter(same).count() as u64
    };
    Table {
        both: count(true, true),
        neither: count(false, false),
        only_a: count(true, false),
        only_b: count(false, true),
    }
    .comparison(settings.confidence)
}

/// The two-sided p-value of McNemar's exact test: twice the binomial probability (of 1/2 each) of the smaller of the two
/// counts of differing pairs or fewer, 1 at most. `None` only if it cannot be calculated to full precision (counts
/// beyond 10^10).
pub fn mcnemar_exact(only_a: u64, only_b: u64) -> Option<f64> {
    if only_a == only_b {
        return Some(1.0);
    }
    let (least, most) = (only_a.min(only_b), only_a.max(only_b));
    let tail = match least.checked_add(most) {
        Some(coins) if coins <= COUNTED_COINS_MAX => counted_tail(coins, least),
        // P(X <= least) of least + most coins is I_1/2(most, least + 1).
        _ => beta_regularized(most as f64, least as f64 + 1.0, 0.5, 0.5)?,
    };
    Some((2.0 * tail).min(1.0))
}

/// The probability of `least` heads or fewer, counted in whole numbers.
fn counted_tail(coins: u64, least: u64) -> f64 {
    let mut ways = 1;
    let mut sum = 1;
    for heads in 0..least {
        ways = ways * (coins - heads) / (heads + 1);
        sum += ways;
    }
    sum as f64 / (1_u64 << coins) as f64
}

/// Pairs by their two verdicts.
struct Table {
    both: u64,
    neither: u64,
    only_a: u64,
    only_b: u64,
}

impl Table {
    fn comparison(&self, confidence: f64) -> Result<VerdictComparison, StatisticsError> {
        let pairs = self.both + self.neither + self.only_a + self.only_b;
        let share = |passed: u64| (pairs > 0).then(|| passed as f64 / pairs as f64);
        let p_value = (pairs > 0)
            .then(|| mcnemar_exact(self.only_a, self.only_b))
            .flatten();
        let change = self.only_b as f64 - self.only_a as f64;
        Ok(VerdictComparison {
            pairs,
            both: self.both,
            neither: self.neither,
            only_a: self.only_a,
            only_b: self.only_b,
            rate_a: share(self.both + self.only_a),
            rate_b: share(self.both + self.only_b),
            difference: (pairs > 0).then(|| change / pairs as f64),
            interval: self.interval(pairs, confidence),
            p_value,
            p_method: p_value.map(|_| PValueMethod::McnemarExact),
            advice: advise_paired_verdicts(pairs, self.only_a, self.only_b, PowerGoal::default())?,
        })
    }

    /// Newcombe's interval (1998, method 10): the ends of both Wilson intervals, put together like the sides of a
    /// triangle whose angle is the correlation of the two verdicts.
    fn interval(&self, pairs: u64, confidence: f64) -> Option<Interval> {
        let n = pairs as f64;
        let passed_a = self.both + self.only_a;
        let passed_b = self.both + self.only_b;
        let (low_a, high_a) = wilson_of(passed_a, pairs, confidence)?;
        let (low_b, high_b) = wilson_of(passed_b, pairs, confidence)?;
        let (rate_a, rate_b) = (passed_a as f64 / n, passed_b as f64 / n);
        let difference = (self.only_b as f64 - self.only_a as f64) / n;
        let phi = self.correlation(passed_a as f64, passed_b as f64, n);
        let side = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
        let low = difference - side(rate_b - low_b, high_a - rate_a);
        let high = difference + side(high_b - rate_b, rate_a - low_a);
        let method = IntervalMethod::NewcombePaired;
        Interval::new(low.max(-1.0), high.min(1.0), confidence, method)
    }

    /// The correlation of the two verdicts, with Newcombe's correction for continuity; 0 when a rate is 0 or 1.
    fn correlation(&self, passed_a: f64, passed_b: f64, n: f64) -> f64 {
        let spread = passed_a * (n - passed_a) * passed_b * (n - passed_b);
        if spread == 0.0 {
            return 0.0;
        }
        let raw = self.both as f64 * self.neither as f64 - self.only_a as f64 * self.only_b as f64;
        let corrected = if raw > 0.0 {
            (raw - n / 2.0).max(0.0)
        } else {
            raw
        };
        corrected / spread.sqrt()
    }
}
