//! Shingles, their hashes, and the counts that a threshold asks for.

use proptest::prelude::*;

use super::config;
use crate::near::threshold::Threshold;
use crate::near::{NearError, NearFinder, Shingles};

fn of(words: usize, text: &str) -> Vec<String> {
    Shingles::new(words).unwrap().of(text).into_iter().collect()
}

#[test]
fn runs_of_words() {
    assert_eq!(
        of(3, "One two, three FOUR!"),
        ["one two three", "two three four"]
    );
    assert_eq!(
        of(3, "one two one two one two"),
        ["one two one", "two one two"]
    );
    assert_eq!(of(1, "b a b"), ["a", "b"]);
    assert_eq!(of(2, "用 Python 写"), ["python 写", "用 python"]);
}

#[test]
fn every_text_has_a_shingle() {
    assert_eq!(of(3, "Yes please"), ["yes please"]);
    assert_eq!(of(3, ""), [""]);
    assert_eq!(of(3, " ?  ! "), ["? !"]);
    let shingles = Shingles::default();
    assert_eq!(shingles.jaccard("", "  \n"), 1.0);
    assert_eq!(shingles.jaccard("?", "!"), 0.0);
    assert_eq!(shingles.jaccard("", "?"), 0.0);
    assert_eq!(shingles.jaccard("yes", "YES."), 1.0);
}

#[test]
fn a_sign_or_a_number_tells_apart() {
    let shingles = Shingles::default();
    assert!(shingles.jaccard("what is 7 + 2", "what is 7 - 2") < 0.5);
    assert!(shingles.jaccard("what is 7 * 2", "what is 7 / 2") < 0.5);
    assert!(shingles.jaccard("is a < b", "is a > b") < 0.5);
    assert_eq!(shingles.jaccard("what is 7 − 2?", "What is 7-2"), 1.0);
}

#[test]
fn arguments_that_cannot_be() {
    assert_eq!(Shingles::new(0), Err(NearError::ShingleWords));
    for threshold in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = NearFinder::new(threshold).unwrap_err().to_string();
        assert!(
            error.contains(&format!("threshold {threshold} ")),
            "{error}"
        );
        assert!(error.contains("above 0 and at most 1"), "{error}");
    }
    assert!(NearFinder::new(1.0).is_ok());
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn hashes_stand_for_shingles(text in "[ a-cA-C,.5+用語-]{0,40}", words in 1..4usize) {
        let shingles = Shingles::new(words).unwrap();
        let mut hashes = Vec::new();
        shingles.hash(&text, &mut Vec::new(), &mut hashes);
        prop_assert_eq!(hashes.len(), shingles.of(&text).len());
        prop_assert!(hashes.windows(2).all(|pair| pair[0] < pair[1]));
        let lower = text.to_lowercase();
        let mut of_lower = Vec::new();
        shingles.hash(&lower, &mut Vec::new(), &mut of_lower);
        prop_assert_eq!(hashes, of_lower);
    }

    #[test]
    fn any_text_can_be_cut(text in any::<String>()) {
        let shingles = Shingles::default();
        prop_assert!(!shingles.of(&text).is_empty());
        prop_assert_eq!(shingles.jaccard(&text, &text), 1.0);
    }

    #[test]
    fn a_threshold_asks_for_no_more_than_it_needs(
        n in 1..200usize, m in 1..200usize, common in 1..200usize, percent in 1..=100u32,
    ) {
        let threshold = Threshold::new(f64::from(percent) / 100.0).unwrap();
        let common = common.min(n).min(m);
        if threshold.met(common, n, m).is_some() {
            prop_assert!(common >= threshold.common_min(n, m));
            prop_assert!(m >= threshold.len_min(n));
            prop_assert!(common > n - threshold.prefix(n));
            prop_assert!(m < n || common > n - threshold.prefix_among_larger(n));
        }
    }
}
