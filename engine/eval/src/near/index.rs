//! The inverted index of prefixes: which sets hold a token among their first ones.
//!
//! Between the ranked sets and the searches. Room for every list is known before the first set is put in, so all lists
//! stand in one block. Tokens of one set only have no list, for nobody can ask for them.
//!
//! Invariants: a list holds the sets that were put in and no others; the first `front` postings of a list are of sets that
//! one group held when they were moved there ([`Index::list_mut`]), which stays true because groups only grow.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::sets::{Sets, is_unique};

/// A set that holds the token, and at which place of its order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Posting {
    pub(super) set: u32,
    pub(super) at: u32,
}

#[derive(Debug, Clone, Copy)]
struct List {
    start: usize,
    filled: u32,
    front: u32,
}

/// Lists of postings by token.
#[derive(Debug)]
pub(super) struct Index {
    by_token: HashMap<u64, u32, BuildHasherDefault<TokenHasher>>,
    lists: Vec<List>,
    postings: Vec<Posting>,
}

impl Index {
    /// No set yet, but room for the first `prefix(n)` tokens of every set of `n`.
    pub(super) fn with_room(sets: &Sets, prefix: impl Fn(usize) -> usize) -> Self {
        let mut index = Self {
            by_token: HashMap::default(),
            lists: Vec::new(),
            postings: Vec::new(),
        };
        for set in 0..sets.len() {
            let tokens = sets.get(set);
            for token in tokens.iter().take(prefix(tokens.len())) {
                if !is_unique(*token) {
                    index.count(*token);
                }
            }
        }
        let mut start = 0;
        for list in &mut index.lists {
            let room = std::mem::replace(&mut list.start, start);
            start += room;
        }
        index.postings = vec![Posting::default(); start];
        index
    }

    /// Makes room for one more posting; until all is counted, the room stands where the start will.
    fn count(&mut self, token: u64) {
        let new = self.lists.len() as u32;
        let list = *self.by_token.entry(token).or_insert(new);
        if list == new {
            self.lists.push(List {
                start: 0,
                filled: 0,
                front: 0,
            });
        }
        if let Some(list) = self.lists.get_mut(list as usize) {
            list.start += 1;
        }
    }

    /// Puts in a set by the first tokens of it that room was made for.
    pub(super) fn insert(&mut self, set: u32, prefix: &[u64]) {
        for (at, token) in prefix.iter().enumerate() {
            let Some(list) = self.list(*token).and_then(|at| self.lists.get_mut(at)) else {
                continue;
            };
            if let Some(slot) = self.postings.get_mut(list.start + list.filled as usize) {
                *slot = Posting { set, at: at as u32 };
                list.filled += 1;
            }
        }
    }

    /// The list of a token that some set may share.
    pub(super) fn list(&self, token: u64) -> Option<usize> {
        if is_unique(token) {
            return None;
        }
        self.by_token.get(&token).map(|list| *list as usize)
    }

    /// The postings of a list, in no order that matters.
    pub(super) fn postings(&self, list: usize) -> &[Posting] {
        let Some(list) = self.lists.get(list) else {
            return &[];
        };
        let end = list.start + list.filled as usize;
        self.postings.get(list.start..end).unwrap_or_default()
    }

    /// The same to reorder, with how many at its front are of one group.
    pub(super) fn list_mut(&mut self, list: usize) -> Option<(&mut [Posting], &mut u32)> {
        let list = self.lists.get_mut(list)?;
        let end = list.start + list.filled as usize;
        let postings = self.postings.get_mut(list.start..end)?;
        Some((postings, &mut list.front))
    }

    /// How many postings at the front of a list are of one group.
    pub(super) fn front(&self, list: usize) -> usize {
        self.lists.get(list).map_or(0, |list| list.front as usize)
    }
}

/// Tokens are hashes; this spreads them over the bits that the map looks at.
#[derive(Debug, Default)]
pub(super) struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, token: u64) {
        self.0 = token.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
