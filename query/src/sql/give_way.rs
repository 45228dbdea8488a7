//! Joins that end when their query is given up.
//!
//! A join makes many rows of few, and where a condition leaves few of them it can go on for minutes without asking the scan,
//! where a query that was given up is noticed. So joins give way after a number of batches, and conditions, which are
//! asked about each block of pairs, are an error once the query is given up.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};

use super::scan::Cancel;

/// The plan, with joins that end when `cancel` says so.
///
/// # Errors
/// What DataFusion says of a join that is put together anew.
pub(super) fn give_way(
    plan: Arc<dyn ExecutionPlan>,
    cancel: &Cancel,
) -> Result<Arc<dyn ExecutionPlan>> {
    let given_way = plan.transform_up(|node| {
        if !node.name().contains("Join") {
            return Ok(Transformed::no(node));
        }
        let join = with_condition(node, cancel)?;
        Ok(Transformed::yes(
            Arc::new(CooperativeExec::new(join)) as Arc<dyn ExecutionPlan>
        ))
    })?;
    Ok(given_way.data)
}

/// A join whose condition looks at `cancel`, if it is of a kind that has one.
fn with_condition(node: Arc<dyn ExecutionPlan>, cancel: &Cancel) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
        let projection = join.projection().as_ref().map(|columns| columns.to_vec());
        let filter = Some(until_given_up(filter, cancel));
        let join = NestedLoopJoinExec::try_new(left, right, filter, join.join_type(), projection)?;
        return Ok(Arc::new(join));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>()
        && let Some(filter) = join.filter()
    {
        let filter = until_given_up(filter, cancel);
        return Ok(Arc::new(join.builder().with_filter(Some(filter)).build()?));
    }
    Ok(node)
}

fn until_given_up(filter: &JoinFilter, cancel: &Cancel) -> JoinFilter {
    let condition = UntilGivenUp {
        condition: Arc::clone(filter.expression()),
        cancel: cancel.clone(),
    };
    let (columns, schema) = (
        filter.column_indices().to_vec(),
        Arc::clone(filter.schema()),
    );
    JoinFilter::new(Arc::new(condition), columns, schema)
}

/// A condition that is an error once its query is given up.
#[derive(Debug)]
struct UntilGivenUp {
    condition: Arc<dyn PhysicalExpr>,
    cancel: Cancel,
}

impl PartialEq for UntilGivenUp {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for UntilGivenUp {}

impl Hash for UntilGivenUp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl fmt::Display for UntilGivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PhysicalExpr for UntilGivenUp {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.condition.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let go_on = self.cancel.check();
        go_on.map_err(|error| DataFusionError::External(Box::new(error)))?;
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(condition) = children.into_iter().next() else {
            return internal_err!("a condition of a join without its child");
        };
        Ok(Arc::new(Self {
            condition,
            cancel: self.cancel.clone(),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}
