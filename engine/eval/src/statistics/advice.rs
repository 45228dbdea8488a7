//! How many items it takes to see a difference: sample sizes by named formulas, in numbers and as a sentence.
//!
//! The observed difference and spread are taken for the true ones; that is a guide for the next run, not a proof about this
//! one. With `z` the normal quantiles of significance and power:
//!
//! | comparison | items | formula |
//! |---|---|---|
//! | paired numbers | `(z / d)^2 + z_s^2 / 2`, d = mean difference / its deviation | Guenther 1981, paired t |
//! | paired verdicts | `((z_s √p + z_p √(p - δ²)) / δ)^2`, p = differing share | Connor 1987, McNemar |
//! | group numbers | `(z / δ)^2 (σa² + σb²) + z_s² / 4` a group | Guenther 1981, t |
//! | group rates | `((z_s √(2 m (1 - m)) + z_p √(Σ r (1 - r))) / δ)^2` a group, m = mean rate | Fleiss 1981 |
//!
//! **Invariants**
//! 1. `needed` is never less than 2, and `None` when no number follows.

use serde::{Deserialize, Serialize};

use super::error::StatisticsError;
use super::sample::check_finite;
use super::settings::check_share;
use super::special::normal_critical;

/// A number of items beyond this is given as none: no one scores so many.
const NEEDED_MAX: f64 = 1e15;

/// How sure a comparison should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PowerGoal {
    /// Probability of seeing a difference that is there: 0.8.
    pub power: f64,
    /// Probability of seeing one that is not there (two-sided): 0.05.
    pub significance: f64,
}

impl Default for PowerGoal {
    fn default() -> Self {
        Self {
            power: 0.8,
            significance: 0.05,
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdviceUnit {
    /// Items that both runs scored.
    Pairs,
    /// Items of each of two groups.
    ItemsPerGroup,
}

/// The formula of a sample size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// Normal approximation of the paired t test with Guenther's correction (1981).
    GuentherPairedT,
    /// McNemar's test by Connor (1987), raised to where the exact test can reach the significance at all.
    ConnorMcnemar,
    /// Normal approximation of the t test of two groups with Guenther's correction (1981).
    GuentherT,
    /// Two rates without correction for continuity, by Fleiss (1981).
    FleissRates,
}

/// How many items it takes to see the observed difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// Items this comparison has (of the smaller group).
    pub present: u64,
    /// Items needed; `None` when no difference was observed, its spread is not known, or the number is beyond 10^15.
    pub needed: Option<u64>,
    /// What is counted.
    pub unit: AdviceUnit,
    /// How sure the comparison should be.
    pub goal: PowerGoal,
    /// By which formula.
    pub formula: Formula,
    /// The advice in words.
    pub sentence: String,
}

/// The normal quantiles of a goal.
struct Quantiles {
    significance: f64,
    power: f64,
}

impl PowerGoal {
    fn quantiles(self) -> Result<Quantiles, StatisticsError> {
        check_share("power", self.power)?;
        check_share("significance", self.significance)?;
        Ok(Quantiles {
            significance: normal_critical(self.significance / 2.0),
            power: if self.power < 0.5 {
                -normal_critical(self.power)
            } else {
                normal_critical(1.0 - self.power)
            },
        })
    }
}

/// Pairs needed to see a mean difference of paired numbers with this standard deviation of the differences.
///
/// # Errors
/// When a value is NaN or infinite, or the goal is out of range.
///
/// ```
/// use tracehouse_eval::statistics::{PowerGoal, advise_paired_numbers};
///
/// let advice = advise_paired_numbers(20, Some(0.1), Some(0.2), PowerGoal::default())?;
/// assert_eq!(advice.needed, Some(34));
/// assert_eq!(
///     advice.sentence,
///     "to see a difference of 0.1 with 80 % power at 5 % significance takes about 34 pairs; there are 20"
/// );
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn advise_paired_numbers(
    present: u64,
    difference: Option<f64>,
    standard_deviation: Option<f64>,
    goal: PowerGoal,
) -> Result<Advice, StatisticsError> {
    let z = goal.quantiles()?;
    check_given("difference", difference)?;
    check_given("standard deviation", standard_deviation)?;
    let needed = difference
        .zip(standard_deviation)
        .map(|(difference, deviation)| {
            let steps = (z.significance + z.power) * deviation / difference;
            steps * steps + z.significance * z.significance / 2.0
        });
    let request = Request::new(present, AdviceUnit::Pairs, goal, Formula::GuentherPairedT);
    Ok(request.advice(difference, needed))
}

/// Pairs needed to see a difference of rates of paired verdicts, from the pairs that only a or only b passes.
///
/// # Errors
/// When more pairs differ than there are, or the goal is out of range.
pub fn advise_paired_verdicts(
    present: u64,
    only_a: u64,
    only_b: u64,
    goal: PowerGoal,
) -> Result<Advice, StatisticsError> {
    let z = goal.quantiles()?;
    let differing = only_a.saturating_add(only_b);
    if differing > present {
        return Err(StatisticsError::PassedOverCount {
            passed: differing,
            count: present,
        });
    }
    let request = Request::new(present, AdviceUnit::Pairs, goal, Formula::ConnorMcnemar);
    if present == 0 {
        return Ok(request.advice(None, None));
    }
    let share = differing as f64 / present as f64;
    let difference = (only_b as f64 - only_a as f64) / present as f64;
    let rest = (share - difference * difference).max(0.0);
    let steps = (z.significance * share.sqrt() + z.power * rest.sqrt()) / difference;
    // Even if all pairs that differ do so in one direction, the exact test needs 2^(1 - pairs) <= significance.
    let differing_min = (1.0 - goal.significance.log2()).ceil();
    let needed = (steps * steps).max(differing_min / share);
    Ok(request.advice(Some(difference), Some(needed)))
}

/// Items per group needed to see a difference of means of two groups with these standard deviations (of a, of b).
///
/// # Errors
/// When a value is NaN or infinite, or the goal is out of range.
pub fn advise_group_numbers(
    present: u64,
    difference: Option<f64>,
    standard_deviations: Option<(f64, f64)>,
    goal: PowerGoal,
) -> Result<Advice, StatisticsError> {
    let z = goal.quantiles()?;
    check_given("difference", difference)?;
    check_given("standard deviation", standard_deviations.map(|both| both.0))?;
    check_given("standard deviation", standard_deviations.map(|both| both.1))?;
    let needed = difference
        .zip(standard_deviations)
        .map(|(difference, (a, b))| {
            let steps = (z.significance + z.power) * a.hypot(b) / difference;
            steps * steps + z.significance * z.significance / 4.0
        });
    let request = Request::new(present, AdviceUnit::ItemsPerGroup, goal, Formula::GuentherT);
    Ok(request.advice(difference, needed))
}

/// Items per group needed to see the difference of two rates (of a, of b).
///
/// # Errors
/// When a rate is not from 0 to 1, or the goal is out of range.
pub fn advise_group_rates(
    present: u64,
    rates: Option<(f64, f64)>,
    goal: PowerGoal,
) -> Result<Advice, StatisticsError> {
    let z = goal.quantiles()?;
    let request = Request::new(
        present,
        AdviceUnit::ItemsPerGroup,
        goal,
        Formula::FleissRates,
    );
    let Some((a, b)) = rates else {
        return Ok(request.advice(None, None));
    };
    for rate in [a, b] {
        if !(0.0..=1.0).contains(&rate) {
            return Err(StatisticsError::Setting {
                name: "rate",
                given: rate,
                expected: "from 0 to 1",
            });
        }
    }
    let middle = (a + b) / 2.0;
    let same = (2.0 * middle * (1.0 - middle)).sqrt();
    let apart = (a * (1.0 - a) + b * (1.0 - b)).sqrt();
    let steps = (z.significance * same + z.power * apart) / (b - a);
    Ok(request.advice(Some(b - a), Some(steps * steps)))
}

fn check_given(list: &'static str, value: Option<f64>) -> Result<(), StatisticsError> {
    check_finite(list, value.as_slice())
}

/// What an advice is asked for.
struct Request {
    present: u64,
    unit: AdviceUnit,
    goal: PowerGoal,
    formula: Formula,
}

impl Request {
    fn new(present: u64, unit: AdviceUnit, goal: PowerGoal, formula: Formula) -> Self {
        Self {
            present,
            unit,
            goal,
            formula,
        }
    }

