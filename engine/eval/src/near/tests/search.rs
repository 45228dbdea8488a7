//! Pairs, groups and matches against the comparison of every two texts; inputs made to be slow.

use proptest::prelude::*;

use super::{Random, alike_texts, brute_pairs, config};
use crate::near::{Groups, NearError, NearFinder, Pair, Shingles};

fn finder(texts: &[String], threshold: f64) -> NearFinder {
    let mut finder = NearFinder::new(threshold).unwrap();
    for (at, text) in texts.iter().enumerate() {
        assert_eq!(finder.add(text), Ok(at));
    }
    finder
}

fn plain(pairs: &[Pair]) -> Vec<(usize, usize, f64)> {
    pairs
        .iter()
        .map(|pair| (pair.a, pair.b, pair.similarity))
        .collect()
}

/// Connected components of the pairs, by spreading the smallest position.
fn components(texts: usize, pairs: &[(usize, usize, f64)]) -> Vec<Vec<usize>> {
    let mut label: Vec<usize> = (0..texts).collect();
    for _ in 0..texts {
        for (a, b, _) in pairs {
            let least = label[*a].min(label[*b]);
            (label[*a], label[*b]) = (least, least);
        }
    }
    let members = |of: usize| {
        (0..texts)
            .filter(|text| label[*text] == of)
            .collect::<Vec<_>>()
    };
    (0..texts)
        .map(members)
        .filter(|group| group.len() > 1)
        .collect()
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn pairs_and_groups_are_those_of_all_comparisons(
        texts in alike_texts(), percent in 5..=100u32,
    ) {
        let threshold = f64::from(percent) / 100.0;
        let mut finder = finder(&texts, threshold);
        let expected = brute_pairs(&texts, threshold);
        let pairs = finder.pairs(1000);
        prop_assert_eq!(plain(&pairs.pairs), expected.clone());
        prop_assert!(!pairs.more && pairs.cut.is_empty());
        let groups = finder.groups();
        prop_assert_eq!(groups.groups, components(texts.len(), &expected));
        prop_assert!(groups.cut.is_empty());
        for (a, b, similarity) in expected {
            prop_assert_eq!(finder.similarity(a, b), Some(similarity));
        }
    }

    #[test]
    fn groups_do_not_depend_on_the_order(
        (texts, order) in alike_texts().prop_flat_map(|texts| {
            let order: Vec<usize> = (0..texts.len()).collect();
            (Just(texts), Just(order).prop_shuffle())
        }),
    ) {
        let moved: Vec<String> = order.iter().map(|at| texts[*at].clone()).collect();
        let mut groups = finder(&moved, 0.6).groups().groups;
        for group in &mut groups {
            group.iter_mut().for_each(|text| *text = order[*text]);
            group.sort_unstable();
        }
        groups.sort_unstable();
        prop_assert_eq!(groups, finder(&texts, 0.6).groups().groups);
    }

    #[test]
    fn matches_are_the_nearest_of_the_other(
        texts in alike_texts(), others in alike_texts(), percent in 20..=100u32,
    ) {
        let threshold = f64::from(percent) / 100.0;
        let shared = finder(&texts, threshold).against(&mut finder(&others, threshold)).unwrap();
        let mut expected = Vec::new();
        for (text, a) in texts.iter().enumerate() {
            let mut best: Option<(usize, f64)> = None;
            for (other, b) in others.iter().enumerate() {
                let similarity = Shingles::default().jaccard(a, b);
                if similarity >= threshold && best.is_none_or(|(_, old)| similarity > old) {
                    best = Some((other, similarity));
                }
            }
            expected.extend(best.map(|(other, similarity)| (text, other, similarity)));
        }
        let found = shared.matches.iter().map(|m| (m.text, m.other, m.similarity));
        prop_assert_eq!(found.collect::<Vec<_>>(), expected);
        prop_assert!(shared.cut.is_empty());
    }
}

/// Texts of 40 to 120 words; every second one is an earlier one with up to seven words changed.
fn planted(count: usize, seed: u64) -> (Vec<String>, Vec<(usize, usize)>) {
    let mut random = Random::new(seed);
    let mut texts: Vec<Vec<String>> = Vec::new();
    let mut planted = Vec::new();
    for at in 0..count {
        if at % 2 == 1 {
            let from = random.below(at);
            let mut words = texts[from].clone();
            for _ in 0..random.below(8) {
                let place = random.below(words.len());
                words[place] = format!("new{}", random.below(500));
            }
            planted.push((from, at));
            texts.push(words);
        } else {
            let length = 40 + random.below(81);
            texts.push(random.words(length, 300));
        }
    }
    (texts.iter().map(|words| words.join(" ")).collect(), planted)
}

#[test]
fn all_planted_pairs_at_the_threshold_are_found() {
    let (texts, planted) = planted(2000, 11);
    for threshold in [0.7, 0.9] {
        let mut finder = NearFinder::new(threshold).unwrap();
        assert_eq!(finder.add_all(&texts), Ok(0..2000));
        let pairs = finder.pairs(100_000);
        let near: Vec<_> = planted
            .iter()
            .copied()
            .filter(|(a, b)| Shingles::default().jaccard(&texts[*a], &texts[*b]) >= threshold)
            .collect();
        assert!(
            near.len() > 100,
            "{threshold}: {} planted are near",
            near.len()
        );
        assert!(
            near.len() < planted.len(),
            "{threshold}: some planted are not near"
        );
        let found = pairs.pairs.iter().map(|pair| (pair.a, pair.b));
        let found: std::collections::BTreeSet<_> = found.collect();
        assert!(near.iter().all(|pair| found.contains(pair)), "{threshold}");
        for pair in &pairs.pairs {
            let exact = Shingles::default().jaccard(&texts[pair.a], &texts[pair.b]);
            assert_eq!(pair.similarity, exact);
            assert!(exact >= threshold);
        }
    }
}

