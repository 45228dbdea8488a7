//! Properties, and statistics against simple models that are slow or only for small inputs.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::*;
use super::assert_near;

/// The probability of `least` to `most` passes of `count` at a rate, by the plain sum.
fn binomial(count: u64, rate: f64, least: u64, most: u64) -> f64 {
    let choose = |k: u64| {
        (0..k).fold(1.0, |product, i| {
            product * (count - i) as f64 / (i + 1) as f64
        })
    };
    let one = |k: u64| choose(k) * rate.powi(k as i32) * (1.0 - rate).powi((count - k) as i32);
    (least..=most).map(one).sum()
}

/// Numbers of every size that an f64 has, and equal ones.
fn any_numbers() -> impl Strategy<Value = Vec<f64>> {
    let any = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    let number = prop_oneof![any, -3.0..3.0, Just(1.0), Just(f64::MAX), Just(f64::MIN)];
    prop::collection::vec(number, 0..16)
}

fn few_resamples() -> StatisticsSettings {
    StatisticsSettings {
        resamples: 100,
        ..StatisticsSettings::default()
    }
}

/// What is not a number of JSON would be written as null and not read again.
macro_rules! assert_survives_json {
    ($value:expr, $kind:ty) => {{
        let text = serde_json::to_string(&$value).unwrap();
        let back: Result<$kind, _> = serde_json::from_str(&text);
        prop_assert!(back.is_ok(), "{text}");
        // Written again it is the same text: no number became null.
        prop_assert_eq!(
            serde_json::to_value(&$value).unwrap(),
            serde_json::to_value(back.unwrap()).unwrap()
        );
        prop_assert!(!format!("{:?}", $value).contains("NaN"), "{text}");
        prop_assert!(!format!("{:?}", $value).contains("inf"), "{text}");
    }};
}

