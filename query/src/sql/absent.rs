//! A subquery that stands for a value may have no row, and is then NULL.
//!
//! DataFusion gives `(SELECT name FROM spans WHERE ..)` the nullability of the column `name`, which is never NULL, and so
//! takes `(..) IS NULL` for false and `coalesce((..), 'x')` for its first argument; and so it does with what it has worked
//! out to be a constant. This rule of the analyzer puts the column through a function whose result may be NULL.
//! Unneeded once a scalar subquery that may have no row is nullable.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Column;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Subquery, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

/// The rule; see the head of this file.
#[derive(Debug)]
pub(super) struct AbsentIsNull;

impl AnalyzerRule for AbsentIsNull {
    fn name(&self) -> &str {
        "absent_is_null"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut is_changed = false;
        plan.transform_up_with_subqueries(|node| {
            let node = node.map_expressions(|expr| expr.transform_up(made_nullable))?;
            is_changed |= node.transformed;
            // What stands above reads the column, too.
            match is_changed {
                true => Ok(Transformed::yes(node.data.recompute_schema()?)),
                false => Ok(node),
            }
        })
        .data()
    }
}

fn made_nullable(expr: Expr) -> Result<Transformed<Expr>> {
    let Expr::ScalarSubquery(subquery) = expr else {
        return Ok(Transformed::no(expr));
    };
    let (qualifier, field) = subquery.subquery.schema().qualified_field(0);
    if has_always_a_row(&subquery.subquery) {
        return Ok(Transformed::no(Expr::ScalarSubquery(subquery)));
    }
    let column = Expr::Column(Column::from((qualifier, field)));
    let call = ScalarFunction::new_udf(
        Arc::new(ScalarUDF::new_from_impl(MayBeNull::default())),
        vec![column],
    );
    let call = Expr::ScalarFunction(call).alias_qualified(qualifier.cloned(), field.name());
    let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
        .project([call])?
        .build()?;
    Ok(Transformed::yes(Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(plan),
        ..subquery
    })))
}

/// Whether it is an aggregate without groups, perhaps under projections.
fn has_always_a_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_always_a_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_always_a_row(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// Its argument, as something that may be NULL. Volatile, so that no rule works it out before there are rows.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MayBeNull {
    signature: Signature,
}

impl Default for MayBeNull {
    fn default() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Volatile),
        }
    }
}

impl ScalarUDFImpl for MayBeNull {
    fn name(&self) -> &str {
        "may_be_null"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        arg_types.first().cloned().ok_or_else(no_argument)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let of = args
            .arg_fields
            .first()
            .ok_or_else(no_argument)?
            .data_type()
            .clone();
        Ok(Arc::new(Field::new(self.name(), of, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        args.args.into_iter().next().ok_or_else(no_argument)
    }
}

fn no_argument() -> DataFusionError {
    DataFusionError::Internal("may_be_null takes one argument".into())
}
