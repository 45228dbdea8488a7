//! How far a queue is.

use serde::{Deserialize, Serialize};

use super::item::{ItemState, ReviewItem};
use super::state::ReviewQueue;

/// How far a queue is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewProgress {
    /// All items.
    pub items: usize,
    /// Items that have every answer that was wanted.
    pub complete: usize,
    /// Items that too many reviewers skipped.
    pub stuck: usize,
    /// Answers that are wanted of all items together.
    pub answers_wanted: usize,
    /// Answers that count; superseded ones do not.
    pub answers_given: usize,
    /// Live leases.
    pub leased: usize,
    /// The same by reviewer, in the order of the reviewers.
    pub by_reviewer: Vec<ReviewerProgress>,
}

/// How far a reviewer is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewerProgress {
    /// Who.
    pub reviewer: String,
    /// Items assigned to them by name; open ones are not.
    pub assigned: usize,
    /// Items that they answered.
    pub answered: usize,
    /// Items that they skipped.
    pub skipped: usize,
    /// Items that they hold.
    pub leased: usize,
    /// Items that they could be given now; an open one is counted for every reviewer.
    pub waiting: usize,
}

impl ReviewQueue {
    /// How far the queue is at `now_ns`, over all and by reviewer.
    pub fn progress(&self, now_ns: i64) -> ReviewProgress {
        let mut progress = ReviewProgress {
            items: self.items.len(),
            ..ReviewProgress::default()
        };
        for item in &self.items {
            match self.state(item) {
                ItemState::Complete => progress.complete += 1,
                ItemState::Stuck => progress.stuck += 1,
                ItemState::Open => {}
            }
            progress.answers_wanted += item.answers_wanted;
            progress.answers_given += item.answers_given();
            progress.leased += item.leases.values().filter(|end| **end > now_ns).count();
        }
        let reviewers = self.reviewers.iter();
        progress.by_reviewer = reviewers
            .map(|name| self.reviewer_progress(name, now_ns))
            .collect();
        progress
    }

    fn reviewer_progress(&self, reviewer: &str, now_ns: i64) -> ReviewerProgress {
        let count = |holds: &dyn Fn(&ReviewItem) -> bool| {
            self.items.iter().filter(|item| holds(item)).count()
        };
        ReviewerProgress {
            reviewer: reviewer.to_owned(),
            assigned: count(&|item| item.assignees.iter().any(|name| name == reviewer)),
            answered: count(&|item| item.has_answer_of(reviewer)),
            skipped: count(&|item| item.skips.contains_key(reviewer)),
            leased: count(&|item| item.is_held_by(reviewer, now_ns)),
            waiting: count(&|item| self.may(reviewer, item) && item.can_offer(reviewer, now_ns)),
        }
    }
}
