//! Subqueries taken out of an expression, into columns of the rows below it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, Filter, Join, JoinType, LogicalPlan, Projection};
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::{OptimizerConfig, OptimizerContext, OptimizerRule};

use super::truth::{Null, Scope};
use super::{has_subquery, restore};
use crate::error::QueryError;

/// Numbers of our joins begin here; those of the optimizer, which begin at 1, do not get so far.
const FIRST_JOIN: usize = 1 << 20;

/// Makes names, and mark joins, of one statement.
#[derive(Debug)]
pub(super) struct Marks {
    names: AtomicUsize,
    optimizer: OptimizerContext,
}

impl Default for Marks {
    fn default() -> Self {
        let optimizer = OptimizerContext::new();
        optimizer.alias_generator().update_min_id(FIRST_JOIN);
        Self {
            names: AtomicUsize::new(1),
            optimizer,
        }
    }
}

impl Marks {
    /// A name of a column that nothing else of the statement has.
    pub(super) fn name(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.names.fetch_add(1, Ordering::Relaxed))
    }
}

/// Turns each EXISTS in `exprs` into a column that a mark join adds to `input`.
pub(super) fn mark(
    exprs: Vec<Expr>,
    mut input: LogicalPlan,
    marks: &Marks,
) -> Result<(Vec<Expr>, LogicalPlan)> {
    let names = NamePreserver::new_for_projection();
    let mut marked = Vec::with_capacity(exprs.len());
    for expr in exprs {
        let found = expr.exists(|expr| Ok(matches!(expr, Expr::Exists(_))))?;
        if !found {
            marked.push(expr);
            continue;
        }
        // A filter, which marks are made of, drops names.
        let name = names.save(&expr);
        let (expr, joined) = mark_one(expr.unalias(), input, marks)?;
        input = joined;
        marked.push(name.restore(expr));
    }
    Ok((marked, input))
}

/// The optimizer's own rule makes mark joins, but of filters alone: it is given one, which is then taken away.
fn mark_one(expr: Expr, input: LogicalPlan, marks: &Marks) -> Result<(Expr, LogicalPlan)> {
    let condition = Expr::IsNotNull(Box::new(expr));
    let filter = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(input))?);
    let mut plan = DecorrelatePredicateSubquery::new()
        .rewrite(filter, &marks.optimizer)?
        .data;
    if let LogicalPlan::Projection(projection) = plan {
        plan = Arc::unwrap_or_clone(projection.input);
    }
    match plan {
        LogicalPlan::Filter(Filter {
            predicate: Expr::IsNotNull(expr),
            input,
            ..
        }) => Ok((*expr, Arc::unwrap_or_clone(input))),
        _ => Err(QueryError::internal("a subquery was not made a join").into()),
    }
}

/// A node whose expressions find their subqueries in columns of the rows below it.
pub(super) fn lift_below(node: &LogicalPlan, marks: &Marks) -> Result<LogicalPlan> {
    let inputs = node.inputs();
    let [input] = inputs.as_slice() else {
        return Err(QueryError::internal("a node with subqueries has several inputs").into());
    };
    let names = NamePreserver::new(node);
    let mut scope = Scope::over((*input).clone(), marks);
    let mut lifted = Vec::new();
    let mut exprs = Vec::new();
    for expr in node.expressions() {
        if !has_subquery(&expr)? {
            exprs.push(expr);
            continue;
        }
        let name = names.save(&expr);
        let truth = scope.truth(expr, Null::Matters)?;
        let expr = take_out(truth, &mut lifted, marks)?;
        exprs.push(match node {
            LogicalPlan::Sort(_) => expr,
            _ => name.restore(expr),
        });
    }
    let rows = match (node, scope.into_input()?) {
        (LogicalPlan::Sort(_), LogicalPlan::Projection(chosen)) => {
            below_chosen(chosen, lifted, marks)?
        }
        (_, rows) => with_columns(rows, lifted, marks)?,
    };
    let columns = node.schema().columns();
    restore(node.with_new_exprs(exprs, vec![rows])?, columns)
}

