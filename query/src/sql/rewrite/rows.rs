//! Rows that are compared: `(a, b) < (c, d)` becomes conditions on their parts.
//!
//! ```text
//! (a, b) = (c, d)      -> a = c AND b = d
//! (a, b) < (c, d)      -> a < c OR a = c AND b < d
//! (a, b) IN ((1, 2))   -> a = 1 AND b = 2
//! ```
//! The planner would compare structures, in which NULL equals NULL and is less than everything; in SQL a part that is
//! NULL makes the answer unknown, unless another part decides.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, visit_expressions};

use crate::error::{QueryError, Result};

/// Expressions in the rows of one comparison, which are written down twice.
const PARTS_MAX: usize = 10_000;

/// Rewrites a comparison of rows in place; its parts are done.
///
/// # Errors
/// `InvalidInput` for rows of different lengths, and for rows that are too long.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    let compared = match expr {
        Expr::BinaryOp { left, op, right } => match (row(left), row(right)) {
            (Some(left), Some(right)) => compare(left, op, right)?,
            _ => None,
        },
        Expr::IsDistinctFrom(left, right) => match (row(left), row(right)) {
            (Some(left), Some(right)) => Some(differ(left, right)?),
            _ => None,
        },
        Expr::IsNotDistinctFrom(left, right) => match (row(left), row(right)) {
            (Some(left), Some(right)) => Some(not(differ(left, right)?)),
            _ => None,
        },
        Expr::InList { expr, list, negated } => in_list(expr, list, *negated)?,
        _ => None,
    };
    if let Some(compared) = compared {
        *expr = Expr::Nested(Box::new(compared));
    }
    Ok(())
}

/// The parts of a row.
fn row(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(parts) if !parts.is_empty() => Some(parts),
        Expr::Nested(inner) => row(inner),
        _ => None,
    }
}

fn compare(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Result<Option<Expr>> {
    check(left, right)?;
    Ok(match op {
        BinaryOperator::Eq => Some(equal(left, right)?),
        BinaryOperator::NotEq => Some(not(equal(left, right)?)),
        BinaryOperator::Lt | BinaryOperator::LtEq => Some(order(left, &BinaryOperator::Lt, op, right)?),
        BinaryOperator::Gt | BinaryOperator::GtEq => Some(order(left, &BinaryOperator::Gt, op, right)?),
        _ => None,
    })
}

fn check(left: &[Expr], right: &[Expr]) -> Result<()> {
    if left.len() != right.len() {
        return Err(QueryError::invalid_input(format!(
            "rows of {} and {} values cannot be compared",
            left.len(),
            right.len()
        )));
    }
    let mut parts = 0_usize;
    for part in left.iter().chain(right) {
        let counted = visit_expressions(part, |_| {
            parts += 1;
            if parts > PARTS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if counted.is_break() {
            return Err(QueryError::invalid_input(format!(
                "a comparison of rows with more than {PARTS_MAX} expressions; compare their values one by one"
            )));
        }
    }
    Ok(())
}

fn equal(left: &[Expr], right: &[Expr]) -> Result<Expr> {
    let parts = left.iter().zip(right).map(|(left, right)| part(left, &BinaryOperator::Eq, right));
    parts.reduce(|all, part| binary(all, BinaryOperator::And, part)).ok_or_else(no_values)
}

fn differ(left: &[Expr], right: &[Expr]) -> Result<Expr> {
    check(left, right)?;
    let parts = left.iter().zip(right);
    let parts = parts.map(|(left, right)| Expr::IsDistinctFrom(boxed(left), boxed(right)));
    parts.reduce(|all, part| binary(all, BinaryOperator::Or, part)).ok_or_else(no_values)
}

/// `a < c OR a = c AND (.. b <= d)`: the last parts are compared with `last`, the others with `strict`.
fn order(left: &[Expr], strict: &BinaryOperator, last: &BinaryOperator, right: &[Expr]) -> Result<Expr> {
    let mut parts = left.iter().zip(right).rev();
    let (end_left, end_right) = parts.next().ok_or_else(no_values)?;
    Ok(parts.fold(part(end_left, last, end_right), |rest, (left, right)| {
        let tie = binary(part(left, &BinaryOperator::Eq, right), BinaryOperator::And, rest);
        binary(part(left, strict, right), BinaryOperator::Or, tie)
    }))
}

fn in_list(expr: &Expr, list: &[Expr], negated: bool) -> Result<Option<Expr>> {
    let Some(left) = row(expr) else { return Ok(None) };
    let mut found: Option<Expr> = None;
    for item in list {
        let Some(right) = row(item) else {
            return Err(QueryError::invalid_input(format!("a row is looked for in a list that has {item}")));
        };
        check(left, right)?;
        let same = equal(left, right)?;
        found = Some(match found {
            Some(others) => binary(others, BinaryOperator::Or, same),
            None => same,
        });
    }
    Ok(found.map(|found| if negated { not(found) } else { found }))
}

fn part(left: &Expr, op: &BinaryOperator, right: &Expr) -> Expr {
    Expr::BinaryOp { left: boxed(left), op: op.clone(), right: boxed(right) }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(nested(left)), op, right: Box::new(nested(right)) }
}

fn boxed(expr: &Expr) -> Box<Expr> {
    Box::new(nested(expr.clone()))
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(expr)) }
}

fn no_values() -> QueryError {
    QueryError::invalid_input("a row without values cannot be compared")
}
