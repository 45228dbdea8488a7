//! Numbers of two groups that are not paired, as the traces of two versions: Welch's interval and test.

use serde::{Deserialize, Serialize};

use super::super::advice::{Advice, PowerGoal, advise_group_numbers};
use super::super::error::StatisticsError;
use super::super::interval::{Interval, IntervalMethod};
use super::super::sample::{check_finite, finite, mean_of, standard_deviation_of};
use super::super::settings::StatisticsSettings;
use super::super::special::{student_critical, student_two_sided};
use super::numbers::PValueMethod;

/// How two groups differ in their means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupNumbers {
    /// Values of a.
    pub count_a: u64,
    /// Values of b.
    pub count_b: u64,
    /// Mean of a.
    pub mean_a: Option<f64>,
    /// Mean of b.
    pub mean_b: Option<f64>,
    /// Sample standard deviation of a.
    pub standard_deviation_a: Option<f64>,
    /// Sample standard deviation of b.
    pub standard_deviation_b: Option<f64>,
    /// Mean of b minus mean of a.
    pub difference: Option<f64>,
    /// Welch's interval of the difference; `None` when a group has fewer than two values or neither has any spread.
    pub interval: Option<Interval>,
    /// Two-sided p-value of Welch's t test; `None` where the interval is.
    pub p_value: Option<f64>,
    /// How the p-value was calculated.
    pub p_method: Option<PValueMethod>,
    /// Degrees of freedom (Welch-Satterthwaite).
    pub degrees_of_freedom: Option<f64>,
    /// How many items a group it takes to see this difference.
    pub advice: Advice,
}

/// Compares the means of two groups of unequal variance. The difference is b minus a.
///
/// # Errors
/// When a value is NaN or infinite, or a setting is out of range.
///
/// ```
/// use tracehouse_eval::statistics::{StatisticsSettings, compare_group_numbers};
///
/// let before = [120.0, 135.0, 128.0, 140.0];
/// let after = [101.0, 99.0, 110.0, 104.0, 97.0];
/// let compared = compare_group_numbers(&before, &after, &StatisticsSettings::default())?;
/// assert!(compared.p_value.unwrap() < 0.01);
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn compare_group_numbers(
    a: &[f64],
    b: &[f64],
    settings: &StatisticsSettings,
) -> Result<GroupNumbers, StatisticsError> {
    settings.check()?;
    check_finite("a", a)?;
    check_finite("b", b)?;
    let (mean_a, mean_b) = (mean_of(a), mean_of(b));
    let difference = mean_a.zip(mean_b).and_then(|(a, b)| finite(b - a));
    let spreads = standard_deviation_of(a).zip(standard_deviation_of(b));
    let welch = difference
        .zip(spreads)
        .and_then(|(difference, (a_sd, b_sd))| {
            Welch::new(difference, (a_sd, a.len()), (b_sd, b.len()))
        });
    let p_value = welch.as_ref().and_then(Welch::p_value);
    Ok(GroupNumbers {
        count_a: a.len() as u64,
        count_b: b.len() as u64,
        mean_a,
        mean_b,
        standard_deviation_a: standard_deviation_of(a),
        standard_deviation_b: standard_deviation_of(b),
        difference,
        interval: welch
            .as_ref()
            .and_then(|welch| welch.interval(settings.confidence)),
        p_value,
        p_method: p_value.map(|_| PValueMethod::WelchT),
        degrees_of_freedom: welch.map(|welch| welch.degrees),
        advice: advise_group_numbers(
            (a.len() as u64).min(b.len() as u64),
            difference,
            spreads,
            PowerGoal::default(),
        )?,
    })
}

/// A difference, its standard error and its degrees of freedom.
struct Welch {
    difference: f64,
    error: f64,
    degrees: f64,
}

impl Welch {
    /// From the standard deviation and the count of both groups; `None` when neither has any spread.
    fn new(difference: f64, a: (f64, usize), b: (f64, usize)) -> Option<Self> {
        let error_a = a.0 / (a.1 as f64).sqrt();
        let error_b = b.0 / (b.1 as f64).sqrt();
        let error = error_a.hypot(error_b);
        if error == 0.0 {
            return None;
        }
        // Shares of the variance instead of the variances, whose squares could overflow.
        let share_a = (error_a / error).powi(4) / (a.1 as f64 - 1.0);
        let share_b = (error_b / error).powi(4) / (b.1 as f64 - 1.0);
        Some(Self {
            difference,
            error: finite(error)?,
            degrees: finite(1.0 / (share_a + share_b))?,
        })
    }

    fn p_value(&self) -> Option<f64> {
        student_two_sided(self.difference / self.error, self.degrees)
    }

    fn interval(&self, confidence: f64) -> Option<Interval> {
        let reach = student_critical(1.0 - confidence, self.degrees)? * self.error;
        Interval::new(
            self.difference - reach,
            self.difference + reach,
            confidence,
            IntervalMethod::Welch,
        )
    }
}
