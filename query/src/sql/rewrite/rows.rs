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

/// Expressions in what becomes of one comparison.
const PARTS_MAX: usize = 10_000;
/// Values of a row that is put into an order: each is a level of what becomes of it.
const ORDERED_MAX: usize = 64;

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
        Expr::InList {
            expr,
            list,
            negated,
        } => in_list(expr, list, *negated)?,
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
        BinaryOperator::Lt | BinaryOperator::LtEq => {
            Some(order(left, &BinaryOperator::Lt, op, right)?)
        }
        BinaryOperator::Gt | BinaryOperator::GtEq => {
            Some(order(left, &BinaryOperator::Gt, op, right)?)
        }
        _ => None,
    })
}

/// How many expressions two rows have.
fn check(left: &[Expr], right: &[Expr]) -> Result<usize> {
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
            if parts > PARTS_MAX {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        if counted.is_break() {
            return Err(too_long());
        }
    }
    Ok(parts)
}

fn too_long() -> QueryError {
    QueryError::invalid_input(format!(
        "a comparison of rows with more than {PARTS_MAX} expressions; compare their values one by one, or join a list"
    ))
}

fn equal(left: &[Expr], right: &[Expr]) -> Result<Expr> {
    let parts = left
        .iter()
        .zip(right)
        .map(|(left, right)| part(left, &BinaryOperator::Eq, right));
    joined(parts.collect(), &BinaryOperator::And)
}

fn differ(left: &[Expr], right: &[Expr]) -> Result<Expr> {
    check(left, right)?;
    let parts = left.iter().zip(right);
    let parts = parts.map(|(left, right)| Expr::IsDistinctFrom(boxed(left), boxed(right)));
    joined(parts.collect(), &BinaryOperator::Or)
}

/// Conditions with an operator between them, as a tree of few levels: whatever walks it calls itself for each.
fn joined(mut parts: Vec<Expr>, op: &BinaryOperator) -> Result<Expr> {
    while parts.len() > 1 {
        let mut pairs = parts.into_iter();
        let mut halved = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            halved.push(match pairs.next() {
                Some(right) => binary(left, op.clone(), right),
                None => left,
            });
        }
        parts = halved;
    }
    parts.pop().ok_or_else(no_values)
}

/// `a < c OR a = c AND (.. b <= d)`: the last parts are compared with `last`, the others with `strict`.
fn order(
    left: &[Expr],
    strict: &BinaryOperator,
    last: &BinaryOperator,
    right: &[Expr],
) -> Result<Expr> {
    if left.len() > ORDERED_MAX {
        return Err(QueryError::invalid_input(format!(
            "rows of more than {ORDERED_MAX} values have no order here"
        )));
    }
    let mut parts = left.iter().zip(right).rev();
    let (end_left, end_right) = parts.next().ok_or_else(no_values)?;
    Ok(
        parts.fold(part(end_left, last, end_right), |rest, (left, right)| {
            let tie = binary(
                part(left, &BinaryOperator::Eq, right),
                BinaryOperator::And,
                rest,
            );
            binary(part(left, strict, right), BinaryOperator::Or, tie)
        }),
    )
}

fn in_list(expr: &Expr, list: &[Expr], negated: bool) -> Result<Option<Expr>> {
    let Some(left) = row(expr) else {
        return Ok(None);
    };
    let (mut same, mut count) = (Vec::with_capacity(list.len()), 0);
    for item in list {
        let Some(right) = row(item) else {
            return Err(QueryError::invalid_input(format!(
                "a row is looked for in a list that has {item}"
            )));
        };
        count += check(left, right)?;
        if count > PARTS_MAX {
            return Err(too_long());
        }
        same.push(equal(left, right)?);
    }
    let found = joined(same, &BinaryOperator::Or)?;
    Ok(Some(if negated { not(found) } else { found }))
}

fn part(left: &Expr, op: &BinaryOperator, right: &Expr) -> Expr {
    Expr::BinaryOp {
        left: boxed(left),
        op: op.clone(),
        right: boxed(right),
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(nested(left)),
        op,
        right: Box::new(nested(right)),
    }
}

fn boxed(expr: &Expr) -> Box<Expr> {
    Box::new(nested(expr.clone()))
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(nested(expr)),
    }
}

fn no_values() -> QueryError {
    QueryError::invalid_input("a row without values cannot be compared")
}
