//! The queue: who may answer what, and what comes next.
//!
//! **Invariants**
//! 1. `next` depends only on the state and the time given, so it is the same on every machine; asked again by who holds
//!    an item, it gives the same item.
//! 2. A seat is given only when one is free, and it is given in the same call that looked.
//! 3. A call that returns an error changed nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::error::{AnswerFault, ReviewError};
use super::super::schema::{LabelSchema, check_answer};
use super::item::{Answer, ItemState, ReviewItem, Skip};
use super::key::ItemKey;

/// A queue of items that people review.
///
/// ```
/// use serde_json::json;
/// use tracehouse_eval::review::{Assignment, LabelSchema, Next, ReviewQueue};
///
/// let schema = LabelSchema::parse(r#"[{"name": "correct", "kind": "boolean"}]"#)?;
/// let mut queue = ReviewQueue::new("refunds", schema, vec!["ann".into(), "bo".into()])?;
/// let key: tracehouse_eval::review::ItemKey = "trace:4bf9".parse()?;
/// queue.add_items(vec![key.clone()], &Assignment::Open { answers_per_item: 1 })?;
///
/// let (now_ns, lease_ns) = (1_000, 60);
/// assert_eq!(queue.next("ann", now_ns, lease_ns)?, Next::Item { key: key.clone(), until_ns: 1_060 });
/// assert_eq!(queue.next("bo", now_ns, lease_ns)?, Next::Wait { until_ns: 1_060 });
/// let answer = json!({"correct": true}).as_object().cloned().unwrap_or_default();
/// assert!(queue.answer(&key, "ann", &answer, None, now_ns)?.complete);
/// assert_eq!(queue.next("bo", now_ns, lease_ns)?, Next::Done);
/// # Ok::<(), tracehouse_eval::review::ReviewError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewQueue {
    pub(super) name: String,
    pub(super) schema: LabelSchema,
    pub(super) reviewers: Vec<String>,
    pub(super) items: Vec<ReviewItem>,
}

/// What a reviewer does next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub enum Next {
    /// Answer this item; it is held for this reviewer.
    Item {
        /// Which.
        key: ItemKey,
        /// Until when it is held, in nanoseconds since 1970.
        until_ns: i64,
    },
    /// Nothing now: others hold what is left.
    Wait {
        /// When the first of their leases ends, in nanoseconds since 1970.
        until_ns: i64,
    },
    /// Nothing is left for this reviewer.
    Done,
}

/// What came of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Whether it supersedes an earlier answer of this reviewer.
    pub supersedes: bool,
    /// Whether the item has every answer that was wanted.
    pub complete: bool,
}

impl ReviewQueue {
    /// An empty queue.
    ///
    /// # Errors
    /// When a name is empty, has spaces around it or control characters, or two reviewers differ only by case.
    pub fn new(
        name: impl Into<String>,
        schema: LabelSchema,
        reviewers: Vec<String>,
    ) -> Result<Self, ReviewError> {
        let name = name.into();
        check_name("queue", &name)?;
        let mut queue = Self {
            name,
            schema,
            reviewers: Vec::new(),
            items: Vec::new(),
        };
        for reviewer in reviewers {
            queue.add_reviewer(reviewer)?;
        }
        if queue.reviewers.is_empty() {
            return Err(ReviewError::invalid(format!(
                "queue {:?} has no reviewer: name at least one",
                queue.name
            )));
        }
        Ok(queue)
    }

