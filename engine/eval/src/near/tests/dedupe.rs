//! Leaving out near-duplicates, against the plain loop over all that were kept.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{alike_texts, config};
use crate::near::{Dropped, NearError, NearFinder, Shingles, dedupe};

/// Keeps a record unless one kept before it is near; the nearest stands for it, of those the first kept, and for all
/// copies of it.
fn plain(records: &[(u32, String)], threshold: f64) -> (Vec<usize>, Vec<Dropped>) {
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|record| records[*record].0);
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    let mut of_copies = HashMap::new();
    for record in order {
        let shingles = Shingles::default().of(&records[record].1);
        let mut best: Option<Dropped> = of_copies.get(&shingles).copied();
        if let Some(gone) = best {
            dropped.push(Dropped { record, ..gone });
            continue;
        }
        for &other in &kept {
            let kept: usize = other;
            let similarity = Shingles::default().jaccard(&records[record].1, &records[kept].1);
            if similarity >= threshold && best.is_none_or(|old| similarity > old.similarity) {
                best = Some(Dropped {
                    record,
                    kept,
                    similarity,
                });
            }
        }
        match best {
            Some(gone) => dropped.push(gone),
            None => kept.push(record),
        }
        let itself = Dropped {
            record,
            kept: record,
            similarity: 1.0,
        };
        of_copies.insert(shingles, best.unwrap_or(itself));
    }
    kept.sort_unstable();
    dropped.sort_unstable_by_key(|gone| gone.record);
    (kept, dropped)
}

fn keyed_texts() -> impl Strategy<Value = Vec<(u32, String)>> {
    alike_texts().prop_flat_map(|texts| {
        let keys = prop::collection::vec(0..20u32, texts.len());
        keys.prop_map(move |keys| keys.into_iter().zip(texts.clone()).collect())
    })
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn keeps_what_the_plain_loop_keeps(records in keyed_texts(), percent in 20..=100u32) {
        let threshold = f64::from(percent) / 100.0;
        let deduped = dedupe(&records, threshold).unwrap();
        let (kept, dropped) = plain(&records, threshold);
        prop_assert_eq!(&deduped.kept, &kept);
        prop_assert_eq!(&deduped.dropped, &dropped);
        for gone in &deduped.dropped {
            let (a, b) = (&records[gone.record], &records[gone.kept]);
            prop_assert_eq!(gone.similarity, Shingles::default().jaccard(&a.1, &b.1));
            prop_assert!(kept.contains(&gone.kept));
            prop_assert!((b.0, gone.kept) < (a.0, gone.record));
        }
        prop_assert!(deduped.cut.is_empty());
    }

    #[test]
    fn the_second_time_drops_none(records in keyed_texts(), percent in 20..=100u32) {
        let threshold = f64::from(percent) / 100.0;
        let kept = dedupe(&records, threshold).unwrap().kept;
        let rest: Vec<_> = kept.iter().map(|record| records[*record].clone()).collect();
        let again = dedupe(&rest, threshold).unwrap();
        prop_assert!(again.dropped.is_empty());
        prop_assert_eq!(again.kept.len(), rest.len());
    }
}

#[test]
fn a_chain_loses_only_what_has_a_near_one() {
    let words: Vec<String> = (0..40).map(|at| format!("w{at}")).collect();
    let (a, b, c) = (
        words[0..30].join(" "),
        words[4..34].join(" "),
        words[8..38].join(" "),
    );
    let near = Shingles::default().jaccard(&a, &b);
    assert!(near > 0.7 && Shingles::default().jaccard(&a, &c) < 0.7);
    let by_age = dedupe(&[(1, &a), (2, &b), (3, &c)], 0.7).unwrap();
    assert_eq!(by_age.kept, [0, 2]);
    let gone = Dropped {
        record: 1,
        kept: 0,
        similarity: near,
    };
    assert_eq!(by_age.dropped, [gone]);
    // With the middle one first, it stands for both.
    assert_eq!(dedupe(&[(2, &a), (1, &b), (3, &c)], 0.7).unwrap().kept, [1]);
}

#[test]
fn the_first_by_key_stays() {
    let records = [
        (5, "Hello there, World!"),
        (5, "hello there world"),
        (2, "HELLO THERE WORLD"),
    ];
    let deduped = dedupe(&records, 1.0).unwrap();
    assert_eq!(deduped.kept, [2]);
    assert!(
        deduped
            .dropped
            .iter()
            .all(|gone| gone.kept == 2 && gone.similarity == 1.0)
    );
}

#[test]
fn one_key_for_each_text() {
    let mut finder = NearFinder::new(0.9).unwrap();
    finder.add("a").unwrap();
    let error = finder.dedupe(&[1, 2]).unwrap_err();
    assert_eq!(error, NearError::OrderKeys { texts: 1, keys: 2 });
    assert_eq!(
        error.to_string(),
        "2 order keys for 1 texts: give one for each text"
    );
}

#[test]
fn a_limit_that_is_reached_is_told() {
    let (a, b) = ("one two three four five", "one two three four six");
    let mut finder = NearFinder::new(0.5).unwrap().steps_max(0);
    finder.add_all(&[a, b]).unwrap();
    let deduped = finder.dedupe(&[0, 1]).unwrap();
    assert_eq!((deduped.kept, deduped.cut), (vec![0, 1], vec![1]));
    assert_eq!(dedupe(&[(0, a), (1, b)], 0.5).unwrap().kept, [0]);
}
