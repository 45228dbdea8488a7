//! How large expressions become once the optimizer has put what a column is in the place of the column:
//! sixteen queries around one another, each with `abs(x) + abs(x) AS x`, are a million calls.
//!
//! Sizes are counted from the innermost plan outwards. Only what the optimizer looks through carries them on:
//! projections, filters, orders, limits, aliases and joins; the columns of all other plans count as one.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::refused;
use crate::error::{QueryError, Result};

/// Most nodes of one expression.
const NODES_MAX: u64 = 20_000;

/// Checks all expressions of a plan.
///
/// # Errors
/// `InvalidInput` when one of them becomes too large.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    sizes(plan).map(drop)
}

/// The size of each column of a plan.
fn sizes(plan: &LogicalPlan) -> Result<Vec<u64>> {
    let mut input = Vec::new();
    for inner in plan.inputs() {
        input.extend(sizes(inner)?);
    }
    let schema = match plan {
        LogicalPlan::Projection(projection) => projection.input.schema(),
        LogicalPlan::Filter(filter) => filter.input.schema(),
        _ => plan.schema(),
    };
    let count = plan.schema().fields().len();
    match plan {
        LogicalPlan::Projection(projection) => projection
            .expr
            .iter()
            .map(|expr| size(expr, schema, &input))
            .collect(),
        LogicalPlan::Filter(filter) => size(&filter.predicate, schema, &input).map(|_| input),
        LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Distinct(_)
            if input.len() == count =>
        {
            Ok(input)
        }
        _ => Ok(vec![1; count]),
    }
}

/// The nodes of an expression over columns of these sizes.
fn size(expr: &Expr, schema: &DFSchema, columns: &[u64]) -> Result<u64> {
    let (mut nodes, mut fault) = (0_u64, None);
    expr.apply(|node| {
        let inside = match node {
            Expr::ScalarSubquery(inner) => check(&inner.subquery),
            Expr::Exists(inner) => check(&inner.subquery.subquery),
            Expr::InSubquery(inner) => check(&inner.subquery.subquery),
            _ => Ok(()),
        };
        let own = match node {
            Expr::Column(column) => schema
                .maybe_index_of_column(column)
                .and_then(|at| columns.get(at).copied()),
            _ => None,
        };
        nodes = nodes.saturating_add(own.unwrap_or(1));
        fault = inside.err().or_else(|| (nodes > NODES_MAX).then(too_large));
        Ok(if fault.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    fault.map_or(Ok(nodes), Err)
}

fn too_large() -> QueryError {
    refused(format!(
        "an expression has more than {NODES_MAX} parts once its columns are what queries inside make them: \
         use a column of such a query once, or group or aggregate in between"
    ))
}
