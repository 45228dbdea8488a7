//! Where reviewers differ, and their answers in the shape that measures of agreement take.
//!
//! **Invariants**
//! 1. Only answers that count are looked at.
//! 2. Every row of a matrix has one cell for each rater; a cell is empty when that rater did not answer that label.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::error::ReviewError;
use super::super::schema::{Label, LabelKind, LabelValue};
use super::item::ReviewItem;
use super::key::ItemKey;
use super::state::ReviewQueue;

/// A label of an item to which reviewers gave different answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Which item.
    pub key: ItemKey,
    /// Which label.
    pub label: String,
    /// What each reviewer said who answered it.
    pub values: BTreeMap<String, LabelValue>,
}

/// The answers to one label, items by raters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerMatrix {
    /// Which label.
    pub label: String,
    /// The rows: items that anyone answered, in the order of the queue.
    pub items: Vec<ItemKey>,
    /// The columns: the reviewers of the queue, in their order.
    pub raters: Vec<String>,
    /// The cells.
    pub ratings: Ratings,
}

/// The cells of an [`AnswerMatrix`], by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ratings {
    /// Of a boolean (`false`, `true`) or a category.
    Category {
        /// The names of the categories, in order.
        categories: Vec<String>,
        /// Indexes into `categories`.
        cells: Vec<Vec<Option<usize>>>,
    },
    /// Of a number.
    Number {
        /// The numbers.
        cells: Vec<Vec<Option<f64>>>,
    },
}

impl Ratings {
    /// How many raters chose each category, by row: what Fleiss' kappa takes. None for numbers.
    pub fn counts(&self) -> Option<Vec<Vec<usize>>> {
        let Self::Category { categories, cells } = self else {
            return None;
        };
        let row_counts = |row: &Vec<Option<usize>>| {
            let count = |category| row.iter().filter(|cell| **cell == Some(category)).count();
            (0..categories.len()).map(count).collect()
        };
        Some(cells.iter().map(row_counts).collect())
    }
}

impl ReviewQueue {
    /// The labels to which reviewers gave different answers, by item and label. Free texts are not compared: two people
    /// never write the same.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for item in &self.items {
            for label in self.schema.labels() {
                if matches!(label.kind, LabelKind::Text { .. }) {
                    continue;
                }
                let values = values_of(item, &label.name);
                let mut all = values.values();
                let first = all.next();
                if all.any(|value| Some(value) != first) {
                    found.push(Disagreement {
                        key: item.key.clone(),
                        label: label.name.clone(),
                        values,
                    });
                }
            }
        }
        found
    }

    /// The answers to a label: a boolean or a category with one choice as categories, a number as numbers.
    ///
    /// # Errors
    /// `NotFound` when there is no such label; `InvalidInput` for a text, which cannot be measured, and for a category
    /// with several choices, of which [`matrix_of_option`](Self::matrix_of_option) gives one at a time.
    pub fn matrix(&self, label: &str) -> Result<AnswerMatrix, ReviewError> {
        let label = self.schema.label(label)?;
        let categories = match &label.kind {
            LabelKind::Boolean => vec!["false".to_owned(), "true".to_owned()],
            LabelKind::Category {
                options,
                multiple: false,
            } => options.clone(),
            LabelKind::Number { .. } => {
                let (items, cells) = self.cells(label, |value| value.number());
                return Ok(self.matrix_of(label, items, Ratings::Number { cells }));
            }
            LabelKind::Category { .. } => {
                return Err(ReviewError::invalid(format!(
                    "label {:?} takes several options: measure agreement on one option at a time",
                    label.name
                )));
            }
            LabelKind::Text { .. } => {
                return Err(ReviewError::invalid(format!(
                    "label {:?} is a text: agreement is measured on booleans, categories and numbers",
                    label.name
                )));
            }
        };
        let (items, cells) = self.cells(label, |value| match value {
            LabelValue::Boolean(value) => Some(usize::from(*value)),
            LabelValue::Category(text) => categories.iter().position(|option| option == text),
            _ => None,
        });
        Ok(self.matrix_of(label, items, Ratings::Category { categories, cells }))
    }

    /// Whether an option was chosen, for a category: `false` and `true` as categories.
    ///
    /// # Errors
    /// `NotFound` when there is no such label or option; `InvalidInput` when the label is no category.
    pub fn matrix_of_option(&self, label: &str, option: &str) -> Result<AnswerMatrix, ReviewError> {
        let label = self.schema.label(label)?;
        let LabelKind::Category { options, .. } = &label.kind else {
            return Err(ReviewError::invalid(format!(
                "label {:?} is a {}: only a category has options",
                label.name,
                label.kind.word()
            )));
        };
        if !options.iter().any(|known| known == option) {
            return Err(ReviewError::not_found(format!(
                "label {:?} has no option {option:?}: its options are {}",
                label.name,
                options.join(", ")
            )));
        }
        let (items, cells) = self.cells(label, |value| match value {
            LabelValue::Category(text) => Some(usize::from(text == option)),
            LabelValue::Categories(chosen) => {
                Some(usize::from(chosen.iter().any(|text| text == option)))
            }
            _ => None,
        });
        let categories = vec!["false".to_owned(), "true".to_owned()];
        Ok(self.matrix_of(label, items, Ratings::Category { categories, cells }))
    }

    fn matrix_of(&self, label: &Label, items: Vec<ItemKey>, ratings: Ratings) -> AnswerMatrix {
        AnswerMatrix {
            label: label.name.clone(),
            items,
            raters: self.reviewers.clone(),
            ratings,
        }
    }

    /// The rows that have any cell, and their cells.
    fn cells<T>(
        &self,
        label: &Label,
        cell: impl Fn(&LabelValue) -> Option<T>,
    ) -> (Vec<ItemKey>, Vec<Vec<Option<T>>>) {
        let rows = self.items.iter().map(|item| {
            let values = values_of(item, &label.name);
            let raters = self.reviewers.iter();
            let row: Vec<Option<T>> = raters
                .map(|rater| values.get(rater).and_then(&cell))
                .collect();
            (item.key.clone(), row)
        });
        rows.filter(|(_, row)| row.iter().any(Option::is_some))
            .unzip()
    }
}

/// What each reviewer said of a label.
fn values_of(item: &ReviewItem, label: &str) -> BTreeMap<String, LabelValue> {
    let answers = item.current_answers().into_iter();
    answers
        .filter_map(|(reviewer, answer)| {
            let value = answer.values.get(label)?;
            Some((reviewer.to_owned(), value.clone()))
        })
        .collect()
}
