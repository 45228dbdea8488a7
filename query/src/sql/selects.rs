//! Forms of SELECT that the planner refuses, put into forms of the same meaning that it takes.
//!
//! ```text
//! SELECT 1 FROM t HAVING c                        -> SELECT 1 FROM t HAVING c AND count(*) >= 0
//! SELECT upper(s.name) AS name FROM spans s       -> SELECT * EXCLUDE (__order_1) FROM (SELECT upper(s.name) AS name,
//!   ORDER BY s.name                                    s.name AS __order_1 FROM spans s) ORDER BY __order_1
//! ```
//! After the guard and the other rewrites, before planning. The first is unneeded once HAVING alone makes an aggregate, the
//! second once a key of the order may be a column whose name a title of the list has as well. Set operations: `occurrences`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SetExpr, Statement, TableFactor, Value, VisitMut, VisitorMut, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::occurrences;
use crate::error::{QueryError, Result};

/// Changes `statement` in place.
///
/// # Errors
/// Internal, when a template cannot be read.
pub(super) fn reshape(statement: &mut Statement) -> Result<()> {
    match VisitMut::visit(statement, &mut Reshape) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Reshape;

impl VisitorMut for Reshape {
    type Break = QueryError;

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        match occurrences::count(&mut query.body).and_then(|()| order_below(query)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<QueryError> {
        let is_grouped =
            !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
        if let (Some(having), false) = (&mut select.having, is_grouped) {
            let condition = std::mem::replace(having, Expr::Value(Value::Null.into()));
            match expression("count(*) >= 0") {
                Ok(group) => *having = and(condition, group),
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(Expr::Nested(Box::new(left))),
        op: BinaryOperator::And,
        right: Box::new(right),
    }
}

fn expression(text: &str) -> Result<Expr> {
    let parsed = Parser::new(&GenericDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_expr());
    parsed.map_err(|error| QueryError::internal(error.to_string()))
}

/// Makes keys of the order that the list hides columns of the rows below it.
fn order_below(query: &mut Query) -> Result<()> {
    let (Some(order), SetExpr::Select(select)) = (&mut query.order_by, query.body.as_mut()) else {
        return Ok(());
    };
    let OrderByKind::Expressions(keys) = &mut order.kind else {
        return Ok(());
    };
    if select.distinct.is_some()
        || !keys
            .iter()
            .any(|key| is_hidden(&key.expr, &select.projection))
    {
        return Ok(());
    }
    let titles: Vec<String> = select.projection.iter().filter_map(title).collect();
    let is_of_the_list = |key: &OrderByExpr| match &key.expr {
        Expr::Value(_) => true,
        Expr::Identifier(ident) => titles.contains(&folded(ident)),
        _ => false,
    };
    let mut names = Vec::new();
    for key in keys.iter_mut().filter(|key| !is_of_the_list(key)) {
        let name = Ident::new(format!("__order_{}", names.len() + 1));
        let column = std::mem::replace(&mut key.expr, Expr::Identifier(name.clone()));
        select.projection.push(SelectItem::ExprWithAlias {
            expr: column,
            alias: name.clone(),
        });
        names.push(name.value);
    }
    let text = format!(
        "SELECT * EXCLUDE ({}) FROM (SELECT 1) AS __ordered",
        names.join(", ")
    );
    let mut template = template(&text)?;
    std::mem::swap(subquery(&mut template)?, &mut *query.body);
    query.body = template;
    Ok(())
}

/// The body of a query that is written here.
pub(super) fn template(text: &str) -> Result<Box<SetExpr>> {
    let parsed = Parser::new(&GenericDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_query());
    Ok(parsed
        .map_err(|error| QueryError::internal(error.to_string()))?
        .body)
}

/// The body of the subquery that a SELECT written here reads from.
pub(super) fn subquery(body: &mut SetExpr) -> Result<&mut SetExpr> {
    let from = match body {
        SetExpr::Select(select) => select.from.first_mut().map(|from| &mut from.relation),
        _ => None,
    };
    match from {
        Some(TableFactor::Derived { subquery, .. }) => Ok(&mut subquery.body),
        _ => Err(QueryError::internal("a template reads from no subquery")),
    }
}

/// Whether `key` has a column `t.c` although the list has another expression titled `c`.
fn is_hidden(key: &Expr, list: &[SelectItem]) -> bool {
    let found = visit_expressions(key, |part| {
        let hidden = match part {
            Expr::CompoundIdentifier(path) => path.last().is_some_and(|name| {
                list.iter().any(|item| match item {
                    SelectItem::ExprWithAlias { expr, alias } => {
                        folded(alias) == folded(name) && expr != part
                    }
                    _ => false,
                })
            }),
            _ => false,
        };
        if hidden {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    found.is_break()
}

/// The name that an item of the list has above, where it is told.
fn title(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(folded(ident)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => path.last().map(folded),
        _ => None,
    }
}

/// A name as the planner compares it.
fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}
