//! The upper tail of the standard normal distribution and its inverse.

/// From here on the continued fraction of the tail converges fast; below, the series does.
const FRACTION_FROM: f64 = 3.0;

/// Levels of the continued fraction: at 3 the last digit needs fewer than 200.
const FRACTION_LEVELS: u32 = 200;

/// The `z` that a standard normal number exceeds with probability `tail`, which lies between 0 and 1/2 (1/2 included);
/// 1.96 for 0.025.
pub(in super::super) fn normal_critical(tail: f64) -> f64 {
    // Abramowitz and Stegun 26.2.23, right to 4.5e-4; each Newton step doubles the digits.
    let t = (-2.0 * tail.ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = (t - numerator / denominator).max(0.0);
    for _ in 0..4 {
        z += (upper_tail(z) - tail) / density(z);
    }
    z
}

/// The probability of a standard normal number above `z`, for `z` from 0 (a little below is harmless).
fn upper_tail(z: f64) -> f64 {
    if z < FRACTION_FROM {
        return 0.5 - density(z) * series(z);
    }
    let fraction = (1..=FRACTION_LEVELS)
        .rev()
        .fold(z, |below, level| z + f64::from(level) / below);
    density(z) / fraction
}

/// `z + z^3 / 3 + z^5 / 15 + ...`: the part of the probability between 0 and `z` over the density.
fn series(z: f64) -> f64 {
    let mut sum = z;
    let mut term = z;
    let mut odd = 1.0;
    loop {
        odd += 2.0;
        term *= z * z / odd;
        let next = sum + term;
        if next == sum {
            return sum;
        }
        sum = next;
    }
}

/// The density of the standard normal distribution.
fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt()
}
