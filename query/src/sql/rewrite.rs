//! Statement rewrites before planning: `matches(text, 'q')` becomes a call with the columns that
//! hold a span's searchable text, because `text` is no stored column.
//!
//! ```text
//! matches(s.text, 'q')   -> matches_text('q', s.name, s.status_message, s.inputs, ..)
//! matches(s.inputs, 'q') -> matches_column('q', 'inputs', s.inputs)
//! ```
//!
//! Operators that the planner reads in another way than PostgreSQL and DuckDB become calls, too (`operators`), calls
//! that other databases have become what means the same (`calls`), and comparisons of rows conditions on their parts
//! (`rows`).

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName, Statement, Value, VisitMut, VisitorMut,
};

use tracehouse_storage::model::normalize_trace_id;
use tracehouse_storage::text::{TEXT_COLUMNS, TextQuery};

use super::functions::matches::{MATCHES_COLUMN, MATCHES_TEXT, field_of, usage};
use crate::error::{QueryError, Result};

/// Rewrites `statement` in place.
///
/// # Errors
/// `InvalidInput` when `matches` is not given a column and a text query that can be read.
pub(super) fn rewrite(statement: &mut Statement) -> Result<()> {
    let mut rewriter = MatchesRewriter;
    match VisitMut::visit(statement, &mut rewriter) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// `trace_id = 'tr-..'` and `trace_id IN ('tr-..')` mean the id without its prefix.
fn normalize_trace_ids(expr: &mut Expr) {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq | BinaryOperator::NotEq,
            right,
        } => {
            if is_trace_id(left) {
                normalize_literal(right);
            } else if is_trace_id(right) {
                normalize_literal(left);
            }
        }
        Expr::InList { expr, list, .. } if is_trace_id(expr) => {
            list.iter_mut().for_each(normalize_literal)
        }
        _ => {}
    }
}

fn is_trace_id(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(idents) => idents.last(),
        _ => None,
    };
    name.is_some_and(|ident| ident.value.eq_ignore_ascii_case("trace_id"))
}

fn normalize_literal(expr: &mut Expr) {
    if let Expr::Value(value) = expr
        && let Value::SingleQuotedString(text) = &mut value.value
    {
        *text = normalize_trace_id(text);
    }
}

struct MatchesRewriter;

impl VisitorMut for MatchesRewriter {
    type Break = QueryError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        normalize_trace_ids(expr);
        let rewritten = operators::rewrite(expr)
            .and_then(|()| rows::rewrite(expr))
            .and_then(|()| calls::rewrite(expr));
        if let Err(error) = rewritten {
            return ControlFlow::Break(error);
        }
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        if !function.name.to_string().eq_ignore_ascii_case("matches") {
            return ControlFlow::Continue(());
        }
        match rewrite_call(function) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn rewrite_call(function: &mut Function) -> Result<()> {
    let FunctionArguments::List(list) = &mut function.args else {
        return Err(usage());
    };
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(column)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(query)),
    ] = list.args.as_slice()
    else {
        return Err(usage());
    };
    let mut path = match column {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(idents) => idents.clone(),
        _ => return Err(usage()),
    };
    let name = path.pop().ok_or_else(usage)?.value.to_lowercase();
    let field = field_of(&name).ok_or_else(usage)?;
    // Checked here so that a wrong query fails even when no row is read.
    if let Expr::Value(value) = query
        && let Value::SingleQuotedString(text) = &value.value
    {
        TextQuery::parse_in(text, field)?;
    }
    let column_arg = |name: &str| {
        let mut idents = path.clone();
        idents.push(Ident::new(name));
        argument(match idents.len() {
            1 => Expr::Identifier(Ident::new(name)),
            _ => Expr::CompoundIdentifier(idents),
        })
    };
    let query = argument(query.clone());
    let (function_name, args) = match name.as_str() {
        "text" => {
            let mut args = vec![query];
            args.extend(TEXT_COLUMNS.iter().map(|column| column_arg(column)));
            (MATCHES_TEXT, args)
        }
        _ => {
            let literal = Expr::Value(Value::SingleQuotedString(name.clone()).into());
            (
                MATCHES_COLUMN,
                vec![query, argument(literal), column_arg(&name)],
            )
        }
    };
    list.args = args;
    function.name = ObjectName::from(vec![Ident::new(function_name)]);
    Ok(())
}

mod calls;
mod operators;
mod rows;

pub(crate) use calls::CALLS as REWRITTEN;
pub(super) use operators::call;

pub(super) fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}
