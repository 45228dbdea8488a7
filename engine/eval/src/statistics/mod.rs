//! Statistics of evaluation runs: what one run says, what two runs say, how many items are enough, how well raters agree.
//!
//! It stands beside the scorers: they make [`crate::Score`]s, the engine stores them, and this module reads them back
//! as values. It knows nothing of storage.
//!
//! ```text
//! scores of a run  -> summarize     -> Summary: mean and interval, rate and interval, counts of texts
//! scores of a, b   -> compare_runs  -> Comparison: paired differences, p-values, regressions, advice
//! two groups       -> compare_group_numbers, _rates, _quantile: Welch, Newcombe, bootstrap
//! labels of raters -> cohen_kappa, cohen_kappa_ordered, fleiss_kappa
//! ```
//!
//! **Invariants**
//! 1. No field is ever NaN or infinite: what is undefined is `None`.
//! 2. The same input and the same [`StatisticsSettings::seed`] give the same output, bit for bit.
//! 3. An interval and a p-value say by which method they were made.
//! 4. Nothing is left out silently: what a calculation cannot use is counted in its result or is an error.

mod advice;
mod agreement;
mod bootstrap;
mod compare;
mod error;
mod interval;
mod proportion;
mod random;
mod sample;
mod settings;
mod special;
mod summary;
#[cfg(test)]
mod tests;

pub use advice::{
    Advice, AdviceUnit, Formula, PowerGoal, advise_group_numbers, advise_group_rates,
    advise_paired_numbers, advise_paired_verdicts,
};
pub use agreement::{
    CohenKappa, FleissKappa, Weights, cohen_kappa, cohen_kappa_ordered, fleiss_kappa,
    percent_agreement,
};
pub use compare::{
    Better, Comparison, GroupNumbers, GroupQuantiles, GroupRates, Judged, NumberComparison,
    PValueMethod, Paired, Pairing, Regression, RegressionKind, TextComparison, VerdictComparison,
    compare_group_numbers, compare_group_quantile, compare_group_rates, compare_numbers,
    compare_runs, compare_verdicts, mcnemar_exact, pair_by_key, regressions,
};
pub use error::StatisticsError;
pub use interval::{Interval, IntervalMethod, mean_interval};
pub use proportion::{clopper_pearson, wilson};
pub use random::SplitMix64;
pub use sample::{mean, quantile, standard_deviation};
pub use settings::StatisticsSettings;
pub use summary::{
    CategoryCount, CategorySummary, NumberSummary, RateSummary, Summary, summarize,
    summarize_categories, summarize_numbers, summarize_verdicts,
};
