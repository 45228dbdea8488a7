//! Every statistic against the values of the reference packages in `fixture`.

use super::super::bootstrap::resampled_quantile;
use super::super::*;
use super::{assert_near, fixture};

fn ends(interval: Option<Interval>) -> [f64; 2] {
    let interval = interval.unwrap();
    [interval.low, interval.high]
}

fn assert_ends(what: &str, interval: Option<Interval>, want: [f64; 2]) {
    let got = ends(interval);
    assert_near(what, got[0], want[0]);
    assert_near(what, got[1], want[1]);
}

/// StatisticsSettings under which every mean is judged by Student's t.
fn student() -> StatisticsSettings {
    StatisticsSettings {
        bootstrap_count_max: 0,
        ..StatisticsSettings::default()
    }
}

#[test]
fn numbers() {
    for (values, want, interval) in fixture::NUMBERS {
        let got = summarize_numbers(values, &student()).unwrap().unwrap();
        let deviation = got.standard_deviation.unwrap();
        let all = [got.mean, deviation, got.p50, got.p90, got.p95, got.p99];
        for (got, want) in all.iter().zip(want) {
            assert_near("number", *got, *want);
        }
        assert_ends("student", got.mean_interval, *interval);
        assert_eq!(got.mean_interval.unwrap().method, IntervalMethod::StudentT);
    }
}

#[test]
fn rates() {
    for (passed, count, confidence, exact, score) in fixture::RATES {
        let got = clopper_pearson(*passed, *count, *confidence).unwrap();
        assert_ends("clopper-pearson", got, *exact);
        assert_ends(
            "wilson",
            wilson(*passed, *count, *confidence).unwrap(),
            *score,
        );
    }
}

#[test]
fn mcnemar() {
    for (only_a, only_b, want) in fixture::MCNEMAR {
        let got = mcnemar_exact(*only_a, *only_b).unwrap();
        assert_near("mcnemar", got, *want);
        // Small p-values are right relative to their size, too.
        assert!((got / want - 1.0).abs() < 1e-9, "{only_a} {only_b}");
    }
}

#[test]
fn welch() {
    for (a, b, [p_value, degrees, low, high]) in fixture::WELCH {
        let got = compare_group_numbers(a, b, &StatisticsSettings::default()).unwrap();
        assert_near("p-value", got.p_value.unwrap(), *p_value);
        assert_near("degrees", got.degrees_of_freedom.unwrap(), *degrees);
        assert_ends("welch", got.interval, [*low, *high]);
    }
}

#[test]
fn group_rates() {
    for (a, b, [low, high, p_value]) in fixture::GROUP_RATES {
        let got = compare_group_rates(*a, *b, &StatisticsSettings::default()).unwrap();
        assert_ends("newcombe", got.interval, [*low, *high]);
        assert_near("fisher", got.p_value.unwrap(), *p_value);
    }
}

#[test]
fn sign_flip() {
    for (differences, want) in fixture::SIGN_FLIP {
        let zeros = vec![0.0; differences.len()];
        let got = compare_numbers(&zeros, differences, &StatisticsSettings::default()).unwrap();
        assert_eq!(got.p_method, Some(PValueMethod::ExactSignFlip));
        assert_near("sign flip", got.p_value.unwrap(), *want);
    }
}

#[test]
fn paired_t() {
    for (differences, [p_value, low, high]) in fixture::PAIRED_T {
        let zeros = vec![0.0; differences.len()];
        let many = compare_numbers(&zeros, differences, &student()).unwrap();
        assert_eq!(many.p_method, Some(PValueMethod::PairedT));
        assert_near("paired t", many.p_value.unwrap(), *p_value);
        assert_ends("paired t", many.interval, [*low, *high]);
        let resampled =
            compare_numbers(&zeros, differences, &StatisticsSettings::default()).unwrap();
        assert_eq!(resampled.p_method, Some(PValueMethod::BootstrapPercentile));
        // The bootstrap of 15 pairs is near the t test, no more.
        assert!((resampled.p_value.unwrap() - p_value).abs() < 0.08);
    }
}

/// Newcombe's paired interval as written out in Python over statsmodels' Wilson interval, for Altman et al. (2000),
/// table 6.2: 14 both, 5 and 0 one only, 22 neither.
#[test]
fn newcombe_paired() {
    let a = [vec![true; 14], vec![false; 5], vec![false; 22]].concat();
    let b = [vec![true; 14], vec![true; 5], vec![false; 22]].concat();
    let got = compare_verdicts(&a, &b, &StatisticsSettings::default()).unwrap();
    assert_ends(
        "newcombe paired",
        got.interval,
        [0.011483241383033221, 0.2264926843512112],
    );
    assert_eq!(got.p_value, Some(0.0625));
}

