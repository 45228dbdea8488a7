//! What one run says of one scorer: numbers, passes, texts, errors.
//!
//! **Invariants**
//! 1. Every outcome is counted: `count` scores and `errors` errors are all that were given.
//! 2. An error is never a score of zero: it enters no mean and no rate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::StatisticsError;
use super::interval::{Interval, mean_interval_of};
use super::proportion::clopper_pearson;
use super::sample::{
    check_finite, mean_of, quantile_of_sorted, range_of, sorted, standard_deviation_of,
};
use super::settings::StatisticsSettings;
use crate::{Score, ScoreError};

/// The rule of the quantiles in a [`NumberSummary`].
const QUANTILE_RULE: &str = "linear";

/// One scorer over one run. A part is there when at least one score has it: a score may have a number and a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The scorer's name.
    pub scorer: String,
    /// Items that got a score.
    pub count: u64,
    /// Items that got an error.
    pub errors: u64,
    /// Errors by kind (`timeout`, `malformed`, ...).
    pub errors_by_kind: BTreeMap<String, u64>,
    /// The values that are numbers.
    pub numbers: Option<NumberSummary>,
    /// The verdicts: [`passed`](crate::Score::passed) of each score, or a value that is true or false when it has none.
    pub passes: Option<RateSummary>,
    /// The values that are texts.
    pub categories: Option<CategorySummary>,
    /// Scores whose value is none of boolean, number and text (null, list, object).
    pub other_values: u64,
}

/// Numbers of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberSummary {
    /// How many numbers.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Sample standard deviation (divided by `count - 1`); `None` of one number.
    pub standard_deviation: Option<f64>,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// The rule between two neighbours: `linear`, numpy's default (type 7 of Hyndman and Fan).
    pub quantile_rule: String,
    /// Interval of the mean; `None` of one number.
    pub mean_interval: Option<Interval>,
}

/// Passes and fails of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateSummary {
    /// How many verdicts.
    pub count: u64,
    /// How many of them passed.
    pub passed: u64,
    /// `passed / count`; `None` of no verdicts.
    pub rate: Option<f64>,
    /// Exact interval of the rate (Clopper-Pearson).
    pub interval: Option<Interval>,
}

/// Texts of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategorySummary {
    /// How many texts.
    pub count: u64,
    /// Each text with its count, most frequent first, equal counts by text.
    pub values: Vec<CategoryCount>,
}

/// One text and how often it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategoryCount {
    /// The text.
    pub value: String,
    /// How often.
    pub count: u64,
    /// `count` over the count of all texts.
    pub share: f64,
}

/// The scores of a run by what they are.
#[derive(Default)]
struct Sorted<'s> {
    count: u64,
    errors_by_kind: BTreeMap<String, u64>,
    numbers: Vec<f64>,
    verdicts: u64,
    passed: u64,
    texts: Vec<&'s str>,
    other_values: u64,
}

impl<'s> Sorted<'s> {
    fn take(&mut self, outcome: Result<&'s Score, &'s ScoreError>) {
        match outcome {
            Ok(score) => self.take_score(score),
            Err(error) => {
                let kind = error.kind.word().to_owned();
                *self.errors_by_kind.entry(kind).or_default() += 1;
            }
        }
    }

    fn take_score(&mut self, score: &'s Score) {
        self.count += 1;
        if let Some(passed) = verdict_of(score) {
            self.verdicts += 1;
            self.passed += u64::from(passed);
        }
        match &score.value {
            Value::Bool(_) => {}
            Value::String(text) => self.texts.push(text),
            value => match value.as_f64() {
                Some(number) => self.numbers.push(number),
                None => self.other_values += 1,
            },
        }
    }
}

/// The verdict of a score: what it says, or its value when that is true or false and it says nothing.
pub(super) fn verdict_of(score: &Score) -> Option<bool> {
    score.passed.or(score.value.as_bool())
}

/// The number of a score: its value when that is a number (true and false are verdicts, not numbers).
pub(super) fn number_of(score: &Score) -> Option<f64> {
    score.value.as_f64()
}

