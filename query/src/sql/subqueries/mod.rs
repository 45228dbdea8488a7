//! Subqueries as conditions (`EXISTS`, `IN`, `ANY`, `ALL`) and values, put where the planner can run them.
//!
//! DataFusion turns such a condition into a join where it stands alone in a WHERE; elsewhere it refuses it, or
//! reads NULL as false. This is the last rule of the analyzer, after types are known and before the optimizer:
//!
//! ```text
//! every node, innermost first:
//!   expressions -> truth: IN, ANY, ALL become EXISTS and comparisons that know NULL
//!   Filter      -> stays: the optimizer makes semi, anti and mark joins of EXISTS
//!   Projection  -> a mark join below it for each EXISTS
//!   Aggregate, Window, Sort, a side of a Join -> a projection below that has the subquery as a column
//! ```
//!
//! Invariants: (1) a plan without subqueries is left as it is; (2) `WHERE x IN (SELECT ..)` stays one semi join;
//! (3) what is still a subquery when the plan is optimized is refused by [`check_planned`].
//!
//! Not needed any more when DataFusion runs predicate subqueries in every expression and its mark join has NULL.

mod lift;
mod truth;

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection,
};
use datafusion::optimizer::AnalyzerRule;

use self::lift::{Marks, lift_below, lift_into_side, mark};
use self::truth::{Null, Scope};
use crate::error::QueryError;
use crate::sql::errors::UNPLANNED;

/// The rule; see the head of this file.
#[derive(Debug)]
pub(super) struct PlaceSubqueries;

impl AnalyzerRule for PlaceSubqueries {
    fn name(&self) -> &str {
        "place_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        if !any_subquery(&plan)? {
            return Ok(plan);
        }
        let marks = Marks::default();
        // What a subquery becomes may be NULL where it was not: schemas are made anew on the way up.
        plan.transform_up_with_subqueries(|node| {
            place(node.recompute_schema()?, &marks).map(Transformed::yes)
        })
        .data()
    }
}

fn any_subquery(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found |= holds_subquery(node)?;
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}

fn holds_subquery(node: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found |= has_subquery(expr)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn has_subquery(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::ScalarSubquery(_)
        ))
    })
}

fn place(node: LogicalPlan, marks: &Marks) -> Result<LogicalPlan> {
    if !holds_subquery(&node)? {
        return Ok(node);
    }
    match node {
        LogicalPlan::Filter(filter) => place_in_filter(filter, marks),
        LogicalPlan::Projection(projection) => place_in_projection(projection, marks),
        LogicalPlan::Join(join) => place_in_join(join, marks),
        LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Sort(_) => {
            lift_below(&node, marks)
        }
        other => Ok(other),
    }
}

fn place_in_filter(filter: Filter, marks: &Marks) -> Result<LogicalPlan> {
    let columns = filter.input.schema().columns();
    let mut scope = Scope::over(Arc::unwrap_or_clone(filter.input), marks);
    let mut conjuncts = Vec::new();
    for conjunct in split_conjunction_owned(filter.predicate) {
        conjuncts.push(match is_semi_join(&conjunct) {
            true => conjunct,
            false => scope.truth(conjunct, Null::IsFalse)?,
        });
    }
    let input = scope.into_input()?;
    let Some(predicate) = conjunction(conjuncts) else {
        return Ok(input);
    };
    restore(
        LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?),
        columns,
    )
}

/// `x IN (SELECT ..)` by itself: NULL is as good as false, and the optimizer makes one semi join of it.
fn is_semi_join(conjunct: &Expr) -> bool {
    match conjunct {
        Expr::InSubquery(InSubquery {
            subquery,
            negated: false,
            ..
        }) => !truth::is_one_value(subquery),
        _ => false,
    }
}

fn place_in_projection(projection: Projection, marks: &Marks) -> Result<LogicalPlan> {
    let names = NamePreserver::new_for_projection();
    let mut scope = Scope::over(Arc::unwrap_or_clone(projection.input), marks);
    let mut exprs = Vec::with_capacity(projection.expr.len());
    for expr in projection.expr {
        let name = names.save(&expr);
        let expr = if has_subquery(&expr)? {
            scope.truth(expr, Null::Matters)?
        } else {
            expr
        };
        exprs.push(name.restore(expr));
    }
    let (exprs, input) = mark(exprs, scope.into_input()?, marks)?;
    Ok(LogicalPlan::Projection(Projection::try_new(
        exprs,
        Arc::new(input),
    )?))
}

fn place_in_join(mut join: Join, marks: &Marks) -> Result<LogicalPlan> {
    let (with, without): (Vec<Expr>, Vec<Expr>) = match join.filter.take() {
        Some(filter) => split_conjunction_owned(filter)
            .into_iter()
            .partition(|conjunct| has_subquery(conjunct).unwrap_or(true)),
        None => (Vec::new(), Vec::new()),
    };
    join.filter = conjunction(without);
    let columns = join.schema.columns();
    if join.join_type == JoinType::Inner {
        // The condition of an inner join is one on its rows.
        let Some(predicate) = conjunction(with) else {
            return Ok(LogicalPlan::Join(join));
        };
        let rows = LogicalPlan::Join(join).recompute_schema()?;
        return place_in_filter(Filter::try_new(predicate, Arc::new(rows))?, marks);
    }
    let both: DFSchema = join.left.schema().join(join.right.schema())?;
    let mut conjuncts: Vec<Expr> = join
        .filter
        .iter()
        .flat_map(split_conjunction)
        .cloned()
        .collect();
    for conjunct in with {
        let mut scope = Scope::without_input(Arc::new(both.clone()), marks);
        let conjunct = scope.truth(conjunct, Null::IsFalse)?;
        conjuncts.push(lift_into_side(conjunct, &mut join, marks)?);
    }
    join.filter = conjunction(conjuncts);
    restore(LogicalPlan::Join(join).recompute_schema()?, columns)
}

/// `plan` with exactly these of its columns.
fn restore(plan: LogicalPlan, columns: Vec<Column>) -> Result<LogicalPlan> {
    if plan.schema().columns() == columns {
        return Ok(plan);
    }
    LogicalPlanBuilder::from(plan)
        .project(columns.into_iter().map(Expr::Column))?
        .build()
}

/// Refuses an optimized plan that still has a subquery which no operator can run.
///
/// # Errors
/// `InvalidInput`, saying what to write instead.
pub(super) fn check_planned(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| match expr {
                Expr::ScalarSubquery(subquery) if subquery.outer_ref_columns.is_empty() => {
                    Ok(TreeNodeRecursion::Continue)
                }
                Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::ScalarSubquery(_)
                | Expr::OuterReferenceColumn(..) => Err(unplanned().into()),
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    })?;
    Ok(())
}

fn unplanned() -> QueryError {
    QueryError::invalid_input(UNPLANNED)
}
