//! Traces with a related row are found in the way of a search, and not by a join.
//!
//! `SELECT .. FROM traces WHERE trace_id IN (SELECT trace_id FROM spans WHERE ..)` becomes a semi join of two scans: all
//! spans that satisfy the condition are read before the first trace is. A search looks at the spans of the newest traces
//! first, asks the indexes for rare ones, and ends with its page. The scan of `traces` does so, too: the join is left
//! out, and its other side becomes a condition of the scan (see `related`).

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;

use crate::sql::scan::ScanExec;

/// The rule, which comes first: it knows the plan as it is made of the statement.
#[derive(Debug)]
pub(super) struct SemiJoins;

impl PhysicalOptimizerRule for SemiJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions_max = config.execution.target_partitions;
        plan.transform_up(|node| {
            let Some((traces, rows)) = node
                .downcast_ref::<HashJoinExec>()
                .and_then(traces_with_rows)
            else {
                return Ok(Transformed::no(node));
            };
            Ok(match traces.with_related(rows, partitions_max)? {
                Some(scan) => Transformed::yes(Arc::new(scan) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "semi_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The scans of a join that keeps the rows of the first that have a row of the second with their trace id.
fn traces_with_rows(join: &HashJoinExec) -> Option<(&ScanExec, &ScanExec)> {
    let [(left, right)] = join.on() else {
        return None;
    };
    let is_trace_id = |key: &Arc<dyn datafusion::physical_expr::PhysicalExpr>| {
        key.downcast_ref::<Column>()
            .is_some_and(|column| column.name() == "trace_id")
    };
    let is_semi = *join.join_type() == JoinType::LeftSemi
        && join.filter().is_none()
        && join.projection.is_none()
        && is_trace_id(left)
        && is_trace_id(right);

    if !is_semi {
        return None;
    }
    Some((
        join.left().downcast_ref::<ScanExec>()?,
        join.right().downcast_ref::<ScanExec>()?,
    ))
}