/// A condition of an outer join that finds its subqueries in columns of one of the sides.
pub(super) fn lift_into_side(condition: Expr, join: &mut Join, marks: &Marks) -> Result<Expr> {
    let mut lifted = Vec::new();
    let condition = take_out(condition, &mut lifted, marks)?;
    for (name, subquery) in lifted {
        let side = match (
            is_of(&subquery, join.left.schema())?,
            is_of(&subquery, join.right.schema())?,
        ) {
            (true, _) => &mut join.left,
            (false, true) => &mut join.right,
            (false, false) => return Err(of_both_sides(join.join_type).into()),
        };
        let rows = with_columns(side.as_ref().clone(), vec![(name, subquery)], marks)?;
        *side = Arc::new(rows);
    }
    Ok(condition)
}

/// Replaces subqueries by columns, whose names and values are put into `lifted`. Those that are one value for
/// all rows can stay.
fn take_out(expr: Expr, lifted: &mut Vec<(String, Expr)>, marks: &Marks) -> Result<Expr> {
    expr.transform_down(|expr| {
        let stays = match &expr {
            Expr::ScalarSubquery(subquery) => subquery.outer_ref_columns.is_empty(),
            Expr::Exists(_) => false,
            _ => true,
        };
        if stays {
            return Ok(Transformed::no(expr));
        }
        let known = lifted
            .iter()
            .find(|(_, known)| *known == expr)
            .map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            let name = marks.name("__subquery");
            lifted.push((name.clone(), expr));
            name
        });
        let column = Expr::Column(Column::new_unqualified(name));
        Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
    })
    .data()
}

/// `rows` with subqueries as columns.
fn with_columns(
    rows: LogicalPlan,
    lifted: Vec<(String, Expr)>,
    marks: &Marks,
) -> Result<LogicalPlan> {
    if lifted.is_empty() {
        return Ok(rows);
    }
    let mut exprs: Vec<Expr> = rows
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    exprs.extend(lifted.into_iter().map(|(name, expr)| expr.alias(name)));
    let (exprs, input) = mark(exprs, rows, marks)?;
    Ok(LogicalPlan::Projection(Projection::try_new(
        exprs,
        Arc::new(input),
    )?))
}

/// What ORDER BY sorts by need not be among the chosen columns: the subqueries go below these.
fn below_chosen(
    chosen: Projection,
    lifted: Vec<(String, Expr)>,
    marks: &Marks,
) -> Result<LogicalPlan> {
    let mut are_chosen = true;
    for (_, subquery) in &lifted {
        are_chosen &= is_of(subquery, &chosen.schema)?;
    }
    if are_chosen {
        return with_columns(LogicalPlan::Projection(chosen), lifted, marks);
    }
    let mut exprs = chosen.expr;
    exprs.extend(
        lifted
            .iter()
            .map(|(name, _)| Expr::Column(Column::new_unqualified(name))),
    );
    let rows = with_columns(Arc::unwrap_or_clone(chosen.input), lifted, marks)?;
    Ok(LogicalPlan::Projection(Projection::try_new(
        exprs,
        Arc::new(rows),
    )?))
}

/// Whether all that a subquery refers to is in `schema`.
fn is_of(subquery: &Expr, schema: &DFSchema) -> Result<bool> {
    let outer = match subquery {
        Expr::Exists(exists) => &exists.subquery.outer_ref_columns,
        Expr::ScalarSubquery(subquery) => &subquery.outer_ref_columns,
        _ => return Ok(false),
    };
    for expr in outer {
        let mut is_inside = true;
        expr.apply(|expr| {
            if let Expr::OuterReferenceColumn(_, column) = expr {
                is_inside &= schema.has_column(column);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !is_inside {
            return Ok(false);
        }
    }
    Ok(true)
}

fn of_both_sides(join_type: JoinType) -> QueryError {
    QueryError::invalid_input(format!(
        "a subquery in the ON of a {join_type} JOIN refers to columns of both sides; \
         join the subquery to one of the sides first, in a subquery of its own"
    ))
}
