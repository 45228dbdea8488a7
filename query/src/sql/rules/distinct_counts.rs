//! How many values are distinct is counted, and not taken from statistics.
//!
//! DataFusion says of a column that is NULL in every row, as it says of any constant, that it has one distinct value,
//! and answers `count(DISTINCT ..)` from that; NULL is none. The rule that answers aggregates from statistics is not
//! shown a plan with such a call.
//!
//! Unneeded once `a_constant_null_is_no_distinct_value` among the tests passes without it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::PhysicalRule;

/// The rule that answers aggregates from statistics.
pub(super) const AROUND: &str = "aggregate_statistics";

/// The rule named [`AROUND`], which is not shown such plans.
#[derive(Debug)]
pub(super) struct DistinctCounts {
    inner: PhysicalRule,
}

impl DistinctCounts {
    /// `rule` itself, or behind this if it is the one.
    pub(super) fn around(rule: PhysicalRule) -> PhysicalRule {
        match rule.name() {
            AROUND => Arc::new(Self { inner: rule }),
            _ => rule,
        }
    }
}

impl PhysicalOptimizerRule for DistinctCounts {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut counts_distinct = false;
        plan.apply(|node| {
            let calls = node
                .downcast_ref::<AggregateExec>()
                .map(AggregateExec::aggr_expr);
            counts_distinct |=
                calls.is_some_and(|calls| calls.iter().any(|call| call.is_distinct()));
            Ok(if counts_distinct {
                TreeNodeRecursion::Stop
            } else {
                TreeNodeRecursion::Continue
            })
        })?;
        match counts_distinct {
            true => Ok(plan),
            false => self.inner.optimize(plan, config),
        }
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_check(&self) -> bool {
        self.inner.schema_check()
    }
}
