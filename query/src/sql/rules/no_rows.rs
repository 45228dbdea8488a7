//! A condition without columns stays above an aggregate that makes a row of no rows.
//!
//! `SELECT count(*) .. HAVING false` has no row, but below the aggregate the same condition leaves it no rows, of
//! which `count(*)` makes one; so do `ROLLUP`, `CUBE` and a grouping set `()`. DataFusion pushes every condition
//! whose columns are all among the group's, and a condition without columns has none that are not.
//!
//! Unneeded once `conditions_without_columns_are_asked_of_groups` among the tests passes without it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Expr, Filter, GroupingSet, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::Rule;

/// The rule that pushes conditions down.
pub(super) const AROUND: &str = "push_down_filter";

/// The rule named [`AROUND`], which is not shown such conditions.
#[derive(Debug)]
pub(super) struct NoRows {
    inner: Rule,
}

impl NoRows {
    /// `rule` itself, or behind this if it is the one.
    pub(super) fn around(rule: Rule) -> Rule {
        match rule.name() {
            AROUND => Arc::new(Self { inner: rule }),
            _ => rule,
        }
    }
}

impl OptimizerRule for NoRows {
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
        let filter = match plan {
            LogicalPlan::Filter(filter) if makes_a_row_of_none(below_filters(&filter.input)) => {
                joined(filter)?
            }
            other => return self.inner.rewrite(other, config),
        };
        let (staying, going): (Vec<Expr>, Vec<Expr>) = split_conjunction_owned(filter.predicate)
            .into_iter()
            .partition(|condition| condition.column_refs().is_empty());
        let Some(going) = conjunction(going) else {
            return Ok(Transformed::no(above(
                conjunction(staying),
                Arc::unwrap_or_clone(filter.input),
            )?));
        };
        let pushed = LogicalPlan::Filter(Filter::try_new(going, filter.input)?);
        let pushed = self.inner.rewrite(pushed, config)?;
        let Some(staying) = conjunction(staying) else {
            return Ok(pushed);
        };
        pushed.map_data(|plan| match plan {
            LogicalPlan::Filter(filter) => {
                let all = conjunction([filter.predicate, staying]);
                above(all, Arc::unwrap_or_clone(filter.input))
            }
            other => above(Some(staying), other),
        })
    }
}

/// What is below a chain of filters.
fn below_filters(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Filter(filter) => below_filters(&filter.input),
        other => other,
    }
}

/// A filter and those right below it as one: the rule would join them itself, and go on without this one.
fn joined(mut filter: Filter) -> Result<Filter> {
    while let LogicalPlan::Filter(below) = filter.input.as_ref() {
        let below = below.clone();
        filter = Filter::try_new(below.predicate.and(filter.predicate), below.input)?;
    }
    Ok(filter)
}

fn above(condition: Option<Expr>, plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(match condition {
        Some(condition) => LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?),
        None => plan,
    })
}

/// Whether `plan` is an aggregate with a group that is there without rows.
fn makes_a_row_of_none(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(Aggregate { group_expr, .. }) = plan else {
        return false;
    };
    match group_expr.as_slice() {
        [] => true,
        [Expr::GroupingSet(GroupingSet::Rollup(_) | GroupingSet::Cube(_))] => true,
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().any(Vec::is_empty),
        _ => false,
    }
}
