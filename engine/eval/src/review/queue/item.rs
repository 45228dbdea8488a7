//! One item of a queue: its seats, who holds them, what was answered.
//!
//! An item has `answers_wanted` seats. A seat is taken by a reviewer who answered, or by one with a live lease.
//!
//! **Invariants**
//! 1. Answers are only ever added; of each reviewer the last one counts.
//! 2. A lease is live while its end is after the caller's now. Ended leases go before a seat is given, so a clock that
//!    is set back brings none to life again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::schema::LabelValue;
use super::key::ItemKey;

/// What a reviewer said of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Who.
    pub reviewer: String,
    /// The answers, by label.
    pub values: BTreeMap<String, LabelValue>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When, in nanoseconds since 1970.
    pub at_ns: i64,
}

/// That a reviewer will not answer an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, in nanoseconds since 1970.
    pub at_ns: i64,
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Answers are wanted, and there are reviewers who can give them.
    Open,
    /// Every answer that was wanted is there.
    Complete,
    /// Answers are wanted, but too many reviewers skipped it: it must be assigned to others.
    Stuck,
}

/// An item of a queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewItem {
    /// What is reviewed.
    pub key: ItemKey,
    /// How many reviewers are to answer it.
    pub answers_wanted: usize,
    /// Who may answer it; when empty, every reviewer of the queue.
    pub assignees: Vec<String>,
    /// Until when each reviewer holds it, in nanoseconds since 1970.
    pub leases: BTreeMap<String, i64>,
    /// Who will not answer it.
    pub skips: BTreeMap<String, Skip>,
    /// All answers, in order; of each reviewer the last one counts.
    pub answers: Vec<Answer>,
}

impl ReviewItem {
    pub(super) fn new(key: ItemKey, answers_wanted: usize, assignees: Vec<String>) -> Self {
        Self {
            key,
            answers_wanted,
            assignees,
            leases: BTreeMap::new(),
            skips: BTreeMap::new(),
            answers: Vec::new(),
        }
    }

    /// The answers that count: the last one of each reviewer, by reviewer.
    pub fn current_answers(&self) -> BTreeMap<&str, &Answer> {
        // Later entries replace earlier ones.
        let answers = self.answers.iter();
        answers
            .map(|answer| (answer.reviewer.as_str(), answer))
            .collect()
    }

    /// Whether a reviewer answered it.
    pub fn has_answer_of(&self, reviewer: &str) -> bool {
        self.answers
            .iter()
            .any(|answer| answer.reviewer == reviewer)
    }

    /// How many reviewers answered it.
    pub fn answers_given(&self) -> usize {
        let reviewers: BTreeSet<&str> = self.answers.iter().map(|a| a.reviewer.as_str()).collect();
        reviewers.len()
    }

    /// Whether a reviewer holds it now.
    pub fn is_held_by(&self, reviewer: &str, now_ns: i64) -> bool {
        self.leases
            .get(reviewer)
            .is_some_and(|until_ns| *until_ns > now_ns)
    }

    /// Seats that neither an answer nor a live lease of another reviewer takes.
    pub(super) fn seats_for(&self, reviewer: &str, now_ns: i64) -> usize {
        let others = self
            .leases
            .iter()
            .filter(|(holder, until_ns)| *holder != reviewer && **until_ns > now_ns);
        let taken = self.answers_given() + others.count();
        self.answers_wanted.saturating_sub(taken)
    }

    /// Whether it can be offered to a reviewer who may answer it.
    pub(super) fn can_offer(&self, reviewer: &str, now_ns: i64) -> bool {
        self.is_waiting_for(reviewer) && self.seats_for(reviewer, now_ns) > 0
    }

    /// Whether a reviewer neither answered nor skipped it, and answers are wanted.
    pub(super) fn is_waiting_for(&self, reviewer: &str) -> bool {
        self.answers_given() < self.answers_wanted
            && !self.has_answer_of(reviewer)
            && !self.skips.contains_key(reviewer)
    }

    /// How far it is, where `reviewers` may answer it.
    pub(super) fn state(&self, reviewers: &[String]) -> ItemState {
        let given = self.answers_given();
        if given >= self.answers_wanted {
            return ItemState::Complete;
        }
        let willing = reviewers
            .iter()
            .filter(|reviewer| self.is_waiting_for(reviewer));
        if given + willing.count() < self.answers_wanted {
            ItemState::Stuck
        } else {
            ItemState::Open
        }
    }

    /// Forgets leases that have ended.
    pub(super) fn end_leases(&mut self, now_ns: i64) {
        self.leases.retain(|_, until_ns| *until_ns > now_ns);
    }
}
