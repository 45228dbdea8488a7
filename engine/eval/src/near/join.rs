//! All near pairs among one collection of texts, as groups or as pairs.
//!
//! 1. Sets are taken in order of size, so a set looks for near ones among those of its size and below.
//! 2. Each looks up the first `n - ceil(t * n) + 1` of its tokens in the index: a near set has one of them.
//! 3. A set met for the first time, at places `i` and `j`, can share `1 + min(n - i - 1, m - j - 1)` tokens at most. If
//!    that is enough and its size is, the rest of both is compared, up to where too few are left.
//! 4. Then the set itself is put in by its first `n - ceil(2t / (1 + t) * n) + 1` tokens: later sets are no smaller, so
//!    more must be common.
//!
//! For groups, sets that are joined already need no comparing. Every list of the index keeps the postings of one group at
//! its front, to be passed over in one step: texts that share boilerplate and are all alike cost one comparison each, not
//! one for each pair.
//!
//! Invariant: no pair is lost but of sets whose search took more steps than the limit, which are named in `cut`.

use super::index::{Index, Posting};
use super::limit::Limit;
use super::sets::{Sets, common};
use super::threshold::Threshold;
use super::union::UnionFind;

/// Texts that are near-duplicates of each other, directly or over others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// Positions of the texts of each group of two or more, ascending, by their first. A text in none is alone.
    pub groups: Vec<Vec<usize>>,
    /// Texts whose search was stopped at its limit of steps: near ones of theirs may be missing. Empty as a rule.
    pub cut: Vec<usize>,
}

impl Groups {
    /// For each of so many texts, the number of its group: its place in [`Groups::groups`].
    pub fn numbers(&self, texts: usize) -> Vec<Option<usize>> {
        let mut numbers = vec![None; texts];
        for (number, group) in self.groups.iter().enumerate() {
            for text in group {
                if let Some(slot) = numbers.get_mut(*text) {
                    *slot = Some(number);
                }
            }
        }
        numbers
    }
}

/// Two near texts by position, `a` before `b`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The first text.
    pub a: usize,
    /// The second text.
    pub b: usize,
    /// Their exact Jaccard similarity.
    pub similarity: f64,
}

/// Near pairs of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// By `a`, then by `b`.
    pub pairs: Vec<Pair>,
    /// Whether there are more pairs than were asked for.
    pub more: bool,
    /// As [`Groups::cut`].
    pub cut: Vec<usize>,
}

/// The groups of sets that were ranked.
pub(super) fn groups(sets: &Sets, threshold: Threshold, limit: Limit) -> Groups {
    let mut join = Join::new(sets, threshold, limit, Found::Joined);
    join.run();
    let copies = sets.copies();
    let mut groups = Vec::new();
    for group in join.joined.groups() {
        let of_set = |set: u32| copies.get(set as usize).into_iter().flatten();
        let mut texts: Vec<usize> = group.into_iter().flat_map(of_set).copied().collect();
        if texts.len() > 1 {
            texts.sort_unstable();
            groups.push(texts);
        }
    }
    groups.sort_unstable();
    Groups {
        groups,
        cut: sets.texts_of(&join.cut),
    }
}

/// The pairs of sets that were ranked, up to so many.
pub(super) fn pairs(sets: &Sets, threshold: Threshold, limit: Limit, pairs_max: usize) -> Pairs {
    let found = Found::Pairs {
        pairs: Vec::new(),
        pairs_max,
    };
    let mut join = Join::new(sets, threshold, limit, found);
    join.run();
    let near = match join.found {
        Found::Pairs { pairs, .. } => pairs,
        Found::Joined => Vec::new(),
    };
    let mut pairs = spread(&sets.copies(), &near, pairs_max.saturating_add(1));
    let more = pairs.len() > pairs_max;
    pairs.truncate(pairs_max);
    pairs.sort_unstable_by_key(|pair| (pair.a, pair.b));
    Pairs {
        pairs,
        more,
        cut: sets.texts_of(&join.cut),
    }
}

/// Pairs of sets as pairs of the texts that have them, after the pairs of texts that have one set.
fn spread(copies: &[Vec<usize>], near: &[(u32, u32, f64)], pairs_max: usize) -> Vec<Pair> {
    let of_set = |set: u32| copies.get(set as usize).map_or(&[][..], Vec::as_slice);
    let alike = copies.iter().flat_map(|texts| {
        let places = texts.iter().enumerate();
        places.flat_map(|(at, a)| texts.iter().skip(at + 1).map(move |b| (*a, *b, 1.0)))
    });
    let apart = near.iter().flat_map(|(x, y, similarity)| {
        let others = of_set(*y);
        let texts = of_set(*x).iter();
        texts.flat_map(move |a| others.iter().map(move |b| (*a, *b, *similarity)))
    });
    let pairs = alike.chain(apart).take(pairs_max);
    pairs
        .map(|(a, b, similarity)| Pair {
            a: a.min(b),
            b: a.max(b),
            similarity,
        })
        .collect()
}

/// What becomes of a near pair of sets.
enum Found {
    /// It is joined, nothing else.
    Joined,
    /// It is kept, up to one more than so many; nothing is joined.
    Pairs {
        pairs: Vec<(u32, u32, f64)>,
        pairs_max: usize,
    },
}

struct Join<'a> {
    sets: &'a Sets,
    threshold: Threshold,
    limit: Limit,
    index: Index,
    joined: UnionFind,
    found: Found,
    /// The set that last met this one.
    met_by: Vec<u32>,
    cut: Vec<u32>,
}

