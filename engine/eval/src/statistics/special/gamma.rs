//! The error of Stirling's formula, from which ratios of gamma functions are made without losing digits.

/// From here on six terms of the asymptotic series are exact to the last digit.
const SERIES_FROM: f64 = 16.0;

/// `ln Γ(x) - ((x - 1/2) ln x - x + ln(2π)/2)` for `x` above 0: small for every large `x`, where `ln Γ` itself is large
/// and its digits would be lost in differences.
pub(super) fn stirling_error(x: f64) -> f64 {
    let mut shifted = x;
    let mut product_ln = 0.0;
    while shifted < SERIES_FROM {
        product_ln += shifted.ln();
        shifted += 1.0;
    }
    let series = series(shifted);
    if product_ln == 0.0 && shifted == x {
        return series;
    }
    // ln Γ(x) = ln Γ(shifted) - ln(x (x + 1) ... (shifted - 1))
    series + main_part(shifted) - product_ln - main_part(x)
}

/// Stirling's formula without its constant.
fn main_part(x: f64) -> f64 {
    (x - 0.5) * x.ln() - x
}

/// The asymptotic series of the error, in Horner's form (DLMF 5.11.1).
fn series(x: f64) -> f64 {
    let s = 1.0 / (x * x);
    let tail = 1.0 / 1680.0 - s * (1.0 / 1188.0 - s * 691.0 / 360_360.0);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * tail))) / x
}
