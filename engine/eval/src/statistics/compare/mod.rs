//! Two runs paired by item, and two groups of unpaired items.
//!
//! ```text
//! scores of a, b -> pairing -> numbers  (paired difference, p-value)
//!                           -> verdicts (McNemar)
//!                           -> regressions
//!                           -> runs: all of them for one scorer
//! group a, group b -> groups, rates, quantiles (unpaired)
//! ```
//!
//! **Invariants**
//! 1. A difference is always b minus a: what changed on the way from a to b.

mod groups;
mod numbers;
mod pairing;
mod quantiles;
mod rates;
mod regressions;
mod runs;
mod verdicts;

pub use groups::{GroupNumbers, compare_group_numbers};
pub use numbers::{NumberComparison, PValueMethod, compare_numbers};
pub use pairing::{Paired, Pairing, pair_by_key};
pub use quantiles::{GroupQuantiles, compare_group_quantile};
pub use rates::{GroupRates, compare_group_rates};
pub use regressions::{Better, Judged, Regression, RegressionKind, regressions};
pub use runs::{Comparison, TextComparison, compare_runs};
pub use verdicts::{VerdictComparison, compare_verdicts, mcnemar_exact};
