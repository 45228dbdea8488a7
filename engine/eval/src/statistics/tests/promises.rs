//! What the documentation promises: errors by name, undefined values as `None`, counts that add up, seeds.

use serde_json::json;

use super::super::*;
use super::assert_near;
use crate::{Score, ScoreError, ScoreErrorKind};

fn score(value: serde_json::Value, passed: Option<bool>) -> Score {
    Score {
        value,
        passed,
        ..Score::default()
    }
}

#[test]
fn generator_gives_the_published_sequence() {
    let mut random = SplitMix64::new(1_234_567);
    let published = [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];
    assert_eq!(published.map(|_| random.next_u64()), published);
    assert_eq!(SplitMix64::new(1).index(0), 0);
}

#[test]
fn summary_counts_every_outcome() {
    let scores = [
        score(json!(true), None),
        score(json!(false), None),
        score(json!(0.25), Some(true)),
        score(json!(4), None),
        score(json!("good"), None),
        score(json!("bad"), Some(false)),
        score(json!("good"), None),
        score(json!([1]), None),
    ];
    let timeout = ScoreError::new(ScoreErrorKind::Timeout, "no answer in 30 s");
    let budget = ScoreError::new(ScoreErrorKind::Budget, "2 USD are spent");
    let errors = [Err(&timeout), Err(&budget), Err(&timeout)];
    let outcomes = scores.iter().map(Ok).chain(errors);
    let summary = summarize("mixed", outcomes, &StatisticsSettings::default()).unwrap();

    assert_eq!(
        (summary.count, summary.errors, summary.other_values),
        (8, 3, 1)
    );
    assert_eq!(summary.errors_by_kind["timeout"], 2);
    let numbers = summary.numbers.as_ref().unwrap();
    assert_eq!((numbers.count, numbers.mean, numbers.max), (2, 2.125, 4.0));
    let passes = summary.passes.as_ref().unwrap();
    assert_eq!(
        (passes.count, passes.passed, passes.rate),
        (4, 2, Some(0.5))
    );
    let values = &summary.categories.as_ref().unwrap().values;
    assert_eq!((values[0].value.as_str(), values[0].count), ("good", 2));
    assert_near("share", values[1].share, 1.0 / 3.0);
    let back: Summary = serde_json::from_value(json!(summary)).unwrap();
    assert_eq!(back, summary);
    assert_eq!(
        json!(summary)["numbers"]["mean_interval"]["method"],
        "bootstrap_percentile"
    );
}

#[test]
fn nothing_is_none_not_zero() {
    let settings = StatisticsSettings::default();
    let empty = summarize("none", [], &settings).unwrap();
    assert_eq!(
        (empty.numbers, empty.passes, empty.categories),
        (None, None, None)
    );
    let one = summarize_numbers(&[3.0], &settings).unwrap().unwrap();
    assert_eq!(
        (one.standard_deviation, one.mean_interval, one.p99),
        (None, None, 3.0)
    );
    assert_eq!(clopper_pearson(0, 0, 0.95), Ok(None));
    let pair = compare_numbers(&[1.0], &[2.0], &settings).unwrap();
    assert_eq!(
        (pair.difference, pair.p_value, pair.p_method),
        (Some(1.0), None, None)
    );
    let none = compare_verdicts(&[], &[], &settings).unwrap();
    assert_eq!(
        (none.difference, none.p_value, none.interval),
        (None, None, None)
    );
    let flat = compare_group_numbers(&[1.0, 1.0], &[2.0, 2.0], &settings).unwrap();
    assert_eq!(
        (flat.difference, flat.p_value, flat.interval),
        (Some(1.0), None, None)
    );
    let group = compare_group_rates((0, 0), (1, 2), &settings).unwrap();
    assert_eq!(
        (group.rate_a, group.difference, group.p_value),
        (None, None, None)
    );
    assert_eq!(cohen_kappa(&["x", "x"], &["x", "x"]).unwrap().kappa, None);
    assert_eq!(fleiss_kappa(&[vec!["x", "x"], vec![]]).kappa, None);
    assert_eq!(fleiss_kappa::<u8, [u8; 0]>(&[]).percent_agreement, None);
    assert_eq!(
        compare_group_quantile(&[-1.0, 2.0], &[1.0, 2.0], 0.5, &settings)
            .unwrap()
            .ratio,
        None
    );
}

