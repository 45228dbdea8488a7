//! Keys of a join to which NULL equals NULL do not mix with those to which it equals nothing.
//!
//! A join has one such property for all of its keys. DataFusion makes a key of `a.x IS NOT DISTINCT FROM b.x`, and
//! later another of an `a.y = b.y` that was pushed into the join, or takes the keys of several joins together; rows
//! where both `y` are NULL are found then. Two rules are not shown such joins.
//!
//! Unneeded once `null_equals_null_for_the_keys_that_say_so` among the tests passes without it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::{Join, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::Rule;

/// The rule that makes keys of conditions, and the one that takes joins together.
pub(super) const AROUND: [&str; 2] = ["extract_equijoin_predicate", "eliminate_cross_join"];

/// One of the rules of [`AROUND`].
#[derive(Debug)]
pub(super) struct NullKeys {
    inner: Rule,
    takes_joins_together: bool,
}

impl NullKeys {
    /// `rule` itself, or behind this if it is one of them.
    pub(super) fn around(rule: Rule) -> Rule {
        match AROUND.iter().position(|name| *name == rule.name()) {
            Some(at) => Arc::new(Self {
                inner: rule,
                takes_joins_together: at == 1,
            }),
            None => rule,
        }
    }
}

impl OptimizerRule for NullKeys {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.inner.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let is_hidden = match self.takes_joins_together {
            true => plan.exists(|node| Ok(has_null_keys(node)))?,
            false => has_null_keys(&plan),
        };
        match is_hidden {
            true => Ok(Transformed::no(plan)),
            false => self.inner.rewrite(plan, config),
        }
    }
}

fn has_null_keys(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Join(Join {
            on,
            null_equality: NullEquality::NullEqualsNull,
            ..
        }) => !on.is_empty(),
        _ => false,
    }
}
