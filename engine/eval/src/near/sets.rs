//! Hashed shingle sets of all texts in one block of memory, eight bytes a shingle.
//!
//! Between the shingles and the searches. Texts of equal sets share one set, so a hundred thousand copies cost one. A
//! token is a hash of 56 bits under a class of eight: how many sets hold it, roughly ([`rank`]). So a set in plain
//! ascending order has its rarest shingles first, the same order in every set.
//!
//! Invariants:
//! 1. After [`rank`], every set ascends, and equal hashes are equal tokens in all the sets that were ranked together.
//! 2. A token of class [`UNIQUE`] is in one set only. (The counts are of slots of a table, which hashes may share: a class
//!    may be too high, never too low.)

use std::collections::HashMap;

use twox_hash::XxHash3_128;

use super::error::NearError;
use super::shingles::HASH_BITS;

/// The class of a token that one set alone holds.
const UNIQUE: u64 = 1;

/// Fewest and most slots of the table of counts, two bytes each.
const COUNT_SLOTS_MIN: usize = 1 << 10;
const COUNT_SLOTS_MAX: usize = 1 << 27;

/// Sets of tokens and the texts that have them.
#[derive(Debug, Default)]
pub(super) struct Sets {
    tokens: Vec<u64>,
    /// Where each set ends in `tokens`.
    ends: Vec<usize>,
    /// Hash of each set, which folds the texts that have the same.
    keys: Vec<u128>,
    first_texts: Vec<u32>,
    set_of_text: Vec<u32>,
    by_key: HashMap<u128, u32>,
    bytes: Vec<u8>,
}

impl Sets {
    /// Adds a text by the ascending hashes of its shingles; returns its position.
    pub(super) fn push(&mut self, hashes: &[u64]) -> Result<usize, NearError> {
        let position = self.set_of_text.len();
        let text = u32::try_from(position).map_err(|_| NearError::TooManyTexts)?;
        self.bytes.clear();
        self.bytes
            .extend(hashes.iter().flat_map(|hash| hash.to_le_bytes()));
        let key = XxHash3_128::oneshot(&self.bytes);
        let new = self.ends.len() as u32;
        let set = *self.by_key.entry(key).or_insert(new);
        if set == new {
            self.tokens.extend_from_slice(hashes);
            self.ends.push(self.tokens.len());
            self.keys.push(key);
            self.first_texts.push(text);
        }
        self.set_of_text.push(set);
        Ok(position)
    }

    /// Texts that were added.
    pub(super) fn texts(&self) -> usize {
        self.set_of_text.len()
    }

    /// Distinct sets.
    pub(super) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    /// The tokens of a set.
    pub(super) fn get(&self, set: u32) -> &[u64] {
        let set = set as usize;
        let start = set.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(set).copied().unwrap_or(0);
        self.tokens
            .get(start.copied().unwrap_or(0)..end)
            .unwrap_or_default()
    }

    /// The hashes of a text's shingles, ascending.
    pub(super) fn hashes_of_text(&self, text: usize) -> Option<Vec<u64>> {
        let tokens = self.get(*self.set_of_text.get(text)?);
        let mut hashes: Vec<u64> = tokens.iter().map(|token| hash_of(*token)).collect();
        hashes.sort_unstable();
        Some(hashes)
    }

    /// The set of each text.
    pub(super) fn set_of_text(&self) -> &[u32] {
        &self.set_of_text
    }

    /// The first text of a set.
    pub(super) fn first_text(&self, set: u32) -> usize {
        self.first_texts.get(set as usize).copied().unwrap_or(0) as usize
    }

    /// The set of other texts that equals this one.
    pub(super) fn equal_in(&self, set: u32, other: &Self) -> Option<u32> {
        other.by_key.get(self.keys.get(set as usize)?).copied()
    }

