//! Keys of an order that are made of functions, and all keys of windows, become columns of the rows below.
//!
//! DataFusion works out how a key is ordered from the range of values of its parts. Of most functions it knows
//! no range and not even the type of one, so that `ORDER BY abs(length(name))` or `- length(name)` fails there,
//! and its last check refuses a plan that is sorted as it should be. A column has no parts. Windows also sort by one form
//! of a key and ask for another where the optimizer made it simpler between (`(name <> name) <= false`), and find no column
//! at all to hold their rows by where their keys alone are left of them (`row_number() OVER (ORDER BY (SELECT 1))`).
//!
//! Not needed any more when the default of `ScalarUDFImpl::evaluate_bounds` has the function's type, or its
//! failure does not hide an order that is known: the tests beside this file pass without the rule then.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection};
use datafusion::optimizer::AnalyzerRule;

/// The rule; see the head of this file.
#[derive(Debug)]
pub(super) struct OrderKeys;

impl AnalyzerRule for OrderKeys {
    fn name(&self) -> &str {
        "order_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut names = 0;
        plan.transform_up_with_subqueries(|node| place(node, &mut names))
            .data()
    }
}

/// Keys taken out of one node.
struct Taken<'a> {
    columns: Vec<(String, Expr)>,
    names: &'a mut usize,
}

impl Taken<'_> {
    fn key(&mut self, key: Expr) -> Result<Expr> {
        let key = key.unalias();
        if has_inner_function(&key)? {
            self.column(key)
        } else {
            Ok(key)
        }
    }

    fn window_key(&mut self, key: Expr) -> Result<Expr> {
        let key = key.unalias();
        if matches!(key, Expr::Column(_) | Expr::Literal(..)) {
            Ok(key)
        } else {
            self.column(key)
        }
    }

    fn column(&mut self, key: Expr) -> Result<Expr> {
        if key.contains_outer() {
            return Ok(key);
        }
        let known = self
            .columns
            .iter()
            .find(|(_, known)| *known == key)
            .map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            *self.names += 1;
            let name = format!("__key_{}", self.names);
            self.columns.push((name.clone(), key));
            name
        });
        Ok(Expr::Column(Column::new_unqualified(name)))
    }

    fn sorts(
        &mut self,
        sorts: Vec<Sort>,
        key: fn(&mut Self, Expr) -> Result<Expr>,
    ) -> Result<Vec<Sort>> {
        sorts
            .into_iter()
            .map(|sort| {
                Ok(Sort {
                    expr: key(self, sort.expr)?,
                    ..sort
                })
            })
            .collect()
    }

    /// The keys of the calls in an expression of an Aggregate or a Window.
    fn calls(&mut self, expr: Expr) -> Result<Expr> {
        expr.transform_down(|expr| match expr {
            Expr::AggregateFunction(mut call) if !call.func.supports_within_group_clause() => {
                let sorts = std::mem::take(&mut call.params.order_by).into_iter();
                call.params.order_by = sorts
                    .map(|sort| {
                        Ok(Sort {
                            expr: self.key(sort.expr)?,
                            ..sort
                        })
                    })
                    .collect::<Result<_>>()?;
                Ok(Transformed::yes(Expr::AggregateFunction(call)))
            }
            Expr::WindowFunction(mut call) => {
                let parts = std::mem::take(&mut call.params.partition_by);
                call.params.partition_by = parts
                    .into_iter()
                    .map(|part| self.window_key(part))
                    .collect::<Result<_>>()?;
                let sorts = std::mem::take(&mut call.params.order_by);
                call.params.order_by = self.sorts(sorts, Self::window_key)?;
                Ok(Transformed::yes(Expr::WindowFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        })
        .data()
    }
}

/// Whether a part of `key`, and not the whole alone, is a function.
fn has_inner_function(key: &Expr) -> Result<bool> {
    let mut found = false;
    key.apply_children(|child| {
        found |= child.exists(|expr| Ok(matches!(expr, Expr::ScalarFunction(_))))?;
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}

fn place(node: LogicalPlan, names: &mut usize) -> Result<Transformed<LogicalPlan>> {
    if !matches!(
        node,
        LogicalPlan::Sort(_) | LogicalPlan::Window(_) | LogicalPlan::Aggregate(_)
    ) {
        return Ok(Transformed::no(node));
    }
    let preserved = NamePreserver::new(&node);
    let mut taken = Taken {
        columns: Vec::new(),
        names,
    };
    let mut exprs = Vec::new();
    for expr in node.expressions() {
        exprs.push(match &node {
            LogicalPlan::Sort(_) => taken.key(expr)?,
            _ => {
                let name = preserved.save(&expr);
                name.restore(taken.calls(expr)?)
            }
        });
    }
    let inputs = node.inputs();
    let (false, [input]) = (taken.columns.is_empty(), inputs.as_slice()) else {
        return Ok(Transformed::no(node));
    };
    let mut columns: Vec<Expr> = input
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    columns.extend(taken.columns.into_iter().map(|(name, key)| key.alias(name)));
    let rows = LogicalPlan::Projection(Projection::try_new(columns, Arc::new((*input).clone()))?);
    let outputs = node.schema().columns();
    let placed = node.with_new_exprs(exprs, vec![rows])?;
    if placed.schema().columns() == outputs {
        return Ok(Transformed::yes(placed));
    }
    let outputs = outputs.into_iter().map(Expr::Column);
    LogicalPlanBuilder::from(placed)
        .project(outputs)?
        .build()
        .map(Transformed::yes)
}
