//! The items that got worse from run a to run b, worst first.

use serde::{Deserialize, Serialize};

use super::super::error::StatisticsError;
use super::super::summary::{number_of, verdict_of};
use super::pairing::Paired;
use crate::Score;

/// Which way a number is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better: quality.
    #[default]
    Higher,
    /// Less is better: latency, cost, errors.
    Lower,
}

/// What a run says of one item, as far as it can get worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Whether it passed.
    pub passed: Option<bool>,
    /// Its number.
    pub number: Option<f64>,
}

impl From<bool> for Judged {
    fn from(passed: bool) -> Self {
        Self {
            passed: Some(passed),
            number: None,
        }
    }
}

impl From<f64> for Judged {
    fn from(number: f64) -> Self {
        Self {
            passed: None,
            number: Some(number),
        }
    }
}

impl From<&Score> for Judged {
    fn from(score: &Score) -> Self {
        Self {
            passed: verdict_of(score),
            number: number_of(score),
        }
    }
}

/// How an item got worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegressionKind {
    /// It passed in a and fails in b.
    NowFails,
    /// Its number got worse.
    Worse,
}

/// An item that got worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regression<K> {
    /// The item.
    pub key: K,
    /// How it got worse; an item that now fails is listed as that alone.
    pub kind: RegressionKind,
    /// Its number in a.
    pub a: Option<f64>,
    /// Its number in b.
    pub b: Option<f64>,
    /// By how much its number got worse (negative when it got better but the item fails), when both runs have one.
    pub drop: Option<f64>,
}

/// The items that passed in a and fail in b, then those whose number got worse; each by the size of the drop, largest
/// first, equal ones (and those without numbers) in the order given. What got better is found with a and b swapped.
///
/// # Errors
/// When a number is NaN or infinite, or a drop overflows.
///
/// ```
/// use tracehouse_eval::statistics::{Better, Judged, Paired, regressions};
///
/// let pair = |key: &'static str, a: f64, b: f64| Paired { key, a: a.into(), b: b.into() };
/// let pairs: [Paired<_, Judged>; 3] = [pair("x", 0.9, 0.8), pair("y", 0.5, 0.7), pair("z", 0.9, 0.1)];
/// let worse = regressions(&pairs, Better::Higher)?;
/// assert_eq!(worse.iter().map(|item| item.key).collect::<Vec<_>>(), ["z", "x"]);
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn regressions<K: Clone>(
    pairs: &[Paired<K, Judged>],
    better: Better,
) -> Result<Vec<Regression<K>>, StatisticsError> {
    let mut found = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        let drop = drop_of(index, pair, better)?;
        let kind = if (pair.a.passed, pair.b.passed) == (Some(true), Some(false)) {
            RegressionKind::NowFails
        } else if drop.is_some_and(|drop| drop > 0.0) {
            RegressionKind::Worse
        } else {
            continue;
        };
        found.push(Regression {
            key: pair.key.clone(),
            kind,
            a: pair.a.number,
            b: pair.b.number,
            drop,
        });
    }
    found.sort_by(worst_first);
    Ok(found)
}

/// By how much a pair's number got worse.
fn drop_of<K>(
    index: usize,
    pair: &Paired<K, Judged>,
    better: Better,
) -> Result<Option<f64>, StatisticsError> {
    for (list, number) in [("a", pair.a.number), ("b", pair.b.number)] {
        if number.is_some_and(|number| !number.is_finite()) {
            return Err(StatisticsError::NotFinite { list, index });
        }
    }
    let Some((a, b)) = pair.a.number.zip(pair.b.number) else {
        return Ok(None);
    };
    let drop = match better {
        Better::Higher => a - b,
        Better::Lower => b - a,
    };
    if !drop.is_finite() {
        return Err(StatisticsError::DifferenceOverflow { index });
    }
    Ok(Some(drop))
}

/// Now failing before worse, larger drops before smaller, drops before none.
fn worst_first<K>(one: &Regression<K>, other: &Regression<K>) -> std::cmp::Ordering {
    let rank = |item: &Regression<K>| item.kind != RegressionKind::NowFails;
    let size = |item: &Regression<K>| item.drop.unwrap_or(f64::NEG_INFINITY);
    rank(one)
        .cmp(&rank(other))
        .then(size(other).total_cmp(&size(one)))
}
