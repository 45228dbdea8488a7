//! Two runs of one scorer: everything that can be said of them, from their scores.
//!
//! **Invariants**
//! 1. Every item of either run is counted once: in `pairs`, in an error count, or as one that only one run has.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::super::error::StatisticsError;
use super::super::settings::StatisticsSettings;
use super::super::summary::{number_of, verdict_of};
use super::numbers::{NumberComparison, compare_numbers};
use super::pairing::{Paired, pair_by_key};
use super::regressions::{Better, Judged, Regression, regressions};
use super::verdicts::{VerdictComparison, compare_verdicts};
use crate::{Score, ScoreError};

/// Two runs of one scorer, paired by item. A part is there when at least one pair has it on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison<K> {
    /// The scorer's name.
    pub scorer: String,
    /// Items that both runs scored.
    pub pairs: u64,
    /// Items that are only in a.
    pub only_a: u64,
    /// Items that are only in b.
    pub only_b: u64,
    /// Items of both runs that a scored and b did not: an error in b.
    pub errors_only_b: u64,
    /// Items of both runs that b scored and a did not: an error in a.
    pub errors_only_a: u64,
    /// Items of both runs with an error in both.
    pub errors_both: u64,
    /// Pairs with a number on both sides.
    pub numbers: Option<NumberComparison>,
    /// Pairs with a verdict on both sides.
    pub verdicts: Option<VerdictComparison>,
    /// Pairs with a text on both sides.
    pub texts: Option<TextComparison>,
    /// Pairs that have none of these on both sides.
    pub not_comparable: u64,
    /// Items that got worse, worst first.
    pub regressions: Vec<Regression<K>>,
}

/// How often two runs gave the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextComparison {
    /// Pairs compared.
    pub pairs: u64,
    /// Pairs with the same text.
    pub equal: u64,
}

/// What a run says of one item.
type Outcome<'s> = Result<&'s Score, &'s ScoreError>;

/// Compares the outcomes of one scorer in two runs, item by item. Differences are b minus a.
///
/// # Errors
/// When a run has an item twice, a number is not finite, or a setting is out of range.
///
/// ```
/// use tracehouse_eval::Score;
/// use tracehouse_eval::statistics::{Better, StatisticsSettings, compare_runs};
///
/// let pass = Score::verdict(true, String::new);
/// let fail = Score::verdict(false, || "wrong".to_owned());
/// let a = [("r1", Ok(&pass)), ("r2", Ok(&pass)), ("r3", Ok(&fail))];
/// let b = [("r3", Ok(&pass)), ("r2", Ok(&fail)), ("r1", Ok(&pass))];
/// let compared = compare_runs("exact_match", a, b, Better::Higher, &StatisticsSettings::default())?;
///
/// let verdicts = compared.verdicts.unwrap();
/// assert_eq!((verdicts.both, verdicts.only_a, verdicts.only_b), (1, 1, 1));
/// assert_eq!(compared.regressions[0].key, "r2");
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn compare_runs<'s, K: Ord + Clone + Display>(
    scorer: &str,
    a: impl IntoIterator<Item = (K, Result<&'s Score, &'s ScoreError>)>,
    b: impl IntoIterator<Item = (K, Result<&'s Score, &'s ScoreError>)>,
    better: Better,
    settings: &StatisticsSettings,
) -> Result<Comparison<K>, StatisticsError> {
    let pairing = pair_by_key(a, b)?;
    let errors = |a: bool, b: bool| {
        let same = |pair: &&Paired<K, Outcome>| (pair.a.is_err(), pair.b.is_err()) == (a, b);
        pairing.pairs.iter().filter(same).count() as u64
    };
    let scored: Vec<Paired<K, &Score>> = pairing.pairs.iter().filter_map(scored).collect();
    let judged: Vec<Paired<K, Judged>> = scored.iter().map(judged).collect();
    let numbers = both_sides(&scored, number_of);
    let verdicts = both_sides(&scored, verdict_of);
    let texts = both_sides(&scored, |score| score.value.as_str());
    Ok(Comparison {
        scorer: scorer.to_owned(),
        pairs: scored.len() as u64,
        only_a: pairing.only_a.len() as u64,
        only_b: pairing.only_b.len() as u64,
        errors_only_a: errors(true, false),
        errors_only_b: errors(false, true),
        errors_both: errors(true, true),
        numbers: part(numbers, |a, b| compare_numbers(a, b, settings))?,
        verdicts: part(verdicts, |a, b| compare_verdicts(a, b, settings))?,
        texts: part(texts, |a, b| Ok(compare_texts(a, b)))?,
        not_comparable: scored.iter().filter(|pair| !comparable(pair)).count() as u64,
        regressions: regressions(&judged, better)?,
    })
}

/// A pair that both runs scored.
fn scored<'s, K: Clone>(pair: &Paired<K, Outcome<'s>>) -> Option<Paired<K, &'s Score>> {
    Some(Paired {
        key: pair.key.clone(),
        a: pair.a.ok()?,
        b: pair.b.ok()?,
    })
}

fn judged<K: Clone>(pair: &Paired<K, &Score>) -> Paired<K, Judged> {
    Paired {
        key: pair.key.clone(),
        a: pair.a.into(),
        b: pair.b.into(),
    }
}

/// What both sides of a pair have, as two lists.
fn both_sides<'s, K, V>(
    pairs: &[Paired<K, &'s Score>],
    read: impl Fn(&'s Score) -> Option<V>,
) -> (Vec<V>, Vec<V>) {
    pairs
        .iter()
        .filter_map(|pair| read(pair.a).zip(read(pair.b)))
        .unzip()
}

/// Compares two lists unless they are empty.
fn part<V, C>(
    lists: (Vec<V>, Vec<V>),
    compare: impl Fn(&[V], &[V]) -> Result<C, StatisticsError>,
) -> Result<Option<C>, StatisticsError> {
    let (a, b) = lists;
    if a.is_empty() {
        return Ok(None);
    }
    compare(&a, &b).map(Some)
}

fn compare_texts(a: &[&str], b: &[&str]) -> TextComparison {
    TextComparison {
        pairs: a.len() as u64,
        equal: a.iter().zip(b).filter(|(a, b)| a == b).count() as u64,
    }
}

/// Whether both sides of a pair have a number, a verdict or a text.
fn comparable<K>(pair: &Paired<K, &Score>) -> bool {
    let has = |read: fn(&Score) -> bool| read(pair.a) && read(pair.b);
    has(|score| number_of(score).is_some())
        || has(|score| verdict_of(score).is_some())
        || has(|score| score.value.is_string())
}