/// Summarizes the outcomes of one scorer over a run.
///
/// # Errors
/// When a number is not finite or a setting is out of range.
///
/// ```
/// use tracehouse_eval::statistics::{StatisticsSettings, summarize};
/// use tracehouse_eval::{Score, ScoreError, ScoreErrorKind};
///
/// let scores = [Score::measure(0.5), Score::measure(0.9)];
/// let failed = ScoreError::new(ScoreErrorKind::Timeout, "no answer in 30 s");
/// let outcomes = scores.iter().map(Ok).chain([Err(&failed)]);
/// let summary = summarize("token_f1", outcomes, &StatisticsSettings::default())?;
///
/// assert_eq!((summary.count, summary.errors), (2, 1));
/// let numbers = summary.numbers.unwrap();
/// assert_eq!((numbers.mean, numbers.p50), (0.7, 0.7));
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn summarize<'s>(
    scorer: &str,
    outcomes: impl IntoIterator<Item = Result<&'s Score, &'s ScoreError>>,
    settings: &StatisticsSettings,
) -> Result<Summary, StatisticsError> {
    let mut sorted = Sorted::default();
    for outcome in outcomes {
        sorted.take(outcome);
    }
    let passes = summarize_verdicts(sorted.passed, sorted.verdicts, settings)?;
    let categories = summarize_categories(sorted.texts.iter().copied());
    Ok(Summary {
        scorer: scorer.to_owned(),
        count: sorted.count,
        errors: sorted.errors_by_kind.values().sum(),
        errors_by_kind: sorted.errors_by_kind,
        numbers: summarize_numbers(&sorted.numbers, settings)?,
        passes: (passes.count > 0).then_some(passes),
        categories: (categories.count > 0).then_some(categories),
        other_values: sorted.other_values,
    })
}

/// Summarizes numbers; `None` of no numbers.
///
/// # Errors
/// When a value is NaN or infinite, or a setting is out of range.
pub fn summarize_numbers(
    values: &[f64],
    settings: &StatisticsSettings,
) -> Result<Option<NumberSummary>, StatisticsError> {
    settings.check()?;
    check_finite("values", values)?;
    Ok(number_summary(values, settings))
}

/// The summary of finite values.
fn number_summary(values: &[f64], settings: &StatisticsSettings) -> Option<NumberSummary> {
    let (min, max) = range_of(values)?;
    let ordered = sorted(values);
    Some(NumberSummary {
        count: values.len() as u64,
        mean: mean_of(values)?,
        standard_deviation: standard_deviation_of(values),
        min,
        max,
        p50: quantile_of_sorted(&ordered, 0.5)?,
        p90: quantile_of_sorted(&ordered, 0.9)?,
        p95: quantile_of_sorted(&ordered, 0.95)?,
        p99: quantile_of_sorted(&ordered, 0.99)?,
        quantile_rule: QUANTILE_RULE.to_owned(),
        mean_interval: mean_interval_of(values, settings),
    })
}

/// Summarizes verdicts: how many passed of how many.
///
/// # Errors
/// When more passed than there are, or a setting is out of range.
pub fn summarize_verdicts(
    passed: u64,
    count: u64,
    settings: &StatisticsSettings,
) -> Result<RateSummary, StatisticsError> {
    settings.check()?;
    let interval = clopper_pearson(passed, count, settings.confidence)?;
    Ok(RateSummary {
        count,
        passed,
        rate: (count > 0).then(|| passed as f64 / count as f64),
        interval,
    })
}

/// Counts texts by value, most frequent first, equal counts by text.
pub fn summarize_categories<'s>(texts: impl IntoIterator<Item = &'s str>) -> CategorySummary {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let count = counts.values().sum();
    let mut values: Vec<CategoryCount> = counts
        .into_iter()
        .map(|(value, own)| CategoryCount {
            value: value.to_owned(),
            count: own,
            share: own as f64 / count as f64,
        })
        .collect();
    // The sort is stable, so equal counts stay in the order of their texts.
    values.sort_by_key(|category| std::cmp::Reverse(category.count));
    CategorySummary { count, values }
}
