//! Tests of the searches against the plain comparison of all pairs, and the texts they share.

mod dedupe;
mod search;
mod shingles;
mod split;

use proptest::prelude::*;

use super::Shingles;

/// A small seeded generator, for corpora too large for proptest.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    pub(super) fn words(&mut self, count: usize, vocabulary: usize) -> Vec<String> {
        (0..count)
            .map(|_| format!("w{}", self.below(vocabulary)))
            .collect()
    }
}

/// Few texts of few words, many of them alike: each is a cut of one long text with some words changed.
pub(super) fn alike_texts() -> impl Strategy<Value = Vec<String>> {
    let change = prop::collection::vec((0..30usize, 0..6u8), 0..4);
    let text = (0..2usize, 0..12usize, 0..25usize, change);
    prop::collection::vec(text, 0..24).prop_map(|texts| {
        let cuts = texts.into_iter();
        cuts.map(|(family, from, length, changes)| cut(family, from, length, &changes))
            .collect()
    })
}

fn cut(family: usize, from: usize, length: usize, changes: &[(usize, u8)]) -> String {
    let mut words: Vec<String> = (from..from + length)
        .map(|at| format!("f{family}n{}", at % 17))
        .collect();
    for (at, word) in changes {
        if let Some(slot) = words.get_mut(*at) {
            *slot = format!("x{word}");
        }
    }
    words.join(" ")
}

/// All pairs at the threshold, by comparing every two.
pub(super) fn brute_pairs(texts: &[String], threshold: f64) -> Vec<(usize, usize, f64)> {
    let shingles = Shingles::default();
    let mut pairs = Vec::new();
    for a in 0..texts.len() {
        for b in a + 1..texts.len() {
            let similarity = shingles.jaccard(&texts[a], &texts[b]);
            if similarity >= threshold {
                pairs.push((a, b, similarity));
            }
        }
    }
    pairs
}

pub(super) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