#[test]
fn many_at_once_are_the_same_as_one_by_one() {
    let (texts, _) = planted(600, 5);
    let mut at_once = NearFinder::new(0.8).unwrap();
    at_once.add_all(&texts).unwrap();
    let mut one_by_one = finder(&texts, 0.8);
    assert_eq!(at_once.groups(), one_by_one.groups());
    assert_eq!(at_once.pairs(5000), one_by_one.pairs(5000));
    // Searching changes nothing, and more can be added after it.
    assert_eq!(at_once.add(&texts[0]), Ok(600));
    assert_eq!(at_once.similarity(600, 0), Some(1.0));
    assert_eq!(at_once.similarity(600, 601), None);
    let more = texts
        .iter()
        .step_by(7)
        .map(|text| format!("{text} and more"));
    let all: Vec<String> = texts
        .iter()
        .chain(&texts[..1])
        .cloned()
        .chain(more)
        .collect();
    at_once.add_all(&all[601..]).unwrap();
    assert_eq!(at_once.pairs(5000), finder(&all, 0.8).pairs(5000));
}

#[test]
fn copies_cost_one_text() {
    let texts = vec!["The same text, over and over again.".to_owned(); 3000];
    let mut finder = NearFinder::new(0.9).unwrap().steps_max(0);
    finder.add_all(&texts).unwrap();
    let groups = finder.groups();
    assert_eq!(groups.groups, [(0..3000).collect::<Vec<_>>()]);
    assert!(groups.cut.is_empty());
    let pairs = finder.pairs(10);
    assert_eq!(pairs.pairs.len(), 10);
    assert!(pairs.more);
    assert!(
        pairs
            .pairs
            .iter()
            .all(|pair| pair.a < pair.b && pair.similarity == 1.0)
    );
}

/// Eighty-five words that all share and fifteen of their own.
fn boilerplate(count: usize) -> Vec<String> {
    let mut random = Random::new(3);
    let shared = random.words(85, 10_000).join(" ");
    let own = (0..count).map(|_| random.words(15, 10_000).join(" "));
    own.map(|own| format!("{shared} {own}")).collect()
}

#[test]
fn boilerplate_does_not_take_the_square_of_the_texts() {
    let texts = boilerplate(3000);
    // All are near at 0.7: 4.5 million pairs, 500 steps a text.
    let mut near = finder(&texts, 0.7).steps_max(500);
    let groups = near.groups();
    assert_eq!((groups.groups.len(), groups.cut.len()), (1, 0));
    assert_eq!(groups.groups[0].len(), 3000);
    // None are at 0.8: shared words stand last in the order, so no two texts meet.
    let mut apart = finder(&texts, 0.8).steps_max(500);
    let groups = apart.groups();
    assert_eq!((groups.groups.len(), groups.cut.len()), (0, 0));
}

#[test]
fn a_limit_that_is_reached_is_told() {
    // Texts of four words in any order: hardly a rare shingle in them.
    let mut random = Random::new(9);
    let texts: Vec<String> = (0..300).map(|_| random.words(60, 4).join(" ")).collect();
    let all = finder(&texts, 0.9).groups();
    assert!(all.cut.is_empty());
    let mut limited = finder(&texts, 0.9).steps_max(50);
    let Groups { groups, cut } = limited.groups();
    assert!(!cut.is_empty());
    let number = all.numbers(texts.len());
    for group in groups {
        assert!(group.iter().all(|text| number[*text].is_some()));
        assert!(group.iter().all(|text| number[*text] == number[group[0]]));
    }
    let told = limited.pairs(100_000).cut;
    assert!(!told.is_empty());
    let mut none = finder(&texts, 0.95).steps_max(1);
    let shared = none.against(&mut finder(&boilerplate(1), 0.95)).unwrap();
    assert!(shared.matches.is_empty() && shared.cut.is_empty());
    let fresh: Vec<String> = (0..300).map(|_| random.words(60, 4).join(" ")).collect();
    let shared = none.against(&mut finder(&fresh, 0.95)).unwrap();
    assert!(!shared.cut.is_empty());
}

#[test]
fn two_finders_must_be_alike() {
    let mut finder = NearFinder::new(0.9).unwrap();
    let mut lower = NearFinder::new(0.8).unwrap();
    assert_eq!(
        finder.against(&mut lower),
        Err(NearError::DifferentSettings)
    );
    let words = Shingles::new(2).unwrap();
    let mut other = NearFinder::with_shingles(0.9, words).unwrap();
    assert_eq!(
        finder.against(&mut other),
        Err(NearError::DifferentSettings)
    );
}

#[test]
fn nothing_is_near_to_nothing() {
    let mut finder = NearFinder::new(0.9).unwrap();
    assert!(finder.is_empty());
    assert!(finder.groups().groups.is_empty());
    assert!(finder.pairs(10).pairs.is_empty());
    let mut other = NearFinder::new(0.9).unwrap();
    other.add("a text").unwrap();
    assert!(finder.against(&mut other).unwrap().matches.is_empty());
    assert!(other.against(&mut finder).unwrap().matches.is_empty());
}

#[test]
fn groups_are_numbered() {
    let groups = Groups {
        groups: vec![vec![0, 3], vec![1, 4]],
        cut: Vec::new(),
    };
    assert_eq!(
        groups.numbers(5),
        [Some(0), Some(1), None, Some(0), Some(1)]
    );
}