    /// Adds a reviewer at the end. Open items are open to them too; items assigned before are not.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn add_reviewer(&mut self, reviewer: impl Into<String>) -> Result<(), ReviewError> {
        let reviewer = reviewer.into();
        check_name("reviewer", &reviewer)?;
        let folded = reviewer.to_lowercase();
        if let Some(known) = self
            .reviewers
            .iter()
            .find(|known| known.to_lowercase() == folded)
        {
            return Err(ReviewError::invalid(format!(
                "reviewer {reviewer:?} is already there as {known:?}: name each once"
            )));
        }
        self.reviewers.push(reviewer);
        Ok(())
    }

    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is asked of each item.
    pub fn schema(&self) -> &LabelSchema {
        &self.schema
    }

    /// The reviewers, in the order in which they were named.
    pub fn reviewers(&self) -> &[String] {
        &self.reviewers
    }

    /// The items, in the order in which they were added.
    pub fn items(&self) -> &[ReviewItem] {
        &self.items
    }

    /// An item.
    ///
    /// # Errors
    /// `NotFound` when it is not in the queue.
    pub fn item(&self, key: &ItemKey) -> Result<&ReviewItem, ReviewError> {
        self.items
            .iter()
            .find(|item| item.key == *key)
            .ok_or_else(|| self.missing(key))
    }

    /// How far an item is.
    pub fn state(&self, item: &ReviewItem) -> ItemState {
        item.state(self.may_answer(item))
    }

    /// The next item for a reviewer, held for `lease_ns` from `now_ns`: the one that they hold, else the first that has
    /// a free seat and that they neither answered nor skipped.
    ///
    /// # Errors
    /// When the reviewer is not of the queue, or the lease has no length.
    pub fn next(
        &mut self,
        reviewer: &str,
        now_ns: i64,
        lease_ns: i64,
    ) -> Result<Next, ReviewError> {
        self.check_reviewer(reviewer)?;
        let until_ns = now_ns.checked_add(lease_ns).filter(|_| lease_ns > 0).ok_or_else(|| {
            ReviewError::invalid(format!(
                "lease of {lease_ns} ns from {now_ns} has no end after now: give a length above 0"
            ))
        })?;
        let mut items = self.items.iter();
        let held = items.position(|item| item.is_held_by(reviewer, now_ns));
        let found = held.or_else(|| {
            let mut items = self.items.iter();
            items.position(|item| self.may(reviewer, item) && item.can_offer(reviewer, now_ns))
        });
        let Some(item) = found.and_then(|index| self.items.get_mut(index)) else {
            return Ok(self.wait(reviewer, now_ns));
        };
        item.end_leases(now_ns);
        let lease = item.leases.entry(reviewer.to_owned()).or_insert(until_ns);
        *lease = until_ns.max(*lease);
        Ok(Next::Item {
            key: item.key.clone(),
            until_ns: *lease,
        })
    }

    /// What a reviewer does for whom there is no item now.
    fn wait(&self, reviewer: &str, now_ns: i64) -> Next {
        let left = self.items.iter();
        let left = left.filter(|item| self.may(reviewer, item) && item.is_waiting_for(reviewer));
        let ends = left.flat_map(|item| item.leases.values().copied());
        match ends.filter(|end| *end > now_ns).min() {
            Some(until_ns) => Next::Wait { until_ns },
            None => Next::Done,
        }
    }

    /// Takes an answer. It need not follow [`next`](Self::next), and it may come after the lease has ended, as long as
    /// a seat is free. A second answer of the same reviewer supersedes the first.
    ///
    /// # Errors
    /// `InvalidInput` with every fault of the answer; `NotFound` for an item or a reviewer not of the queue; `Conflict`
    /// when the item is assigned to others, or others have answered or hold every seat.
    pub fn answer(
        &mut self,
        key: &ItemKey,
        reviewer: &str,
        answer: &Map<String, Value>,
        comment: Option<String>,
        now_ns: i64,
    ) -> Result<Answered, ReviewError> {
        let item = self.item_for(key, reviewer)?;
        let supersedes = item.has_answer_of(reviewer);
        if !supersedes && item.seats_for(reviewer, now_ns) == 0 {
            return Err(ReviewError::conflict(format!(
                "item {key} wants {} answers, and others gave them or hold it: ask for the next item",
                item.answers_wanted
            )));
        }
        let values = check_answer(&self.schema, answer).map_err(|faults: Vec<AnswerFault>| {
            ReviewError::of_faults(&format!("answer to {key}"), &faults)
        })?;
        let item = self.item_mut(key)?;
        item.end_leases(now_ns);
        item.leases.remove(reviewer);
        item.skips.remove(reviewer);
        item.answers.push(Answer {
            reviewer: reviewer.to_owned(),
            values,
            comment,
            at_ns: now_ns,
        });
        Ok(Answered {
            supersedes,
            complete: item.answers_given() >= item.answers_wanted,
        })
    }

    /// Notes that a reviewer will not answer an item; it is not offered to them again, and its seat is free. An answer
    /// that they give all the same takes it back.
    ///
    /// # Errors
    /// As [`answer`](Self::answer); `Conflict` when they answered it.
    pub fn skip(
        &mut self,
        key: &ItemKey,
        reviewer: &str,
        reason: Option<String>,
        now_ns: i64,
    ) -> Result<(), ReviewError> {
        if self.item_for(key, reviewer)?.has_answer_of(reviewer) {
            return Err(ReviewError::conflict(format!(
                "item {key} was answered by {reviewer:?}: it can be answered again, not skipped"
            )));
        }
        let item = self.item_mut(key)?;
        item.leases.remove(reviewer);
        item.skips.insert(
            reviewer.to_owned(),
            Skip {
                reason,
                at_ns: now_ns,
            },
        );
        Ok(())
    }

    /// Gives an item back before its lease ends; gives whether there was a lease.
    ///
    /// # Errors
    /// As [`skip`](Self::skip).
    pub fn release(&mut self, key: &ItemKey, reviewer: &str) -> Result<bool, ReviewError> {
        self.item_for(key, reviewer)?;
        Ok(self.item_mut(key)?.leases.remove(reviewer).is_some())
    }

    /// Removes a trace and its spans from the queue with all that was answered of them; gives what was removed.
    pub fn remove_trace(&mut self, trace_id: &str) -> Vec<ReviewItem> {
        let is_of = |item: &mut ReviewItem| item.key.trace_id() == Some(trace_id);
        self.items.extract_if(.., is_of).collect()
    }

    /// Who may answer an item.
    pub(super) fn may_answer<'a>(&'a self, item: &'a ReviewItem) -> &'a [String] {
        if item.assignees.is_empty() {
            &self.reviewers
        } else {
            &item.assignees
        }
    }

    /// Whether a reviewer may answer an item.
    pub(super) fn may(&self, reviewer: &str, item: &ReviewItem) -> bool {
        self.may_answer(item).iter().any(|name| name == reviewer)
    }

    pub(super) fn item_mut(&mut self, key: &ItemKey) -> Result<&mut ReviewItem, ReviewError> {
        let missing = self.missing(key);
        self.items
            .iter_mut()
            .find(|item| item.key == *key)
            .ok_or(missing)
    }

    pub(super) fn check_reviewer(&self, reviewer: &str) -> Result<(), ReviewError> {
        if self.reviewers.iter().any(|known| known == reviewer) {
            return Ok(());
        }
        Err(ReviewError::not_found(format!(
            "{reviewer:?} is no reviewer of queue {:?}: its reviewers are {}",
            self.name,
            self.reviewers.join(", ")
        )))
    }

    /// An item that a reviewer may answer.
    fn item_for(&self, key: &ItemKey, reviewer: &str) -> Result<&ReviewItem, ReviewError> {
        self.check_reviewer(reviewer)?;
        let item = self.item(key)?;
        if self.may(reviewer, item) {
            return Ok(item);
        }
        Err(ReviewError::conflict(format!(
            "item {key} is not assigned to {reviewer:?} but to {}: assign it anew, or ask for the next item",
            item.assignees.join(", ")
        )))
    }

    fn missing(&self, key: &ItemKey) -> ReviewError {
        ReviewError::not_found(format!(
            "item {key} is not in queue {:?}: add it first",
            self.name
        ))
    }
}

fn check_name(what: &str, name: &str) -> Result<(), ReviewError> {
    if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
        return Err(ReviewError::invalid(format!(
            "{what} name {name:?} is empty, has spaces around it or control characters in it: write it without"
        )));
    }
    Ok(())
}
