//! `+`, `-`, `*` and the sign of integers, in which an overflow is an error.
//!
//! DataFusion's operators wrap, and nothing tells its planner otherwise, so the analyzer rule here puts these
//! functions in their place once types are known. This could go when sessions can ask for checked arithmetic;
//! see `integer_overflow_is_an_error` among the tests.

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric::{add, mul, neg, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    DFSchema, ExprSchema, Result, ScalarValue, exec_err, internal_err, plan_err,
};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::zeros;

/// Puts checked functions in the place of operators on integers; of doubles it takes the sign of a zero ([`zeros`]).
#[derive(Debug, Default)]
pub(in crate::sql) struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let checked = plan.transform_up_with_subqueries(|plan| {
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                schema.merge(&DFSchema::try_from_qualified_schema(
                    scan.table_name.clone(),
                    &scan.source.schema(),
                )?);
            }
            let names = NamePreserver::new(&plan);
            let checked = |expr: Expr| {
                let name = names.save(&expr);
                let checked = expr.transform_up(|expr| {
                    check(expr, &schema)?.transform_data(|expr| zeros::without_sign(expr, &schema))
                })?;
                Ok(checked.update_data(|expr| name.restore(expr)))
            };
            let plan = plan.map_expressions(|expr| match expr {
                // Its parts have names, and it has none.
                Expr::GroupingSet(_) => expr.map_children(checked),
                expr => checked(expr),
            })?;
            plan.map_data(LogicalPlan::recompute_schema)
        })?;
        Ok(checked.data)
    }
}

fn check(expr: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let of = |op, kind| {
                Transformed::yes(Checked { op, kind }.call(vec![*left.clone(), *right.clone()]))
            };
            let checked = match op {
                Operator::Plus => Some(Op::Add),
                Operator::Minus => Some(Op::Subtract),
                Operator::Multiply => Some(Op::Multiply),
                _ => None,
            };
            match checked {
                Some(op) => match (integer(&left, schema)?, integer(&right, schema)?) {
                    (Some(kind), Some(other)) if kind == other => of(op, kind),
                    _ => Transformed::no(Expr::BinaryExpr(BinaryExpr {
                        left,
                        op: op.operator(),
                        right,
                    })),
                },
                None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            }
        }
        Expr::Negative(operand) => match integer(&operand, schema)? {
            Some(kind) => Transformed::yes(
                Checked {
                    op: Op::Negate,
                    kind,
                }
                .call(vec![*operand]),
            ),
            None => Transformed::no(Expr::Negative(operand)),
        },
        other => Transformed::no(other),
    })
}

/// The type of an expression, if it is an integer. Of a chain only the outermost operator is looked at.
fn integer(expr: &Expr, schema: &dyn ExprSchema) -> Result<Option<DataType>> {
    if let Expr::ScalarFunction(call) = expr
        && let Some(checked) = call.func.inner().downcast_ref::<CheckedFunction>()
    {
        return Ok(Some(checked.0.kind.clone()));
    }
    Ok(Some(expr.get_type(schema)?).filter(DataType::is_integer))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Add,
    Subtract,
    Multiply,
    Negate,
}

impl Op {
    fn operator(self) -> Operator {
        match self {
            Op::Add => Operator::Plus,
            Op::Subtract | Op::Negate => Operator::Minus,
            Op::Multiply => Operator::Multiply,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Op::Add => "checked_add",
            Op::Subtract => "checked_subtract",
            Op::Multiply => "checked_multiply",
            Op::Negate => "checked_negate",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Checked {
    op: Op,
    kind: DataType,
}

impl Checked {
    fn call(self, operands: Vec<Expr>) -> Expr {
        let signature = Signature::exact(
            vec![self.kind.clone(); operands.len()],
            Volatility::Immutable,
        );
        let function = ScalarUDF::new_from_impl(CheckedFunction(self, signature));
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), operands))
    }

    fn compute(&self, operands: &[&dyn Datum]) -> Result<ArrayRef> {
        let computed = match (self.op, operands) {
            (Op::Add, [left, right]) => add(*left, *right),
            (Op::Subtract, [left, right]) => sub(*left, *right),
            (Op::Multiply, [left, right]) => mul(*left, *right),
            (Op::Negate, [operand]) => neg(operand.get().0),
            _ => return internal_err!("{} of {} operands", self.op.name(), operands.len()),
        };
        match computed {
            Err(ArrowError::ArithmeticOverflow(what)) => exec_err!("integer overflow: {what}"),
            computed => Ok(computed?),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedFunction(Checked, Signature);

impl ScalarUDFImpl for CheckedFunction {
    fn name(&self) -> &str {
        self.0.op.name()
    }

    fn signature(&self) -> &Signature {
        &self.1
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.0.kind.clone())
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [left, right] => Ok(format!(
                "{} {} {}",
                left.schema_name(),
                self.0.op.operator(),
                right.schema_name()
            )),
            [operand] => Ok(format!("(- {})", operand.schema_name())),
            _ => plan_err!("{} takes one or two operands", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut datums: Vec<Box<dyn Datum>> = Vec::with_capacity(args.args.len());
        let mut is_scalar = true;
        for value in args.args {
            match value {
                ColumnarValue::Array(array) => {
                    is_scalar = false;
                    datums.push(Box::new(array));
                }
                ColumnarValue::Scalar(scalar) => datums.push(Box::new(scalar.to_scalar()?)),
            }
        }
        let operands: Vec<&dyn Datum> = datums.iter().map(Box::as_ref).collect();
        let computed = self.0.compute(&operands)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?),
            false => ColumnarValue::Array(computed),
        })
    }
}
