//! Rules of DataFusion's optimizers that would change answers, put right by rules around or behind them.
//!
//! ```text
//! logical:  .. push_down_filter (behind `no_rows`), extract_equijoin_predicate and eliminate_cross_join (`null_keys`) ..
//! physical: semi_joins -> grouping_sets -> aggregate_statistics (behind `distinct_counts`) .. EnsureRequirements -> merge_keys -> .. -> late_columns -> yielding_joins
//! ```
//! Each file says what is wrong there and which test tells when it can go.

mod distinct_counts;
mod grouping_sets;
mod late_columns;
mod merge_keys;
mod no_rows;
mod null_keys;
mod semi_joins;
mod yielding_joins;

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use distinct_counts::DistinctCounts;
use grouping_sets::GroupingSets;
use late_columns::LateColumns;
use merge_keys::MergeKeys;
use no_rows::NoRows;
use null_keys::NullKeys;
use semi_joins::SemiJoins;
use yielding_joins::YieldingJoins;

/// A rule of the logical optimizer.
type Rule = Arc<dyn OptimizerRule + Send + Sync>;
/// A rule of the physical optimizer.
type PhysicalRule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// Gives a session DataFusion's rules with ours among them.
pub(super) fn with_rules(builder: SessionStateBuilder) -> SessionStateBuilder {
    let logical = Optimizer::new()
        .rules
        .into_iter()
        .map(NoRows::around)
        .map(NullKeys::around)
        .collect();
    let mut physical: Vec<PhysicalRule> = PhysicalOptimizer::new()
        .rules
        .into_iter()
        .map(DistinctCounts::around)
        .collect();
    let behind = physical
        .iter()
        .position(|rule| rule.name() == merge_keys::BEHIND);
    physical.insert(behind.map_or(0, |at| at + 1), Arc::new(MergeKeys));
    physical.insert(0, Arc::new(GroupingSets));
    physical.insert(0, Arc::new(SemiJoins));
    physical.push(Arc::new(LateColumns));
    physical.push(Arc::new(YieldingJoins));
    builder
        .with_optimizer_rules(logical)
        .with_physical_optimizer_rules(physical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_that_ours_stand_at_have_these_names() {
        let rules = Optimizer::new().rules;
        for name in null_keys::AROUND.into_iter().chain([no_rows::AROUND]) {
            assert!(rules.iter().any(|rule| rule.name() == name), "{name}");
        }
        let rules = PhysicalOptimizer::new().rules;
        for name in [merge_keys::BEHIND, distinct_counts::AROUND] {
            assert!(rules.iter().any(|rule| rule.name() == name), "{name}");
        }
    }
}
