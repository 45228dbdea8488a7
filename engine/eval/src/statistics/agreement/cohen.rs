//! Cohen's kappa of two raters (Cohen 1960), weighted for ordered labels (Cohen 1968).

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::super::error::StatisticsError;
use super::super::sample::finite;

/// How much two differing labels disagree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// Fully, whichever they are.
    #[default]
    None,
    /// By the number of steps between them.
    Linear,
    /// By the square of the number of steps between them.
    Quadratic,
}

/// Agreement of two raters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CohenKappa {
    /// Items that both rated.
    pub items: u64,
    /// Distinct labels that were given, or that the order has.
    pub labels: u64,
    /// Cohen's kappa; `None` of no items, or when both raters gave one and the same label throughout.
    pub kappa: Option<f64>,
    /// Share of items with the same label.
    pub percent_agreement: Option<f64>,
    /// Share that chance alone would give: by the shares of labels of each rater, unweighted.
    pub chance_agreement: Option<f64>,
    /// How disagreement was weighted.
    pub weights: Weights,
}

/// The share of items that two raters gave the same label; `None` of no items.
///
/// # Errors
/// When the lengths differ.
pub fn percent_agreement<L: PartialEq>(a: &[L], b: &[L]) -> Result<Option<f64>, StatisticsError> {
    check_lengths(a, b)?;
    let same = a.iter().zip(b).filter(|(a, b)| a == b).count();
    Ok(finite(same as f64 / a.len() as f64))
}

/// Cohen's kappa of two raters; `a` and `b` hold the labels of the same items in the same order.
///
/// # Errors
/// When the lengths differ.
///
/// ```
/// use tracehouse_eval::statistics::cohen_kappa;
///
/// let judge = ["good", "bad", "good", "good"];
/// let person = ["good", "bad", "bad", "good"];
/// let agreement = cohen_kappa(&judge, &person)?;
/// assert_eq!((agreement.percent_agreement, agreement.kappa), (Some(0.75), Some(0.5)));
/// # Ok::<(), tracehouse_eval::statistics::StatisticsError>(())
/// ```
pub fn cohen_kappa<L: Ord>(a: &[L], b: &[L]) -> Result<CohenKappa, StatisticsError> {
    check_lengths(a, b)?;
    let mut positions: BTreeMap<&L, usize> = a.iter().chain(b).map(|label| (label, 0)).collect();
    for (position, own) in positions.values_mut().enumerate() {
        *own = position;
    }
    let place = |label: &L| positions.get(label).copied();
    let pairs = a.iter().zip(b).filter_map(|(a, b)| place(a).zip(place(b)));
    Ok(Table::new(positions.len(), pairs).kappa(Weights::None))
}

/// Cohen's kappa with labels in a known order, weighted by how far apart two labels are. `order` may have labels that no
/// one gave: they count as steps.
///
/// # Errors
/// When the lengths differ, a label is not in the order, or the order has one twice.
pub fn cohen_kappa_ordered<L: Ord + Display>(
    a: &[L],
    b: &[L],
    order: &[L],
    weights: Weights,
) -> Result<CohenKappa, StatisticsError> {
    check_lengths(a, b)?;
    let mut positions: BTreeMap<&L, usize> = BTreeMap::new();
    for (position, label) in order.iter().enumerate() {
        if positions.insert(label, position).is_some() {
            return Err(wrong_label(label, "it is in the order twice; give it once"));
        }
    }
    let place = |label: &L| {
        let missing = || wrong_label(label, "it is not in the order of labels; add it there");
        positions.get(label).copied().ok_or_else(missing)
    };
    let mut pairs = Vec::with_capacity(a.len());
    for (a, b) in a.iter().zip(b) {
        pairs.push((place(a)?, place(b)?));
    }
    Ok(Table::new(order.len(), pairs.into_iter()).kappa(weights))
}

fn wrong_label(label: &impl Display, problem: &'static str) -> StatisticsError {
    StatisticsError::Label {
        label: label.to_string(),
        problem,
    }
}

fn check_lengths<L>(a: &[L], b: &[L]) -> Result<(), StatisticsError> {
    if a.len() == b.len() {
        return Ok(());
    }
    Err(StatisticsError::LengthsDiffer {
        a: a.len(),
        b: b.len(),
    })
}

/// Items by the positions of their two labels.
struct Table {
    labels: usize,
    items: u64,
    cells: BTreeMap<(usize, usize), u64>,
    a: BTreeMap<usize, u64>,
    b: BTreeMap<usize, u64>,
}

impl Table {
    fn new(labels: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut table = Self {
            labels,
            items: 0,
            cells: BTreeMap::new(),
            a: BTreeMap::new(),
            b: BTreeMap::new(),
        };
        for (a, b) in pairs {
            table.items += 1;
            *table.cells.entry((a, b)).or_default() += 1;
            *table.a.entry(a).or_default() += 1;
            *table.b.entry(b).or_default() += 1;
        }
        table
    }

    fn kappa(&self, weights: Weights) -> CohenKappa {
        let items = self.items as f64;
        let observed = self.observed(weights) / items;
        let chance = self.chance(weights) / (items * items);
        CohenKappa {
            items: self.items,
            labels: self.labels as u64,
            kappa: finite(1.0 - observed / chance),
            percent_agreement: finite(self.same() as f64 / items),
            chance_agreement: finite(self.same_by_chance() / (items * items)),
            weights,
        }
    }

    /// Items with the same label twice.
    fn same(&self) -> u64 {
        let same = self.cells.iter().filter(|((a, b), _)| a == b);
        same.map(|(_, count)| count).sum()
    }

    /// Pairs of any item of a and any item of b with the same label.
    fn same_by_chance(&self) -> f64 {
        let both = |(label, a): (&usize, &u64)| Some(*a as f64 * *self.b.get(label)? as f64);
        self.a.iter().filter_map(both).sum()
    }

    /// The disagreement observed, summed over items.
    fn observed(&self, weights: Weights) -> f64 {
        let cells = self.cells.iter();
        cells
            .map(|((a, b), count)| disagreement(*a, *b, weights) * *count as f64)
            .sum()
    }

    /// The disagreement of every item of a with every item of b.
    fn chance(&self, weights: Weights) -> f64 {
        if weights == Weights::None {
            // Without a loop over pairs of labels: free texts may have as many labels as items.
            return (self.items as f64).powi(2) - self.same_by_chance();
        }
        let mut sum = 0.0;
        for (a, count_a) in &self.a {
            for (b, count_b) in &self.b {
                sum += disagreement(*a, *b, weights) * *count_a as f64 * *count_b as f64;
            }
        }
        sum
    }
}

/// How much two labels disagree, by their positions.
fn disagreement(a: usize, b: usize, weights: Weights) -> f64 {
    let steps = a.abs_diff(b) as f64;
    match weights {
        Weights::None => f64::from(a != b),
        Weights::Linear => steps,
        Weights::Quadratic => steps * steps,
    }
}