#[test]
fn errors_name_what_is_at_fault() {
    let settings = StatisticsSettings::default();
    let message = |error: StatisticsError| error.to_string();
    let error = compare_numbers(&[1.0, 2.0], &[1.0, f64::NAN], &settings).unwrap_err();
    assert!(message(error).starts_with("b: the value at position 1 is NaN or infinite"));
    let error = compare_numbers(&[1.0], &[], &settings).unwrap_err();
    assert!(message(error).contains("a has 1 values and b has 0"));
    let error = compare_numbers(&[-f64::MAX], &[f64::MAX], &settings).unwrap_err();
    assert!(message(error).contains("position 0 differ by more"));
    let error = wilson(3, 2, 0.95).unwrap_err();
    assert_eq!(message(error), "3 passed of 2: passed can be 2 at most");
    let error = wilson(1, 2, 95.0).unwrap_err();
    assert_eq!(
        message(error),
        "confidence is 95; it must be between 0 and 1, both excluded"
    );
    let few = StatisticsSettings {
        resamples: 10,
        ..settings
    };
    let error = mean_interval(&[1.0, 2.0], &few).unwrap_err();
    assert_eq!(
        message(error),
        "resamples is 10; it must be 100 to 1,000,000"
    );
    let error = pair_by_key([("r1", 1), ("r1", 2)], []).unwrap_err();
    assert!(message(error).starts_with("run a has the item r1 twice"));
    let error = cohen_kappa_ordered(&["low"], &["high"], &["low"], Weights::Linear).unwrap_err();
    assert!(message(error).starts_with("label high: it is not in the order"));
    assert!(quantile(&[1.0], f64::NAN).is_err() && quantile(&[1.0], 1.1).is_err());
    assert!(advise_group_rates(1, Some((0.5, 1.5)), PowerGoal::default()).is_err());
    assert!(advise_paired_verdicts(3, 2, 2, PowerGoal::default()).is_err());
}

#[test]
fn a_seed_decides_the_interval() {
    let values: Vec<f64> = (0..50).map(|place| f64::from(place * place % 17)).collect();
    let interval = |seed| {
        mean_interval(
            &values,
            &StatisticsSettings {
                seed,
                ..StatisticsSettings::default()
            },
        )
    };
    assert_eq!(interval(3), interval(3));
    assert_ne!(interval(3), interval(4));
}

#[test]
fn many_values_are_not_resampled() {
    let values: Vec<f64> = (0..100_000).map(|place| f64::from(place % 1000)).collect();
    let other: Vec<f64> = values
        .iter()
        .map(|value| value + f64::from(value % 2.0 == 0.0))
        .collect();
    let settings = StatisticsSettings::default();
    let interval = mean_interval(&values, &settings).unwrap().unwrap();
    assert_eq!(
        (interval.method, interval.resamples),
        (IntervalMethod::StudentT, None)
    );
    let compared = compare_numbers(&values, &other, &settings).unwrap();
    assert_eq!(compared.p_method, Some(PValueMethod::PairedT));
    let median = compare_group_quantile(&values, &other, 0.5, &settings).unwrap();
    assert_eq!(median.difference_interval.unwrap().resamples, Some(2_000));
    let same = compare_numbers(&values, &values, &settings).unwrap();
    assert_eq!((same.difference, same.p_value), (Some(0.0), Some(1.0)));
}

#[test]
fn p_value_and_interval_of_the_bootstrap_agree() {
    for seed in 0..40 {
        let mut random = SplitMix64::new(seed);
        let a = vec![0.0; 30];
        let b: Vec<f64> = (0..30).map(|_| random.unit() - 0.4).collect();
        let got = compare_numbers(
            &a,
            &b,
            &StatisticsSettings {
                seed,
                ..StatisticsSettings::default()
            },
        )
        .unwrap();
        let interval = got.interval.unwrap();
        let outside = interval.low > 0.0 || interval.high < 0.0;
        let p_value = got.p_value.unwrap();
        // Between 4.9 and 5.2 % the added one decides.
        assert!(
            (0.049..0.052).contains(&p_value) || outside == (p_value < 0.05),
            "{p_value}"
        );
    }
}