    fn advice(self, difference: Option<f64>, needed: Option<f64>) -> Advice {
        let seen = difference.filter(|difference| *difference != 0.0);
        let needed = needed
            .filter(|needed| seen.is_some() && *needed <= NEEDED_MAX)
            .map(|needed| (needed.ceil() as u64).max(2));
        Advice {
            sentence: self.sentence(difference, needed),
            present: self.present,
            needed,
            unit: self.unit,
            goal: self.goal,
            formula: self.formula,
        }
    }

    fn sentence(&self, difference: Option<f64>, needed: Option<u64>) -> String {
        let unit = match self.unit {
            AdviceUnit::Pairs => "pairs",
            AdviceUnit::ItemsPerGroup => "items a group",
        };
        let present = self.present;
        let size = match difference {
            None => return format!("too few {unit} to estimate a difference: there are {present}"),
            Some(0.0) => {
                return format!(
                    "no difference was observed, so no number of {unit} follows from it"
                );
            }
            Some(difference) => short(difference.abs()),
        };
        let goal = format!(
            "to see a difference of {size} with {} % power at {} % significance",
            short(self.goal.power * 100.0),
            short(self.goal.significance * 100.0)
        );
        match needed {
            Some(needed) => format!("{goal} takes about {needed} {unit}; there are {present}"),
            None if present < 2 => {
                format!("too few {unit} to estimate a spread: there are {present}")
            }
            None => format!("{goal} takes more {unit} than can be scored; there are {present}"),
        }
    }
}

/// A positive number with three significant digits.
fn short(value: f64) -> String {
    let digits = 2 - value.log10().floor().clamp(-300.0, 300.0) as i32;
    if !(0..=8).contains(&digits) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.*}", digits.unsigned_abs() as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