    /// All sets, the smaller first; those of one size in the order of their hashes, so not in that of adding.
    pub(super) fn by_size(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len()).collect();
        order.sort_unstable_by_key(|set| {
            (self.get(*set).len(), self.keys.get(*set as usize).copied())
        });
        order
    }

    /// The texts of each set, ascending.
    pub(super) fn copies(&self) -> Vec<Vec<usize>> {
        let mut copies = vec![Vec::new(); self.ends.len()];
        for (text, set) in self.set_of_text.iter().enumerate() {
            if let Some(texts) = copies.get_mut(*set as usize) {
                texts.push(text);
            }
        }
        copies
    }

    /// The texts of these sets, ascending.
    pub(super) fn texts_of(&self, sets: &[u32]) -> Vec<usize> {
        if sets.is_empty() {
            return Vec::new();
        }
        let mut wanted = vec![false; self.ends.len()];
        for set in sets {
            if let Some(flag) = wanted.get_mut(*set as usize) {
                *flag = true;
            }
        }
        let is_wanted = |set: u32| wanted.get(set as usize).copied().unwrap_or(false);
        let texts = self.set_of_text.iter().enumerate();
        texts
            .filter(|(_, set)| is_wanted(**set))
            .map(|(text, _)| text)
            .collect()
    }

    /// Writes the class of each token and sorts the sets by it, each half by a thread of its own.
    fn apply(&mut self, counts: &Counts) {
        let middle = self.ends.len() / 2;
        let (ends_a, ends_b) = self.ends.split_at(middle);
        let cut = ends_a.last().copied().unwrap_or(0);
        let (a, b) = self.tokens.split_at_mut(cut);
        std::thread::scope(|scope| {
            scope.spawn(|| apply_run(a, 0, ends_a, counts));
            apply_run(b, cut, ends_b, counts);
        });
    }
}

fn apply_run(tokens: &mut [u64], start: usize, ends: &[usize], counts: &Counts) {
    let mut rest = tokens;
    let mut from = start;
    for end in ends {
        let Some((set, after)) = std::mem::take(&mut rest).split_at_mut_checked(end - from) else {
            return;
        };
        for token in set.iter_mut() {
            *token = (counts.class(*token) << HASH_BITS) | hash_of(*token);
        }
        set.sort_unstable();
        rest = after;
        from = *end;
    }
}

/// Orders the tokens of all sets by how many sets hold them, the rarest first.
pub(super) fn rank(all: &mut [&mut Sets]) {
    let mut counts = Counts::new(all.iter().map(|sets| sets.tokens.len()).sum());
    for sets in all.iter() {
        sets.tokens.iter().for_each(|token| counts.add(*token));
    }
    for sets in all.iter_mut() {
        sets.apply(&counts);
    }
}

/// Whether no other set holds the token.
pub(super) fn is_unique(token: u64) -> bool {
    token >> HASH_BITS == UNIQUE
}

/// How many tokens two ascending runs share, if at least so many; gives up when too few are left. `steps` grows by the
/// tokens passed.
pub(super) fn common(a: &[u64], b: &[u64], needed: usize, steps: &mut u64) -> Option<usize> {
    let (mut a, mut b) = (a, b);
    let mut common = 0;
    while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
        if common + a.len().min(b.len()) < needed {
            return None;
        }
        *steps += 1;
        if first_a <= first_b {
            a = rest_a;
        }
        if first_b <= first_a {
            b = rest_b;
        }
        common += usize::from(first_a == first_b);
    }
    (common >= needed).then_some(common)
}

fn hash_of(token: u64) -> u64 {
    token & ((1 << HASH_BITS) - 1)
}

/// How often each token occurs, by slots that its hash picks.
struct Counts {
    slots: Vec<u16>,
}

impl Counts {
    /// Room for so many tokens: two slots or more for each, so that few share one.
    fn new(tokens: usize) -> Self {
        let slots = tokens
            .saturating_mul(2)
            .clamp(COUNT_SLOTS_MIN, COUNT_SLOTS_MAX);
        Self {
            slots: vec![0; slots.next_power_of_two()],
        }
    }

    fn slot(&self, token: u64) -> usize {
        token as usize & (self.slots.len() - 1)
    }

    fn add(&mut self, token: u64) {
        let slot = self.slot(token);
        if let Some(count) = self.slots.get_mut(slot) {
            *count = count.saturating_add(1);
        }
    }

    /// From 1 to 255, the higher the more: exact to 15, then eight classes to each doubling.
    fn class(&self, token: u64) -> u64 {
        let count = u64::from(self.slots.get(self.slot(token)).copied().unwrap_or(0)).max(1);
        if count < 16 {
            return count;
        }
        let doublings = u64::from(count.ilog2());
        16 + 8 * (doublings - 4) + ((count >> (doublings - 3)) & 7)
    }
}