#[test]
fn sentences_say_what_follows() {
    let goal = PowerGoal::default();
    let none = advise_paired_numbers(40, Some(0.0), Some(1.0), goal).unwrap();
    assert_eq!(
        none.sentence,
        "no difference was observed, so no number of pairs follows from it"
    );
    let few = advise_paired_numbers(0, None, None, goal).unwrap();
    assert_eq!(
        few.sentence,
        "too few pairs to estimate a difference: there are 0"
    );
    let one = advise_paired_numbers(1, Some(0.5), None, goal).unwrap();
    assert_eq!(
        one.sentence,
        "too few pairs to estimate a spread: there are 1"
    );
    let far = advise_paired_numbers(9, Some(1e-12), Some(1.0), goal).unwrap();
    assert!(far.needed.is_none() && far.sentence.contains("takes more pairs than can be scored"));
    let rates = advise_group_rates(100, Some((0.7, 0.75)), goal).unwrap();
    assert_eq!(
        rates.sentence,
        "to see a difference of 0.05 with 80 % power at 5 % significance takes about 1251 items a group; there are 100"
    );
    let verdicts = advise_paired_verdicts(100, 0, 2, goal).unwrap();
    assert_eq!(verdicts.needed, Some(391));
}

#[test]
fn exact_mcnemar_needs_six_differing_pairs() {
    let goal = PowerGoal {
        power: 0.5,
        significance: 0.05,
    };
    let advice = advise_paired_verdicts(10, 0, 10, goal).unwrap();
    assert_eq!(advice.needed, Some(6));
    assert!(mcnemar_exact(0, 6).unwrap() < 0.05 && mcnemar_exact(0, 5).unwrap() > 0.05);
}

#[test]
fn runs_are_compared_item_by_item() {
    let good = score(json!(0.9), Some(true));
    let poor = score(json!(0.2), Some(false));
    let fair = score(json!(0.6), Some(true));
    let text = score(json!("x"), None);
    let error = ScoreError::new(ScoreErrorKind::Server, "503");
    let a = [
        (1, Ok(&good)),
        (2, Ok(&good)),
        (3, Ok(&fair)),
        (4, Err(&error)),
        (5, Ok(&good)),
        (6, Ok(&text)),
        (8, Ok(&text)),
        (9, Err(&error)),
    ];
    let b = [
        (9, Err(&error)),
        (1, Ok(&fair)),
        (2, Ok(&poor)),
        (3, Ok(&good)),
        (4, Ok(&good)),
        (5, Err(&error)),
        (6, Ok(&good)),
        (7, Ok(&good)),
        (8, Ok(&text)),
    ];
    let got = compare_runs(
        "judge",
        a,
        b,
        Better::Higher,
        &StatisticsSettings::default(),
    )
    .unwrap();

    assert_eq!((got.pairs, got.only_a, got.only_b), (5, 0, 1));
    assert_eq!(
        (got.errors_only_a, got.errors_only_b, got.errors_both),
        (1, 1, 1)
    );
    assert_eq!(got.not_comparable, 1);
    let numbers = got.numbers.as_ref().unwrap();
    assert_eq!((numbers.pairs, numbers.rose, numbers.fell), (3, 1, 2));
    let verdicts = got.verdicts.as_ref().unwrap();
    assert_eq!((verdicts.both, verdicts.only_a, verdicts.only_b), (2, 1, 0));
    assert_eq!(got.texts, Some(TextComparison { pairs: 1, equal: 1 }));
    let found: Vec<_> = got
        .regressions
        .iter()
        .map(|item| (item.key, item.kind))
        .collect();
    assert_eq!(
        found,
        [(2, RegressionKind::NowFails), (1, RegressionKind::Worse)]
    );
    let back: Comparison<i32> = serde_json::from_value(json!(got)).unwrap();
    assert_eq!(back, got);
}
