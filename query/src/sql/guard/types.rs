//! Arrays of a fixed size are small: `BIGINT[1000000][1000000]` has a trillion values even where it is NULL, and memory
//! that cannot be had ends the process.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::refused;
use crate::error::{QueryError, Result};

/// Most values of one array of a fixed size, with those of the arrays in it.
const VALUES_MAX: u64 = 65_536;
/// What the functions that take a type as a text call such an array.
const FIXED_SIZE: &str = "FixedSizeList";

/// Checks the types of all casts of a plan.
///
/// # Errors
/// `InvalidInput` when one of them is an array of too many values.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    let mut is_large = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                is_large = is_large || makes_large(part);
                Ok(if is_large {
                    TreeNodeRecursion::Stop
                } else {
                    TreeNodeRecursion::Continue
                })
            })
        })
    })?;
    if is_large { Err(too_large()) } else { Ok(()) }
}

fn makes_large(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => values(cast.field.data_type()) > VALUES_MAX,
        Expr::TryCast(cast) => values(cast.field.data_type()) > VALUES_MAX,
        Expr::ScalarFunction(call) => call.args.iter().any(|arg| match arg {
            Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => {
                call.name().starts_with("arrow_") && text.contains(FIXED_SIZE)
            }
            _ => false,
        }),
        _ => false,
    }
}

/// How many values a NULL of the type has room for. The depth of types is bounded by the parser.
fn values(of: &DataType) -> u64 {
    match of {
        DataType::FixedSizeList(item, size) => u64::try_from(*size)
            .unwrap_or(0)
            .saturating_mul(values(item.data_type())),
        DataType::FixedSizeBinary(bytes) => u64::try_from(*bytes).unwrap_or(0),
        DataType::Struct(fields) => fields
            .iter()
            .map(|field| values(field.data_type()))
            .fold(1, u64::saturating_add),
        _ => 1,
    }
}

fn too_large() -> QueryError {
    refused(format!(
        "an array of a fixed size has at most {VALUES_MAX} values here; write an array without a size, as in BIGINT[]"
    ))
}
