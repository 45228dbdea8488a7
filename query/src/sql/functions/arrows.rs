//! Chains of JSON operators (`a -> 'b' -> 'c'`), planned in time that grows with their length.
//!
//! The planner of the JSON functions gives the result of each operator a title. Asked for its type, a titled
//! expression asks what it titles twice, so a chain of n titles costs 2^n; only the outermost is ever seen.
//! `?` calls the function that a statement would by its name (see `mended`), and not the one that the planner has.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};

use super::mended::mended;

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
        let json = json.ok_or_else(|| DataFusionError::Internal("no planner of JSON operators".into()))?;
        Ok(Self { json })
    }
}

impl ExprPlanner for Arrows {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let mut planned = self.json.plan_binary_op(expr, schema)?;
        if let PlannerResult::Planned(Expr::Alias(title)) = &mut planned
            && let Expr::ScalarFunction(call) = title.expr.as_mut()
        {
            call.func = mended(Arc::clone(&call.func));
            if let Some(Expr::Alias(inner)) = call.args.first_mut() {
                let untitled = std::mem::take(inner.expr.as_mut());
                call.args.splice(..1, [untitled]);
            }
        }
        Ok(planned)
    }
}
