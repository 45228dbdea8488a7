//! The functions SQL may call: DataFusion's by an allow-list, JSON's, and our own.
//!
//! The registry is the function allow-list: what is not registered cannot be planned. Functions that
//! can make much from little are wrapped in a size check (see `sizes`).

pub(super) mod allowed;
mod arrows;
pub(super) mod checked;
mod chosen;
mod collected;
mod doubles;
mod extract;
mod listed;
pub(super) mod matches;
mod mended;
pub(super) mod messages;
pub(super) mod patterns;
mod percentile;
pub(super) mod sizes;
mod sum;
mod surrogates;
pub(super) mod tables;
mod zeros;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::execution::{SessionStateBuilder, SessionStateDefaults};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use super::casts;

/// Puts exactly the allowed functions into `builder`.
///
/// # Errors
/// As [`percentile::PercentileCont::new`] and [`arrows::Arrows::new`].
pub(super) fn with_allowed(builder: SessionStateBuilder) -> Result<SessionStateBuilder> {
    let scalar = SessionStateDefaults::default_scalar_functions()
        .into_iter()
        .filter(|function| allowed::SCALAR.contains(&function.name()))
        .map(sizes::guarded)
        .map(mended::mended)
        .collect();
    let own = chosen::functions()
        .into_iter()
        .chain(collected::functions())
        .map(Ok);
    let aggregate = SessionStateDefaults::default_aggregate_functions()
        .into_iter()
        .filter(|function| allowed::AGGREGATE.contains(&function.name()))
        .map(|function| match function.name() {
            percentile::NAME => Ok(Arc::new(AggregateUDF::new_from_impl(
                percentile::PercentileCont::new(function)?,
            ))),
            sum::NAME => Ok(Arc::new(AggregateUDF::new_from_impl(sum::Sum::new(
                function,
            )))),
            _ => Ok(function),
        })
        .chain(own)
        .collect::<Result<_>>()?;
    // The first that plans an operator is asked; those of the JSON functions come behind.
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(arrows::Arrows::new()?)];
    planners.extend(SessionStateDefaults::default_expr_planners());
    Ok(builder
        .with_scalar_functions(scalar)
        .with_aggregate_functions(aggregate)
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_expr_planners(planners)
        .with_analyzer_rule(Arc::new(doubles::NamedDoubles))
        .with_analyzer_rule(Arc::new(checked::CheckedArithmetic)))
}

/// Adds the JSON functions with their operators and our own functions.
pub(super) fn register_own(state: &mut SessionState) -> Result<()> {
    datafusion_functions_json::register_all(state)?;
    let contains = state.udf(arrows::CONTAINS)?;
    state.register_udf(mended::mended(contains))?;
    for function in matches::functions()
        .into_iter()
        .chain(patterns::functions())
    {
        state.register_udf(Arc::new(function))?;
    }
    state.register_udf(Arc::new(casts::function()))?;
    state.register_udf(Arc::new(extract::function()))?;
    for function in SessionStateDefaults::default_table_functions() {
        if allowed::TABLE.contains(&function.name()) {
            let inner = function.function().clone();
            state.register_udtf(function.name(), Arc::new(tables::Series { inner }));
        }
    }
    state.register_udtf("functions", Arc::new(listed::Listed));
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(
        messages::ChatMessages::default(),
    )))?;
    Ok(())
}
