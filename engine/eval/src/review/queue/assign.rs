//! Which reviewers an item goes to.
//!
//! **Invariants**
//! 1. As many reviewers may answer an item as are asked to, at least.
//! 2. By turns: over the items given out so, no two reviewers differ by more than one item, and who reviews together
//!    changes from round to round, so that agreement can be measured between all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::error::ReviewError;
use super::item::ReviewItem;
use super::key::ItemKey;
use super::state::ReviewQueue;

/// How items are given to reviewers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Assignment {
    /// Whoever asks next gets it.
    Open {
        /// How many reviewers answer each item.
        answers_per_item: usize,
    },
    /// By turns: to the reviewers who have the fewest.
    RoundRobin {
        /// How many reviewers answer each item.
        answers_per_item: usize,
    },
    /// By hand: to these, and all of them answer it.
    ByHand {
        /// Who.
        assignees: Vec<String>,
    },
}

/// What came of adding items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// How many are new.
    pub added: usize,
    /// Those that were in the queue before, or were given twice; they stay as they were.
    pub already_there: Vec<ItemKey>,
}

impl ReviewQueue {
    /// Adds items at the end of the queue.
    ///
    /// # Errors
    /// When an assignee is no reviewer of the queue, or more answers are asked for than there are reviewers. Then no
    /// item is added.
    pub fn add_items(
        &mut self,
        keys: Vec<ItemKey>,
        assignment: &Assignment,
    ) -> Result<Added, ReviewError> {
        let answers_wanted = self.answers_wanted(assignment)?;
        let mut known: BTreeSet<ItemKey> = self.items.iter().map(|i| i.key.clone()).collect();
        let mut loads = self.loads();
        let mut added = Added {
            added: 0,
            already_there: Vec::new(),
        };
        for key in keys {
            if !known.insert(key.clone()) {
                added.already_there.push(key);
                continue;
            }
            let assignees = match assignment {
                Assignment::Open { .. } => Vec::new(),
                Assignment::RoundRobin { .. } => self.by_turns(&mut loads, answers_wanted),
                Assignment::ByHand { assignees } => assignees.clone(),
            };
            self.items
                .push(ReviewItem::new(key, answers_wanted, assignees));
            added.added += 1;
        }
        Ok(added)
    }

    /// Gives an item to others, all of whom answer it. Answers stay and count; leases on it end.
    ///
    /// # Errors
    /// When there is no such item, an assignee is no reviewer, or a reviewer who answered it is left out.
    pub fn assign(&mut self, key: &ItemKey, assignees: &[String]) -> Result<(), ReviewError> {
        let by_hand = Assignment::ByHand {
            assignees: assignees.to_vec(),
        };
        let answers_wanted = self.answers_wanted(&by_hand)?;
        let item = self.item_mut(key)?;
        let left_out = item
            .answers
            .iter()
            .find(|answer| !assignees.contains(&answer.reviewer));
        if let Some(answer) = left_out {
            return Err(ReviewError::conflict(format!(
                "item {key} has an answer of {:?}: the new assignees must include all who answered",
                answer.reviewer
            )));
        }
        item.assignees = assignees.to_vec();
        item.answers_wanted = answers_wanted;
        item.leases.clear();
        Ok(())
    }

    /// How many answers an item wants under an assignment, which is checked.
    fn answers_wanted(&self, assignment: &Assignment) -> Result<usize, ReviewError> {
        let reviewers = self.reviewers.len();
        match assignment {
            Assignment::Open { answers_per_item } | Assignment::RoundRobin { answers_per_item } => {
                if *answers_per_item == 0 || *answers_per_item > reviewers {
                    return Err(ReviewError::invalid(format!(
                        "{answers_per_item} answers per item cannot be had: \
                         queue {:?} has {reviewers} reviewers, so ask for 1 to {reviewers}",
                        self.name
                    )));
                }
                Ok(*answers_per_item)
            }
            Assignment::ByHand { assignees } => {
                let mut seen = BTreeSet::new();
                for assignee in assignees {
                    self.check_reviewer(assignee)?;
                    if !seen.insert(assignee) {
                        return Err(ReviewError::invalid(format!(
                            "assignee {assignee:?} stands twice: name each once"
                        )));
                    }
                }
                if assignees.is_empty() {
                    return Err(ReviewError::invalid(
                        "there is no assignee: name at least one reviewer",
                    ));
                }
                Ok(assignees.len())
            }
        }
    }

    /// How many items are assigned to each reviewer, in the order of the reviewers.
    fn loads(&self) -> Vec<usize> {
        let count = |reviewer: &String| {
            let items = self.items.iter();
            items
                .filter(|item| item.assignees.contains(reviewer))
                .count()
        };
        self.reviewers.iter().map(count).collect()
    }

    fn by_turns(&self, loads: &mut [usize], answers_wanted: usize) -> Vec<String> {
        let reviewers = loads.len().max(1);
        // Ties begin with another reviewer each round, or the same ones would always review together.
        let shift = (loads.iter().sum::<usize>() / reviewers) % reviewers;
        let mut order: Vec<usize> = (0..loads.len()).collect();
        order.sort_by_key(|index| {
            let load = loads.get(*index).copied().unwrap_or_default();
            (load, (index + reviewers - shift) % reviewers)
        });
        let mut assignees = Vec::with_capacity(answers_wanted);
        for index in order.into_iter().take(answers_wanted) {
            if let (Some(load), Some(name)) = (loads.get_mut(index), self.reviewers.get(index)) {
                *load += 1;
                assignees.push(name.clone());
            }
        }
        assignees
    }
}
