//! Student's t distribution, by the incomplete beta function.

use super::beta::{beta_inverse, beta_regularized};

/// The probability of a t beyond `t` on either side, for degrees of freedom above 0; infinity gives 0.
pub(in super::super) fn student_two_sided(t: f64, degrees: f64) -> Option<f64> {
    let ratio = t * t / degrees;
    let x = 1.0 / (1.0 + ratio);
    // Written so that neither a tiny nor an infinite ratio loses y.
    let y = if ratio > 1.0 {
        1.0 / (1.0 + 1.0 / ratio)
    } else {
        ratio / (1.0 + ratio)
    };
    beta_regularized(degrees / 2.0, 0.5, x, y)
}

/// The `t` that is exceeded on either side with probability `tails`, between 0 and 1: 12.7 for 0.05 and one degree.
pub(in super::super) fn student_critical(tails: f64, degrees: f64) -> Option<f64> {
    let y = beta_inverse(0.5, degrees / 2.0, 1.0 - tails)?;
    Some((degrees * y / (1.0 - y)).sqrt())
}
