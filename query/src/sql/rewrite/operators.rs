//! Operators as calls of functions of ours.
//!
//! ```text
//! a LIKE b ESCAPE '!', a ~~ b   -> like_escape(a, b, '!')
//! a NOT ILIKE b                 -> NOT ilike_escape(a, b, '')
//! a RLIKE b, a ~ b              -> regex_search(a, b, '')
//! a ^ b                         -> power(a, b)
//! EXTRACT(YEAR FROM t)          -> date_part('YEAR', t)
//! ```
//!
//! DataFusion takes a backslash in a pattern as an escape that nobody asked for, wherever it looks at one: in its
//! simplifier, its statistics and its kernels; and it makes LIKEs of regular expressions. So none of these reaches
//! it from a statement. This could go when it has
//! none unless told, and takes any; see `like_has_no_escape_unless_told` among the tests. `EXTRACT` calls DataFusion's
//! `date_part` and not the one that is registered (`functions::mended`).

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    UnaryOperator, Value, ValueWithSpan,
};

use super::argument;
use crate::error::{QueryError, Result};
use crate::sql::functions::patterns::{ILIKE, IRLIKE, LIKE, RLIKE};

/// Rewrites an operator in place; its operands are done.
///
/// # Errors
/// `InvalidInput` for an escape that is not one character.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    let Some((name, is_negated)) = function_of(expr) else {
        return Ok(());
    };
    let taken = std::mem::replace(expr, Expr::Value(Value::Null.into()));
    let operands = match taken {
        Expr::Like {
            expr,
            pattern,
            escape_char,
            ..
        }
        | Expr::ILike {
            expr,
            pattern,
            escape_char,
            ..
        } => {
            vec![*expr, *pattern, escape(escape_char)?]
        }
        Expr::RLike { expr, pattern, .. } => vec![*expr, *pattern, escape(None)?],
        Expr::Extract { field, expr, .. } => {
            vec![
                Expr::Value(Value::SingleQuotedString(field.to_string()).into()),
                *expr,
            ]
        }
        Expr::BinaryOp { left, right, .. } if name == "power" => vec![*left, *right],
        Expr::BinaryOp { left, right, .. } => vec![*left, *right, escape(None)?],
        other => vec![other],
    };
    let call = call(name, operands);
    *expr = match is_negated {
        true => Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(call),
        },
        false => call,
    };
    Ok(())
}

/// The function that an operator becomes, and whether its answer is turned round.
fn function_of(expr: &Expr) -> Option<(&'static str, bool)> {
    Some(match expr {
        Expr::Like {
            any: false,
            negated,
            ..
        } => (LIKE, *negated),
        Expr::ILike {
            any: false,
            negated,
            ..
        } => (ILIKE, *negated),
        Expr::BinaryOp {
            op: BinaryOperator::PGLikeMatch,
            ..
        } => (LIKE, false),
        Expr::BinaryOp {
            op: BinaryOperator::PGNotLikeMatch,
            ..
        } => (LIKE, true),
        Expr::BinaryOp {
            op: BinaryOperator::PGILikeMatch,
            ..
        } => (ILIKE, false),
        Expr::BinaryOp {
            op: BinaryOperator::PGNotILikeMatch,
            ..
        } => (ILIKE, true),
        Expr::RLike { negated, .. } => (RLIKE, *negated),
        Expr::BinaryOp {
            op: BinaryOperator::PGRegexMatch,
            ..
        } => (RLIKE, false),
        Expr::BinaryOp {
            op: BinaryOperator::PGRegexNotMatch,
            ..
        } => (RLIKE, true),
        Expr::BinaryOp {
            op: BinaryOperator::PGRegexIMatch,
            ..
        } => (IRLIKE, false),
        Expr::BinaryOp {
            op: BinaryOperator::PGRegexNotIMatch,
            ..
        } => (IRLIKE, true),
        Expr::BinaryOp {
            op: BinaryOperator::BitwiseXor,
            ..
        } => ("power", false),
        Expr::Extract { .. } => ("date_part", false),
        _ => return None,
    })
}

/// The escape character as a text that is empty when there is none.
fn escape(written: Option<ValueWithSpan>) -> Result<Expr> {
    let text = match written.map(|written| written.value) {
        None => String::new(),
        Some(Value::SingleQuotedString(text)) if text.chars().count() <= 1 => text,
        Some(other) => {
            return Err(QueryError::invalid_input(format!(
                "ESCAPE takes one character, or '' for none, and not {other}"
            )));
        }
    };
    Ok(Expr::Value(Value::SingleQuotedString(text).into()))
}

/// A call of a function of ours.
pub(in crate::sql) fn call(name: &str, operands: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: operands.into_iter().map(argument).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
