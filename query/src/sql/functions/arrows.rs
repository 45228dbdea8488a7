//! Chains of JSON operators (`a -> 'b' -> 'c'`), planned in time that grows with their length.
//!
//! The planner of the JSON functions gives the result of each operator a title. Asked for its type, a titled
//! expression asks what it titles twice, so a chain of n titles costs 2^n; only the outermost is ever seen.
//! A key that is a path (see `paths`) becomes its steps, which one call follows.
//! `?` calls the function that a statement would by its name (see `mended`), and not the one that the planner has.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::mended::mended;
use crate::sql::paths;

/// The function behind `?`.
pub(super) const CONTAINS: &str = "json_contains";

/// Plans JSON operators as `json` does, without titles inside others.
#[derive(Debug)]
pub(super) struct Arrows {
    json: Arc<dyn ExprPlanner>,
}

impl Arrows {
    /// # Errors
    /// `Internal` when the JSON functions have no operators.
    pub(super) fn new() -> Result<Self> {
        let mut scratch = SessionStateBuilder::new().build();
        datafusion_functions_json::register_all(&mut scratch)?;
        let json = scratch.expr_planners().last().cloned();
        let json =
            json.ok_or_else(|| DataFusionError::Internal("no planner of JSON operators".into()))?;
        Ok(Self { json })
    }
}

/// Puts the steps of a path in the place of the path.
fn follow_path(args: &mut Vec<Expr>) -> Result<()> {
    let text = match args.get(1) {
        Some(Expr::Literal(text, _)) => text.try_as_str().flatten(),
        _ => None,
    };
    if let Some(steps) = text.map(paths::steps).transpose()?.flatten() {
        args.truncate(1);
        args.extend(
            steps
                .into_iter()
                .map(|step| Expr::Literal(step.into(), None)),
        );
    }
    Ok(())
}

impl ExprPlanner for Arrows {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_arrow = matches!(expr.op, BinaryOperator::Arrow | BinaryOperator::LongArrow);
        let mut planned = self.json.plan_binary_op(expr, schema)?;
        if let PlannerResult::Planned(Expr::Alias(title)) = &mut planned
            && let Expr::ScalarFunction(call) = title.expr.as_mut()
        {
            call.func = mended(Arc::clone(&call.func));
            if is_arrow {
                follow_path(&mut call.args)?;
            }
            if let Some(Expr::Alias(inner)) = call.args.first_mut() {
                let untitled = std::mem::take(inner.expr.as_mut());
                call.args.splice(..1, [untitled]);
            }
        }
        Ok(planned)
    }
}
