//! The regularized incomplete beta function and its inverse: the distribution behind binomial tails and Student's t.
//!
//! 1. The power term `x^a y^b / B(a, b)` from deviances and Stirling errors (after Loader 2000), exact to a few ulps
//!    even for a million items.
//! 2. The continued fraction DLMF 8.17.22 by Lentz's algorithm, on the side where it converges fast.
//! 3. The inverse by Newton steps that a bracket keeps from leaving.

use super::gamma::stirling_error;
use super::normal::normal_critical;

/// Steps of the continued fraction: it needs a few times the square root of the larger shape, so this is enough for
/// shapes of 10^10.
const FRACTION_STEPS_MAX: u32 = 1_000_000;

/// Steps of the inverse: a bisection alone needs about 1,100 for the smallest f64, Newton about ten.
const INVERSE_STEPS_MAX: u32 = 1_200;

/// Stands for a zero in the continued fraction.
const TINY: f64 = 1e-300;

/// `I_x(a, b)` for shapes above 0. The caller gives `y = 1 - x` too, because near 1 it holds digits that `x` does not.
pub(in super::super) fn beta_regularized(a: f64, b: f64, x: f64, y: f64) -> Option<f64> {
    if x <= 0.0 {
        return Some(0.0);
    }
    if y <= 0.0 {
        return Some(1.0);
    }
    let power = power_term(a, b, x, y);
    if x < (a + 1.0) / (a + b + 2.0) {
        Some((power / a * fraction(a, b, x)?).clamp(0.0, 1.0))
    } else {
        Some((1.0 - power / b * fraction(b, a, y)?).clamp(0.0, 1.0))
    }
}

/// The `x` with `I_x(a, b) = target`, for shapes above 0 and a target between 0 and 1.
pub(in super::super) fn beta_inverse(a: f64, b: f64, target: f64) -> Option<f64> {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = first_guess(a, b, target);
    for _ in 0..INVERSE_STEPS_MAX {
        let y = 1.0 - x;
        let excess = beta_regularized(a, b, x, y)? - target;
        if excess > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let density = power_term(a, b, x, y) / (x * y);
        let newton = x - excess / density;
        // Asked before the bracket is: a last step may round to its end, from where halving would jump away.
        if excess == 0.0 || (newton - x).abs() <= 2.0 * f64::EPSILON * x {
            return Some(x);
        }
        let next = if newton > low && newton < high {
            newton
        } else {
            low + (high - low) / 2.0
        };
        if next == x {
            return Some(x);
        }
        x = next;
    }
    None
}

/// Where the normal approximation sees the inverse, kept inside of 0 and 1.
fn first_guess(a: f64, b: f64, target: f64) -> f64 {
    let mean = a / (a + b);
    let deviation = (mean * (1.0 - mean) / (a + b + 1.0)).sqrt();
    let steps = if target < 0.5 {
        -normal_critical(target)
    } else {
        normal_critical(1.0 - target)
    };
    let guess = mean + steps * deviation;
    if guess > 0.0 && guess < 1.0 {
        guess
    } else {
        mean
    }
}

/// `x^a y^b / B(a, b)`.
fn power_term(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let errors = stirling_error(n) - stirling_error(a) - stirling_error(b);
    let exponent = errors - deviance(a, n * x) - deviance(b, n * y);
    (a / n * b / std::f64::consts::TAU).sqrt() * exponent.exp()
}

/// `p ln(p / q) + q - p`, by its series when `p` and `q` are near, where the terms would cancel.
fn deviance(p: f64, q: f64) -> f64 {
    let v = (p - q) / (p + q);
    if v.abs() > 0.1 {
        return p * (p / q).ln() + q - p;
    }
    let mut sum = (p - q) * v;
    let mut term = 2.0 * p * v;
    let mut odd = 1.0;
    loop {
        term *= v * v;
        odd += 2.0;
        let next = sum + term / odd;
        if next == sum {
            return sum;
        }
        sum = next;
    }
}

/// The continued fraction of DLMF 8.17.22; `None` when it does not converge.
fn fraction(a: f64, b: f64, x: f64) -> Option<f64> {
    let mut c = 1.0_f64;
    let mut d = nonzero(1.0 - (a + b) * x / (a + 1.0)).recip();
    let mut value = d;
    for step in 1..=FRACTION_STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = nonzero(1.0 + even * d).recip();
        c = nonzero(1.0 + even / c);
        value *= c * d;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = nonzero(1.0 + odd * d).recip();
        c = nonzero(1.0 + odd / c);
        let change = c * d;
        value *= change;
        if (change - 1.0).abs() <= f64::EPSILON {
            return Some(value);
        }
    }
    None
}

/// The value, or a tiny one in place of zero.
fn nonzero(value: f64) -> f64 {
    if value.abs() < TINY { TINY } else { value }
}
