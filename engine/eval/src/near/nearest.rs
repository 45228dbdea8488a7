//! The nearest of a collection to one set, and what two collections share.
//!
//! The search knows nothing of sizes, so both sides use the longer prefix, `n - ceil(t * n) + 1`. Once a near set is found
//! only nearer ones are wanted: the threshold rises to its similarity and the prefix shrinks.
//!
//! Invariants: if a near set was put in, one is found, unless the search is cut at its limit of steps, which is told. It is
//! the nearest of all, of those the one of the lowest rank, if that shows within [`NEARER_STEPS_MAX`] more steps: among
//! thousands of sets that are all near, the nearest is not worth the search.

use super::index::Index;
use super::join::compare;
use super::limit::{Limit, NEARER_STEPS_MAX};
use super::sets::Sets;
use super::threshold::Threshold;

/// A text of one collection and the one of another that is nearest to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Position of the text.
    pub text: usize,
    /// Position of the nearest text in the other collection; the first, when several are. After a near one is found, the
    /// search for a nearer one goes on for 4,000 steps: where thousands are near, this is one of the nearest.
    pub other: usize,
    /// Their exact Jaccard similarity; 1 when their shingles are the same.
    pub similarity: f64,
}

/// What one collection shares with another.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    /// The texts that have a near-duplicate in the other, ascending.
    pub matches: Vec<Match>,
    /// Texts without a match whose search was stopped at its limit of steps: they may have one. Empty as a rule.
    pub cut: Vec<usize>,
}

/// What a search found.
pub(super) struct Found {
    pub(super) best: Option<(u32, f64)>,
    pub(super) is_cut: bool,
}

/// Sets to be searched for the nearest.
pub(super) struct Nearest<'a> {
    sets: &'a Sets,
    threshold: Threshold,
    limit: Limit,
    index: Index,
    /// Of sets that are as near, the one of the lower rank is taken.
    ranks: Vec<u32>,
    /// The search that last met each set.
    met_by: Vec<u32>,
    search: u32,
}

impl<'a> Nearest<'a> {
    /// Room for all the sets, none of them put in.
    pub(super) fn new(sets: &'a Sets, threshold: Threshold, limit: Limit) -> Self {
        Self {
            sets,
            threshold,
            limit,
            index: Index::with_room(sets, |n| threshold.prefix(n)),
            ranks: vec![u32::MAX; sets.len() as usize],
            met_by: vec![0; sets.len() as usize],
            search: 0,
        }
    }

    /// Puts in a set, once; of sets that are as near, the one of the lowest rank is found.
    pub(super) fn insert(&mut self, set: u32, rank: u32) {
        let tokens = self.sets.get(set);
        let prefix = self.threshold.prefix(tokens.len());
        self.index
            .insert(set, tokens.get(..prefix).unwrap_or(tokens));
        if let Some(slot) = self.ranks.get_mut(set as usize) {
            *slot = rank;
        }
    }

    /// The nearest of the sets that were put in.
    pub(super) fn find(&mut self, tokens: &[u64]) -> Found {
        self.search += 1;
        let mut best: Option<(u32, f64)> = None;
        let mut threshold = self.threshold;
        let mut steps = 0;
        let mut steps_max = self.limit.steps_max(tokens.len());
        for (at, token) in tokens.iter().enumerate() {
            if at >= threshold.prefix(tokens.len()) {
                break;
            }
            let Some(list) = self.index.list(*token) else {
                continue;
            };
            for posting in self.index.postings(list) {
                steps += 1;
                if steps > steps_max {
                    let is_cut = best.is_none();
                    return Found { best, is_cut };
                }
                let Some(met_by) = self.met_by.get_mut(posting.set as usize) else {
                    continue;
                };
                if std::mem::replace(met_by, self.search) == self.search {
                    continue;
                }
                let other = (self.sets.get(posting.set), posting.at as usize);
                if let Some(similarity) = compare((tokens, at), other, threshold, &mut steps) {
                    if best.is_none() {
                        steps_max = steps + NEARER_STEPS_MAX;
                    }
                    best = Some(better(best, (posting.set, similarity), &self.ranks));
                    threshold = threshold.raised_to(similarity);
                }
            }
        }
        let is_cut = false;
        Found { best, is_cut }
    }
}

/// The nearer of two sets, else the one of the lower rank.
fn better(best: Option<(u32, f64)>, new: (u32, f64), ranks: &[u32]) -> (u32, f64) {
    let rank = |set: u32| ranks.get(set as usize);
    match best {
        Some(old) if old.1 > new.1 || (old.1 == new.1 && rank(old.0) < rank(new.0)) => old,
        _ => new,
    }
}

/// The texts of one collection that have a near one in the other; both were ranked together.
pub(super) fn against(sets: &Sets, other: &Sets, threshold: Threshold, limit: Limit) -> Against {
    let mut nearest = Nearest::new(other, threshold, limit);
    for set in other.by_size() {
        nearest.insert(set, other.first_text(set) as u32);
    }
    let mut cut = Vec::new();
    let mut best_of_set = Vec::new();
    for set in 0..sets.len() {
        let equal = sets.equal_in(set, other).map(|equal| (equal, 1.0));
        best_of_set.push(equal.or_else(|| {
            let found = nearest.find(sets.get(set));
            if found.is_cut {
                cut.push(set);
            }
            found.best
        }));
    }
    let mut matches = Vec::new();
    for (text, set) in sets.set_of_text().iter().enumerate() {
        if let Some((near, similarity)) = best_of_set.get(*set as usize).copied().flatten() {
            matches.push(Match {
                text,
                other: other.first_text(near),
                similarity,
            });
        }
    }
    Against {
        matches,
        cut: sets.texts_of(&cut),
    }
}
