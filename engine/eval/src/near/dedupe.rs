//! Leaving out near-duplicates: which records stay, which go, and for whose sake.
//!
//! Records are taken by the caller's order. Each is kept unless a record kept before it is near. A chain (`b` near `a`,
//! `c` near `b` but not near `a`) therefore keeps `a` and `c`: a record is never dropped for one that it is not like.
//!
//! Invariants: every record is kept or dropped; no two kept ones are near (but for `cut`); every dropped one is near the kept one named
//! with it, so that doing it again drops none; the first of each near-duplicate group by the order is kept.

use super::error::NearError;
use super::finder::NearFinder;
use super::limit::Limit;
use super::nearest::Nearest;
use super::sets::Sets;
use super::threshold::Threshold;

/// A record that was left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropped {
    /// Its position.
    pub record: usize,
    /// Position of the record that stays in its place: of those kept before, the nearest (found as [`Match::other`] is).
    ///
    /// [`Match::other`]: super::Match::other
    pub kept: usize,
    /// Their exact Jaccard similarity, at least the threshold.
    pub similarity: f64,
}

/// Records without near-duplicates.
#[derive(Debug, Clone, PartialEq)]
pub struct Deduped {
    /// Positions of the records that stay, ascending.
    pub kept: Vec<usize>,
    /// The others, ascending.
    pub dropped: Vec<Dropped>,
    /// Records that were kept when their search was stopped at its limit of steps: they may be near another kept one. Empty
    /// as a rule.
    pub cut: Vec<usize>,
}

/// Leaves out near-duplicates among records of an order key and a text: [`NearFinder::dedupe`] for texts that are at hand.
///
/// ```
/// use tracehouse_eval::near::dedupe;
///
/// let records = [(30, "What is the capital of France?"), (10, "what is the capital of France"), (20, "Who are you?")];
/// let deduped = dedupe(&records, 0.9)?;
/// assert_eq!(deduped.kept, [1, 2]);
/// assert_eq!(deduped.dropped.first().map(|gone| (gone.record, gone.kept)), Some((0, 1)));
/// # Ok::<(), tracehouse_eval::near::NearError>(())
/// ```
///
/// # Errors
/// When the threshold is not above 0 and at most 1, or there are more than 4,294,967,295 records.
pub fn dedupe<K: Ord, T: AsRef<str>>(
    records: &[(K, T)],
    threshold: f64,
) -> Result<Deduped, NearError> {
    let mut finder = NearFinder::new(threshold)?;
    for (_, text) in records {
        finder.add(text.as_ref())?;
    }
    let order: Vec<&K> = records.iter().map(|(key, _)| key).collect();
    finder.dedupe(&order)
}

/// Takes the texts of ranked sets in this order.
pub(super) fn deduped(sets: &Sets, threshold: Threshold, limit: Limit, order: &[usize]) -> Deduped {
    let mut nearest = Nearest::new(sets, threshold, limit);
    let mut leaders: Vec<Option<Leader>> = vec![None; sets.len() as usize];
    let mut cut = Vec::new();
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for &text in order {
        let Some(&set) = sets.set_of_text().get(text) else {
            continue;
        };
        let of_copy = leaders.get(set as usize).copied().flatten();
        if let Some(leader) = of_copy {
            dropped.push(leader.takes(text));
            continue;
        }
        let found = nearest.find(sets.get(set));
        if found.is_cut {
            cut.push(set);
        }
        let near = found.best.and_then(|(near, similarity)| {
            let leader = leaders.get(near as usize).copied().flatten()?;
            Some(Leader {
                similarity,
                ..leader
            })
        });
        match near {
            Some(leader) => dropped.push(leader.takes(text)),
            None => {
                nearest.insert(set, kept.len() as u32);
                kept.push(text);
            }
        }
        let leader = near.unwrap_or(Leader {
            text,
            similarity: 1.0,
        });
        if let Some(slot) = leaders.get_mut(set as usize) {
            *slot = Some(leader);
        }
    }
    kept.sort_unstable();
    dropped.sort_unstable_by_key(|gone: &Dropped| gone.record);
    Deduped {
        kept,
        dropped,
        cut: sets.texts_of(&cut),
    }
}

/// The kept text that stands for a set, and how near it is.
#[derive(Clone, Copy)]
struct Leader {
    text: usize,
    similarity: f64,
}

impl Leader {
    fn takes(self, record: usize) -> Dropped {
        Dropped {
            record,
            kept: self.text,
            similarity: self.similarity,
        }
    }
}