/// The set that is looking, the place of its token, and what it has spent.
struct Seeker<'a> {
    set: u32,
    tokens: &'a [u64],
    at: usize,
    steps: u64,
    steps_max: u64,
}

impl<'a> Join<'a> {
    fn new(sets: &'a Sets, threshold: Threshold, limit: Limit, found: Found) -> Self {
        Self {
            sets,
            threshold,
            limit,
            index: Index::with_room(sets, |n| threshold.prefix_among_larger(n)),
            joined: UnionFind::new(sets.len()),
            found,
            met_by: vec![u32::MAX; sets.len() as usize],
            cut: Vec::new(),
        }
    }

    fn run(&mut self) {
        for set in self.sets.by_size() {
            let tokens = self.sets.get(set);
            let mut seeker = Seeker {
                set,
                tokens,
                at: 0,
                steps: 0,
                steps_max: self.limit.steps_max(tokens.len()),
            };
            for (at, token) in tokens
                .iter()
                .take(self.threshold.prefix(tokens.len()))
                .enumerate()
            {
                seeker.at = at;
                if let Some(list) = self.index.list(*token) {
                    self.scan(list, &mut seeker);
                }
                if seeker.steps > seeker.steps_max {
                    self.cut.push(set);
                    break;
                }
            }
            if self.is_full() {
                return;
            }
            let prefix = self.threshold.prefix_among_larger(tokens.len());
            self.index
                .insert(set, tokens.get(..prefix).unwrap_or(tokens));
        }
    }

    /// Compares with the sets of one list.
    fn scan(&mut self, list: usize, seeker: &mut Seeker<'_>) {
        let front = self.index.front(list);
        let (mut place, mut joined) = (0, 0);
        // By place and not by iterator: a found pair changes `self`.
        while let Some(posting) = self.index.postings(list).get(place).copied() {
            seeker.steps += 1;
            if seeker.steps > seeker.steps_max {
                return;
            }
            let is_joined = self.are_joined(posting.set, seeker.set) || self.meet(posting, seeker);
            let mut next = place + 1;
            if is_joined {
                // Those of the front are one group: who is in with one of them is in with all.
                next = next.max(front);
                joined += next - place;
            }
            place = next;
        }
        let first = self.index.postings(list).first().map(|posting| posting.set);
        let is_home = first.is_some_and(|first| self.are_joined(first, seeker.set));
        if is_home && joined > 0 {
            self.bring_to_front(list, front, seeker);
        } else if joined > front {
            self.bring_to_front(list, 0, seeker);
        }
    }

    /// Compares with one set; whether both are in one group now.
    fn meet(&mut self, posting: Posting, seeker: &mut Seeker<'_>) -> bool {
        let Some(met_by) = self.met_by.get_mut(posting.set as usize) else {
            return false;
        };
        if std::mem::replace(met_by, seeker.set) == seeker.set {
            return false;
        }
        let spent = seeker.steps;
        let near = self.similarity(posting, seeker);
        match (&mut self.found, near) {
            (_, None) => false,
            (Found::Joined, Some(_)) => {
                self.joined.join(posting.set, seeker.set);
                true
            }
            (Found::Pairs { pairs, pairs_max }, Some(similarity)) => {
                // Pairs that are found are limited by their own number.
                seeker.steps = spent;
                if pairs.len() <= *pairs_max {
                    pairs.push((posting.set, seeker.set, similarity));
                }
                false
            }
        }
    }

    fn similarity(&self, posting: Posting, seeker: &mut Seeker<'_>) -> Option<f64> {
        compare(
            (seeker.tokens, seeker.at),
            (self.sets.get(posting.set), posting.at as usize),
            self.threshold,
            &mut seeker.steps,
        )
    }

    fn are_joined(&mut self, a: u32, b: u32) -> bool {
        self.joined.find(a) == self.joined.find(b)
    }

    /// Moves the postings of the seeker's group to the front of the list, behind the `skip` that are there. It costs as many
    /// steps as the scan that was just made.
    fn bring_to_front(&mut self, list: usize, skip: usize, seeker: &mut Seeker<'_>) {
        let home = self.joined.find(seeker.set);
        let Some((postings, front)) = self.index.list_mut(list) else {
            return;
        };
        let mut kept = skip;
        for place in skip..postings.len() {
            seeker.steps += 1;
            let posting = postings.get(place).copied().unwrap_or_default();
            if self.joined.find(posting.set) == home {
                postings.swap(kept, place);
                kept += 1;
            }
        }
        *front = kept as u32;
    }

    fn is_full(&self) -> bool {
        match &self.found {
            Found::Joined => false,
            Found::Pairs { pairs, pairs_max } => pairs.len() > *pairs_max,
        }
    }
}

/// The similarity of two sets whose first common token is at these places, if it meets the threshold.
pub(super) fn compare(
    (a, at_a): (&[u64], usize),
    (b, at_b): (&[u64], usize),
    threshold: Threshold,
    steps: &mut u64,
) -> Option<f64> {
    if a.len().min(b.len()) < threshold.len_min(a.len().max(b.len())) {
        return None;
    }
    let needed = threshold.common_min(a.len(), b.len()) - 1;
    let (rest_a, rest_b) = (a.get(at_a + 1..)?, b.get(at_b + 1..)?);
    let shared = 1 + common(rest_a, rest_b, needed, steps)?;
    threshold.met(shared, a.len(), b.len())
}
