//! Zero has no sign: what may be `-0.0` is added to `0.0`, which is `0.0` then.
//!
//! Arrow orders numbers of type double by their bits, and so `-0.0` comes before `0.0`, equals it nowhere and is a
//! group of its own: `nullif(round(-0.25), 0.0)` was `-0.0`. In SQL the two are one value. They come of operators, casts
//! of texts and functions of numbers; columns are stored without.
//!
//! Unneeded once comparison, order and groups know one zero; see `zero_has_no_sign` among the tests.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{ExprSchema, Result, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

/// Functions whose result may be a zero with a sign.
const FUNCTIONS: &[&str] = &[
    "round",
    "ceil",
    "floor",
    "trunc",
    "signum",
    "sqrt",
    "cbrt",
    "power",
    "sin",
    "tan",
    "asin",
    "atan",
    "atan2",
    "sinh",
    "tanh",
    "asinh",
    "atanh",
    "degrees",
    "radians",
    "json_get_float",
];

/// The expression, with `0.0` added if it may be `-0.0`. Its parts are done.
pub(super) fn without_sign(expr: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
    let is_double = match &expr {
        Expr::Literal(ScalarValue::Float64(Some(number)), _) => {
            *number == 0.0 && number.is_sign_negative()
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            matches!(op, Operator::Multiply | Operator::Divide | Operator::Modulo)
                && (is_double(left, schema)? || is_double(right, schema)?)
        }
        Expr::Negative(operand) => is_double(operand, schema)?,
        Expr::Cast(cast) => {
            *cast.field.data_type() == DataType::Float64 && is_text(&cast.expr, schema)?
        }
        Expr::TryCast(cast) => {
            *cast.field.data_type() == DataType::Float64 && is_text(&cast.expr, schema)?
        }
        Expr::ScalarFunction(call) => FUNCTIONS.contains(&call.name()) && is_double(&expr, schema)?,
        _ => false,
    };
    Ok(match is_double {
        true => Transformed::yes(Expr::BinaryExpr(BinaryExpr {
            left: Box::new(expr),
            op: Operator::Plus,
            right: Box::new(zero()),
        })),
        false => Transformed::no(expr),
    })
}

fn zero() -> Expr {
    Expr::Literal(ScalarValue::Float64(Some(0.0)), None)
}

/// Whether it is a double. Of a chain only the outermost operator is looked at.
fn is_double(expr: &Expr, schema: &dyn ExprSchema) -> Result<bool> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::Plus,
            right,
            ..
        }) if **right == zero() => true,
        other => other.get_type(schema)? == DataType::Float64,
    })
}

fn is_text(expr: &Expr, schema: &dyn ExprSchema) -> Result<bool> {
    Ok(expr.get_type(schema)?.is_string())
}
