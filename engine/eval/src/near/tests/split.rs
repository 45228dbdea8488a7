//! Splits: nothing in two parts, nothing lost, the same again in any order, sizes as near as groups allow.

use std::collections::HashMap;

use proptest::prelude::*;

use super::config;
use crate::near::{NearError, Parts, SplitRecord, split};

fn record(id: usize, keys: &[Option<u8>]) -> SplitRecord {
    SplitRecord {
        id: format!("r{id}"),
        keys: keys
            .iter()
            .map(|key| key.map(|key| key.to_string()))
            .collect(),
    }
}

fn records() -> impl Strategy<Value = Vec<SplitRecord>> {
    let key = || prop::option::of(0..30u8);
    prop::collection::vec(prop::collection::vec(key(), 0..4), 0..60).prop_map(|keys| {
        let records = keys.iter().enumerate();
        records.map(|(id, keys)| record(id, keys)).collect()
    })
}

fn three() -> Parts {
    Parts::new(&["train", "dev", "test"], &[70.0, 10.0, 20.0]).unwrap()
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn no_key_is_in_two_parts_and_no_record_is_lost(records in records(), seed in any::<u64>()) {
        let split = split(&records, &three(), seed).unwrap();
        prop_assert_eq!(split.part_of.len(), records.len());
        let mut part_of_key = HashMap::new();
        for (record, part) in records.iter().zip(&split.part_of) {
            for (kind, key) in record.keys.iter().enumerate() {
                if let Some(key) = key {
                    prop_assert_eq!(part_of_key.entry((kind, key)).or_insert(part), &part);
                }
            }
        }
        for (at, part) in split.parts.iter().enumerate() {
            let records = split.part_of.iter().filter(|of| **of == at).count();
            prop_assert_eq!(part.records, records);
        }
        let groups: usize = split.parts.iter().map(|part| part.groups).sum();
        prop_assert_eq!(groups, split.groups);
    }

    #[test]
    fn order_does_not_matter(
        (records, order) in records().prop_flat_map(|records| {
            let order: Vec<usize> = (0..records.len()).collect();
            (Just(records), Just(order).prop_shuffle())
        }),
        seed in 0..5u64,
    ) {
        let moved: Vec<SplitRecord> = order.iter().map(|at| records[*at].clone()).collect();
        let (straight, shuffled) =
            (split(&records, &three(), seed).unwrap(), split(&moved, &three(), seed).unwrap());
        for (place, at) in order.iter().enumerate() {
            prop_assert_eq!(straight.part_of[*at], shuffled.part_of[place]);
        }
        prop_assert_eq!(straight.parts, shuffled.parts);
        prop_assert_eq!(straight.largest_group, shuffled.largest_group);
    }

    #[test]
    fn no_part_is_over_its_share_by_more_than_the_largest_group(records in records()) {
        let split = split(&records, &three(), 1).unwrap();
        let largest = split.largest_group.map_or(0, |group| group.records);
        for part in &split.parts {
            let wanted = part.share * records.len() as f64;
            prop_assert!((part.records as f64) < wanted + largest.max(1) as f64);
        }
    }
}

#[test]
fn lone_records_meet_the_ratios_and_the_seed_deals_them() {
    let records: Vec<SplitRecord> = (0..1000).map(|id| record(id, &[None])).collect();
    let parts = Parts::new(&["train", "test"], &[80.0, 20.0]).unwrap();
    let first = split(&records, &parts, 1).unwrap();
    assert_eq!(
        first
            .parts
            .iter()
            .map(|part| part.records)
            .collect::<Vec<_>>(),
        [800, 200]
    );
    assert_eq!(first, split(&records, &parts, 1).unwrap());
    let second = split(&records, &parts, 2).unwrap();
    assert_eq!(second.parts, first.parts);
    let in_both_tests = first
        .part_of
        .iter()
        .zip(&second.part_of)
        .filter(|(a, b)| (**a, **b) == (1, 1))
        .count();
    assert!(
        (20..60).contains(&in_both_tests),
        "{in_both_tests} of an expected 40"
    );
}

#[test]
fn keys_of_different_kinds_are_apart_and_chains_hold() {
    let session = |id, session, user| record(id, &[session, user]);
    let records = [
        session(0, Some(1), None),
        session(1, Some(1), Some(2)),
        session(2, None, Some(2)),
        session(3, Some(2), None),
    ];
    let split = split(&records, &three(), 0).unwrap();
    assert_eq!(split.groups, 2);
    assert_eq!(split.part_of[0], split.part_of[2]);
    let largest = split.largest_group.unwrap();
    assert_eq!(
        (largest.record_id.as_str(), largest.records, largest.part),
        ("r0", 3, 0)
    );
    assert_ne!(split.part_of[3], 0);
}

#[test]
fn a_group_that_holds_all_leaves_the_others_empty() {
    let records: Vec<SplitRecord> = (0..10).map(|id| record(id, &[Some(7)])).collect();
    let split = split(&records, &three(), 0).unwrap();
    let sizes: Vec<usize> = split.parts.iter().map(|part| part.records).collect();
    assert_eq!(sizes, [10, 0, 0]);
    assert_eq!(split.largest_group.unwrap().records, 10);
}

#[test]
fn no_records_are_no_groups() {
    let split = split(&[], &three(), 0).unwrap();
    assert_eq!((split.groups, split.largest_group), (0, None));
    assert_eq!(split.parts.len(), 3);
}

#[test]
fn parts_that_cannot_be() {
    let message = |names: &[&str], ratios: &[f64]| match Parts::new(names, ratios) {
        Err(NearError::Parts(message)) => message,
        other => panic!("{other:?}"),
    };
    assert!(message(&[], &[]).contains("no ratios"));
    for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(message(&["a", "b"], &[1.0, ratio]).contains(&format!("ratio {ratio}")));
    }
    assert!(message(&["a"], &[1.0, 1.0]).contains("1 names for 2 ratios"));
    assert!(message(&["a", "b", "c"], &[1.0, 1.0]).contains("3 names for 2 ratios"));
    assert!(message(&["a", "a"], &[1.0, 1.0]).contains("part 'a'"));
    assert!(message(&["a", ""], &[1.0, 1.0]).contains("part ''"));
    assert!(message(&["a", "b"], &[f64::MAX, f64::MAX]).contains("sum"));
    let parts = Parts::new(&["a", "b"], &[4.0, 1.0]).unwrap();
    assert_eq!(parts, Parts::new(&["a", "b"], &[0.8, 0.2]).unwrap());
    assert_eq!(parts.names(), ["a", "b"]);
}

#[test]
fn an_id_twice_is_an_error() {
    let records = [record(1, &[]), record(1, &[])];
    let error = split(&records, &three(), 0).unwrap_err();
    assert_eq!(error, NearError::RepeatedRecord("r1".to_owned()));
}