#[test]
fn cohen() {
    for (a, b, want) in fixture::KAPPA {
        let order = [0, 1, 2, 3];
        let plain = cohen_kappa(a, b).unwrap();
        assert_near("kappa", plain.kappa.unwrap(), want[0]);
        for (weights, want) in [Weights::None, Weights::Linear, Weights::Quadratic]
            .iter()
            .zip(want)
        {
            let got = cohen_kappa_ordered(a, b, &order, *weights).unwrap();
            assert_near("weighted kappa", got.kappa.unwrap(), *want);
        }
    }
}

#[test]
fn fleiss() {
    for (counts, want) in fixture::FLEISS {
        let items: Vec<Vec<usize>> = counts.iter().map(|row| labels(row)).collect();
        assert_near("fleiss", fleiss_kappa(&items).kappa.unwrap(), *want);
    }
    for (items, [kappa, observed, chance]) in fixture::FLEISS_UNEVEN {
        let got = fleiss_kappa(items);
        assert_near("uneven kappa", got.kappa.unwrap(), *kappa);
        assert_near("observed", got.percent_agreement.unwrap(), *observed);
        assert_near("chance", got.chance_agreement.unwrap(), *chance);
    }
}

/// The labels that a row of counts stands for.
fn labels(counts: &[usize]) -> Vec<usize> {
    let repeat = |(label, count): (usize, &usize)| vec![label; *count];
    counts.iter().enumerate().flat_map(repeat).collect()
}

#[test]
fn pairs_needed_are_near_the_exact_power() {
    for (difference, deviation, want) in fixture::PAIRS_NEEDED {
        let goal = PowerGoal::default();
        let got = advise_paired_numbers(9, Some(*difference), Some(*deviation), goal).unwrap();
        let needed = got.needed.unwrap() as f64;
        assert!(
            (needed - want.ceil()).abs() <= 1.0,
            "{needed} is not {want}"
        );
    }
}

/// Against scipy 1.17.1 `stats.bootstrap(np.mean, n_resamples=2_000_000, method="percentile")`; the tolerance is a
/// tenth of the standard error, four times the noise of 20,000 resamples.
#[test]
fn bootstrapped_mean() {
    let values = [
        0.12, 0.95, 0.4, 0.77, 0.31, 0.58, 0.66, 0.05, 0.83, 0.49, 0.72, 0.9, 0.27, 0.61, 0.38,
    ];
    let settings = StatisticsSettings {
        resamples: 20_000,
        ..StatisticsSettings::default()
    };
    let [low, high] = ends(mean_interval(&values, &settings).unwrap());
    assert!((low - 0.399_333_333).abs() < 0.0069, "{low}");
    assert!((high - 0.669_333_333).abs() < 0.0069, "{high}");
}

/// Against scipy 1.17.1 `stats.bootstrap(n_resamples=400_000, method="percentile")` of quantile differences and ratios.
#[test]
fn bootstrapped_quantiles() {
    let spread = |count: usize, from: f64, to: f64| -> Vec<f64> {
        let step = (to - from) / (count as f64 - 1.0);
        (0..count)
            .map(|place| (from + step * place as f64).exp())
            .collect()
    };
    let (a, b) = (spread(40, -1.0, 1.0), spread(50, -0.6, 1.6));
    let settings = StatisticsSettings {
        resamples: 20_000,
        ..StatisticsSettings::default()
    };
    let rows = [
        (0.5, [0.089_448, 1.281_868], [1.072_836, 2.533_914]),
        (0.9, [0.845_269, 2.530_096], [1.354_001, 2.385_482]),
    ];
    for (quantile, difference, ratio) in rows {
        let got = compare_group_quantile(&a, &b, quantile, &settings).unwrap();
        for (got, want) in ends(got.difference_interval).iter().zip(difference) {
            assert!(
                (got - want).abs() < 0.045,
                "{quantile}: {got} is not {want}"
            );
        }
        for (got, want) in ends(got.ratio_interval).iter().zip(ratio) {
            assert!(
                (got - want).abs() < 0.045,
                "{quantile}: {got} is not {want}"
            );
        }
    }
}

/// The quantile drawn from its distribution against the quantile of real resamples: both distributions, within the
/// Kolmogorov-Smirnov distance that 20,000 draws of each exceed once in a million.
#[test]
fn drawn_quantiles_are_those_of_resamples() {
    let values: Vec<f64> = (0..13).map(|place| f64::from(place * place)).collect();
    let mut random = SplitMix64::new(5);
    for share in [0.0, 0.3, 0.5, 0.95, 1.0] {
        let mut drawn = Vec::new();
        let mut real = Vec::new();
        for _ in 0..20_000 {
            drawn.push(resampled_quantile(&values, share, &mut random).unwrap());
            let resample: Vec<f64> = (0..13).map(|_| values[random.index(13)]).collect();
            real.push(quantile(&resample, share).unwrap().unwrap());
        }
        let distance = (0..=144).fold(0.0_f64, |most, at| {
            let below = |list: &[f64]| {
                list.iter().filter(|value| **value <= f64::from(at)).count() as f64 / 20_000.0
            };
            most.max((below(&drawn) - below(&real)).abs())
        });
        assert!(distance < 0.027, "{share}: {distance}");
    }
}