proptest! {
    #[test]
    fn exact_interval_leaves_its_tails(count in 1_u64..60, part in 0.0..1.0, confidence in 0.5..0.999) {
        let passed = (part * (count + 1) as f64) as u64;
        let interval = clopper_pearson(passed, count, confidence).unwrap().unwrap();
        let tail = (1.0 - confidence) / 2.0;
        if passed > 0 {
            assert_near("low", binomial(count, interval.low, passed, count), tail);
        }
        if passed < count {
            assert_near("high", binomial(count, interval.high, 0, passed), tail);
        }
    }

    #[test]
    fn mcnemar_is_a_binomial_sum(only_a in 0_u64..40, only_b in 0_u64..40) {
        let least = only_a.min(only_b);
        let want = (2.0 * binomial(only_a + only_b, 0.5, 0, least)).min(1.0);
        assert_near("mcnemar", mcnemar_exact(only_a, only_b).unwrap(), want);
    }

    #[test]
    fn results_are_finite_for_any_numbers(a in any_numbers(), b in any_numbers(), share in 0.0..=1.0) {
        if let Some(summary) = summarize_numbers(&a, &few_resamples()).unwrap() {
            prop_assert!(summary.min <= summary.mean && summary.mean <= summary.max);
            prop_assert!(summary.p50 <= summary.p90 && summary.p95 <= summary.p99);
            assert_survives_json!(summary, NumberSummary);
        }
        assert_survives_json!(compare_group_numbers(&a, &b, &few_resamples()).unwrap(), GroupNumbers);
        assert_survives_json!(
            compare_group_quantile(&a, &b, share, &few_resamples()).unwrap(),
            GroupQuantiles
        );
        let length = a.len().min(b.len());
        match compare_numbers(&a[..length], &b[..length], &few_resamples()) {
            Ok(compared) => assert_survives_json!(compared, NumberComparison),
            Err(error) => {
                let overflow = matches!(error, StatisticsError::DifferenceOverflow { .. });
                prop_assert!(overflow, "{error}");
            }
        }
    }

    #[test]
    fn swapped_runs_turn_the_difference(pairs in prop::collection::vec((-9_i32..9, -9_i32..9), 0..12)) {
        let a: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.0)).collect();
        let b: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.1)).collect();
        let forth = compare_numbers(&a, &b, &few_resamples()).unwrap();
        let back = compare_numbers(&b, &a, &few_resamples()).unwrap();
        prop_assert_eq!(forth.difference, back.difference.map(|difference| -difference));
        prop_assert_eq!(forth.p_value, back.p_value);
        prop_assert_eq!((forth.rose, forth.fell), (back.fell, back.rose));
    }

    #[test]
    fn swapped_verdicts_turn_the_interval(pairs in prop::collection::vec(any::<(bool, bool)>(), 0..40)) {
        let (a, b): (Vec<bool>, Vec<bool>) = pairs.into_iter().unzip();
        let forth = compare_verdicts(&a, &b, &few_resamples()).unwrap();
        let back = compare_verdicts(&b, &a, &few_resamples()).unwrap();
        prop_assert_eq!(forth.p_value, back.p_value);
        prop_assert_eq!(forth.interval.is_some(), !a.is_empty());
        if let (Some(forth), Some(back)) = (forth.interval, back.interval) {
            assert_near("low", forth.low, -back.high);
            assert_near("high", forth.high, -back.low);
        }
        assert_survives_json!(forth, VerdictComparison);
    }

    #[test]
    fn fisher_is_the_sum_over_tables(a in (0_u64..9, 0_u64..9), b in (0_u64..9, 0_u64..9)) {
        let (count_a, count_b) = (a.0 + a.1, b.0 + b.1);
        prop_assume!(count_a > 0 && count_b > 0);
        let passed = a.0 + b.0;
        let choose = |n: u64, k: u64| (0..k).fold(1_u128, |c, i| c * u128::from(n - i) / u128::from(i + 1));
        let ways = |x: u64| choose(count_a, x) * choose(count_b, passed - x);
        let tables = passed.saturating_sub(count_b)..=passed.min(count_a);
        let all: u128 = tables.clone().map(ways).sum();
        let rare: u128 = tables.map(ways).filter(|own| *own <= ways(a.0)).sum();
        let got = compare_group_rates((a.0, count_a), (b.0, count_b), &few_resamples()).unwrap();
        assert_near("fisher", got.p_value.unwrap(), rare as f64 / all as f64);
    }

    #[test]
    fn pairing_keeps_every_item(a in prop::collection::btree_set(0_u8..40, 0..20), b in prop::collection::btree_set(0_u8..40, 0..20)) {
        let pairing = pair_by_key(a.iter().rev().map(|key| (*key, 'a')), b.iter().map(|key| (*key, 'b'))).unwrap();
        let both: BTreeSet<u8> = pairing.pairs.iter().map(|pair| pair.key).collect();
        prop_assert_eq!(&both, &a.intersection(&b).copied().collect());
        prop_assert!(pairing.pairs.iter().all(|pair| (pair.a, pair.b) == ('a', 'b')));
        prop_assert!(pairing.pairs.is_sorted_by(|one, next| one.key > next.key));
        prop_assert_eq!(pairing.only_a, a.iter().rev().filter(|key| !b.contains(key)).copied().collect::<Vec<_>>());
        prop_assert_eq!(pairing.only_b, b.difference(&a).copied().collect::<Vec<_>>());
    }

    #[test]
    fn regressions_are_all_that_got_worse(pairs in prop::collection::vec((0_i32..5, 0_i32..5), 0..30)) {
        let given: Vec<Paired<usize, Judged>> = pairs
            .iter()
            .enumerate()
            .map(|(key, (a, b))| Paired { key, a: f64::from(*a).into(), b: f64::from(*b).into() })
            .collect();
        for (better, sign) in [(Better::Higher, 1), (Better::Lower, -1)] {
            let got: Vec<(i32, usize)> = regressions(&given, better)
                .unwrap()
                .iter()
                .map(|item| (-(item.drop.unwrap() as i32), item.key))
                .collect();
            let drops = pairs.iter().enumerate().map(|(key, (a, b))| (-(a - b) * sign, key));
            let mut want: Vec<(i32, usize)> = drops.filter(|(rise, _)| *rise < 0).collect();
            want.sort_unstable();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn two_raters_agree_alike_by_either_rater_first(pairs in prop::collection::vec((0_u8..4, 0_u8..4), 0..30)) {
        let (a, b): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
        let forth = cohen_kappa(&a, &b).unwrap();
        let back = cohen_kappa(&b, &a).unwrap();
        prop_assert_eq!(forth.kappa, back.kappa);
        prop_assert_eq!(forth.percent_agreement, percent_agreement(&a, &b).unwrap());
        let items: Vec<[u8; 2]> = a.iter().zip(&b).map(|(a, b)| [*a, *b]).collect();
        prop_assert_eq!(fleiss_kappa(&items).unanimous, forth.percent_agreement);
        assert_survives_json!(forth, CohenKappa);
        assert_survives_json!(fleiss_kappa(&items), FleissKappa);
    }
}
