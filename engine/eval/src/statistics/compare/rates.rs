//! Rates of two groups that are not paired: Newcombe's interval, Fisher's exact test.

use serde::{Deserialize, Serialize};

use super::super::advice::{Advice, PowerGoal, advise_group_rates};
use super::super::error::StatisticsError;
use super::super::interval::{Interval, IntervalMethod};
use super::super::proportion::{check_passed, wilson_of};
use super::super::settings::StatisticsSettings;
use super::numbers::PValueMethod;

/// Tables whose probability is this much above the observed one's still count as equally rare: rounding must not break
/// ties.
const TIE: f64 = 1e-9;

/// How two groups differ in their rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRates {
    /// Items of a.
    pub count_a: u64,
    /// Items of b.
    pub count_b: u64,
    /// Items of a that passed.
    pub passed_a: u64,
    /// Items of b that passed.
    pub passed_b: u64,
    /// Rate of a.
    pub rate_a: Option<f64>,
    /// Rate of b.
    pub rate_b: Option<f64>,
    /// Rate of b minus rate of a.
    pub difference: Option<f64>,
    /// Newcombe's interval of the difference; `None` when a group is empty.
    pub interval: Option<Interval>,
    /// Two-sided p-value of Fisher's exact test; `None` when a group is empty.
    pub p_value: Option<f64>,
    /// How the p-value was calculated.
    pub p_method: Option<PValueMethod>,
    /// How many items a group it takes to see this difference.
    pub advice: Advice,
}

/// Compares the rates of two groups, each given as (passed, count). The difference is b minus a.
///
/// # Errors
/// When more passed than there are, or a setting is out of range.
///
/// ```
/// use tracehouse_eval::statistics::{StatisticsSettings, compare_group_rates};
///
/// let compared = compare_group_rates((56, 70), (48, 80), &StatisticsSettings::default())?;
/// let interval = compared.interval.unwrap();
/// assert!((interval.low - -0.3339).abs() < 1e-4 && (interval.high - -0.0524).abs() < 1e-4);
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn compare_group_rates(
    a: (u64, u64),
    b: (u64, u64),
    settings: &StatisticsSettings,
) -> Result<GroupRates, StatisticsError> {
    settings.check()?;
    check_passed(a.0, a.1)?;
    check_passed(b.0, b.1)?;
    let rate = |group: (u64, u64)| (group.1 > 0).then(|| group.0 as f64 / group.1 as f64);
    let rates = rate(a).zip(rate(b));
    let p_value = rates.map(|_| fisher(a, b));
    Ok(GroupRates {
        count_a: a.1,
        count_b: b.1,
        passed_a: a.0,
        passed_b: b.0,
        rate_a: rate(a),
        rate_b: rate(b),
        difference: rates.map(|(a, b)| b - a),
        interval: newcombe(a, b, settings.confidence),
        p_value,
        p_method: p_value.map(|_| PValueMethod::FisherExact),
        advice: advise_group_rates(a.1.min(b.1), rates, PowerGoal::default())?,
    })
}

/// Newcombe's interval (1998, method 10): the ends of both Wilson intervals, put together as sides of a right angle.
fn newcombe(a: (u64, u64), b: (u64, u64), confidence: f64) -> Option<Interval> {
    let (low_a, high_a) = wilson_of(a.0, a.1, confidence)?;
    let (low_b, high_b) = wilson_of(b.0, b.1, confidence)?;
    let rate_a = a.0 as f64 / a.1 as f64;
    let rate_b = b.0 as f64 / b.1 as f64;
    let difference = rate_b - rate_a;
    let low = difference - (rate_b - low_b).hypot(high_a - rate_a);
    let high = difference + (high_b - rate_b).hypot(rate_a - low_a);
    Interval::new(low, high, confidence, IntervalMethod::Newcombe)
}

/// Fisher's exact test, two-sided: the probability of all tables with these margins that are at most as probable as the
/// observed one.
fn fisher(a: (u64, u64), b: (u64, u64)) -> f64 {
    let margins = Margins {
        group: a.1 as f64,
        other: b.1 as f64,
        passed: a.0 as f64 + b.0 as f64,
    };
    let mut tables = margins.tables();
    let observed = a.0 as f64;
    let limit = tables
        .iter()
        .find(|table| table.0 == observed)
        .map_or(0.0, |table| table.1 * (1.0 + TIE));
    // The smallest first, so that none is lost in the sum.
    tables.sort_unstable_by(|one, other| one.1.total_cmp(&other.1));
    let weights = tables.iter().map(|table| table.1);
    let all: f64 = weights.clone().sum();
    let rare: f64 = weights.take_while(|weight| *weight <= limit).sum();
    (rare / all).min(1.0)
}

/// The sums of a table of two groups by pass and fail.
struct Margins {
    group: f64,
    other: f64,
    passed: f64,
}

impl Margins {
    /// Every table: the passes of the first group, and its probability relative to the most probable table, so that
    /// nothing overflows.
    fn tables(&self) -> Vec<(f64, f64)> {
        let least = (self.passed - self.other).max(0.0);
        let most = self.passed.min(self.group);
        let mode = (self.group + 1.0) * (self.passed + 1.0) / (self.group + self.other + 2.0);
        let mode = mode.floor().clamp(least, most);
        let mut tables = vec![(mode, 1.0)];
        let (mut x, mut weight) = (mode, 1.0);
        while x < most {
            weight *= self.step_up(x);
            x += 1.0;
            tables.push((x, weight));
        }
        let (mut x, mut weight) = (mode, 1.0);
        while x > least {
            x -= 1.0;
            weight /= self.step_up(x);
            tables.push((x, weight));
        }
        tables
    }

    /// How much more probable `x + 1` passes in the first group are than `x`.
    fn step_up(&self, x: f64) -> f64 {
        (self.group - x) * (self.passed - x) / ((x + 1.0) * (self.other - self.passed + x + 1.0))
    }
}
