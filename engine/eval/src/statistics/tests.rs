//! Tests of statistics: against reference packages, against simple models, and of what is promised in words.

#[rustfmt::skip] // One row a line.
#[allow(clippy::approx_constant)] // A standard deviation of √½ is a result, not the constant.
mod fixture;
mod model;
mod promises;
mod reference;

/// Asserts that two numbers agree within 1e-9, relative for numbers above 1.
fn assert_near(what: &str, got: f64, want: f64) {
    let apart = (got - want).abs() / want.abs().max(1.0);
    assert!(apart <= 1e-9, "{what}: {got} is not {want}");
}
