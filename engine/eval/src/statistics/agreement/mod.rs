//! How well raters agree: percent agreement, Cohen's kappa of two raters, Fleiss' kappa of many.
//!
//! Kappa is the agreement beyond chance: 1 is full agreement, 0 what chance gives, below 0 less than chance. It is `None`
//! when chance alone gives full agreement (every label is the same), where it is 0 / 0.

mod cohen;
mod fleiss;

pub use cohen::{CohenKappa, Weights, cohen_kappa, cohen_kappa_ordered, percent_agreement};
pub use fleiss::{FleissKappa, fleiss_kappa};
