//! `CROSS JOIN unnest(s.events) AS t(e)`: a list of each row as a table beside it, which the planner does not take.
//!
//! ```text
//! FROM spans s CROSS JOIN unnest(s.events) AS t(e)  -> FROM (SELECT s.*, unnest(s.events) AS e FROM spans s) AS s
//! FROM spans s, unnest(s.events) AS t(e)            -> the same
//! SELECT s.*, t.*, t.e, e.name                      -> SELECT s.* EXCLUDE (e), e, e, e.name
//! ```
//! Inner joins alone, so that every row of the table is one of the result. Before the guard's check of the statement, which
//! counts what is made here. Unneeded once the planner takes a list of the tables before it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join,
    JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins,
    Value, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
};

use super::selects::template;
use crate::error::{QueryError, Result};

/// Changes `statement` in place.
///
/// # Errors
/// `InvalidInput` for a list made of columns of several tables.
pub(super) fn join(statement: &mut Statement) -> Result<()> {
    match VisitMut::visit(statement, &mut Unnests) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Unnests;

impl VisitorMut for Unnests {
    type Break = QueryError;

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        let lists = match in_body(&mut query.body) {
            Ok(lists) => lists,
            Err(error) => return ControlFlow::Break(error),
        };
        for list in &lists {
            if let Some(order) = &mut query.order_by {
                list.rename(order);
            }
        }
        ControlFlow::Continue(())
    }
}

/// The lists of the SELECT that a query is; those of others are done where they are.
fn in_body(body: &mut SetExpr) -> Result<Vec<List>> {
    match body {
        SetExpr::Select(select) => in_select(select),
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left)?;
            in_body(right)?;
            Ok(Vec::new())
        }
        _ => Ok(Vec::new()),
    }
}

/// A list that is joined.
struct List {
    /// The table that has it.
    owner: Ident,
    /// What the list is called as a table, and its column.
    table: Option<Ident>,
    column: Ident,
}

impl List {
    /// `t.e` is `e` below the table that has the list.
    fn rename(&self, within: &mut impl VisitMut) {
        let Some(table) = &self.table else { return };
        let _: ControlFlow<()> = visit_expressions_mut(within, |expr: &mut Expr| {
            if let Expr::CompoundIdentifier(path) = expr
                && let [first, second, ..] = path.as_slice()
                && is_same(first, table)
                && is_same(second, &self.column)
            {
                path.remove(0);
                if let [column] = path.as_slice() {
                    *expr = Expr::Identifier(column.clone());
                }
            }
            ControlFlow::Continue(())
        });
    }

    /// `s.*` has no list, `t.*` only the list.
    fn rename_all(&self, items: &mut [SelectItem]) {
        for item in items {
            let SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(of),
                options,
            ) = item
            else {
                continue;
            };
            let of = of.0.last().and_then(|part| part.as_ident());
            if of.is_some_and(|of| self.table.as_ref().is_some_and(|table| is_same(of, table))) {
                *item = SelectItem::UnnamedExpr(Expr::Identifier(self.column.clone()));
            } else if of.is_some_and(|of| is_same(of, &self.owner)) {
                let column = ObjectName::from(vec![self.column.clone()]);
                options.opt_exclude = Some(match options.opt_exclude.take() {
                    None => ExcludeSelectItem::Multiple(vec![column]),
                    Some(ExcludeSelectItem::Single(other)) => {
                        ExcludeSelectItem::Multiple(vec![other, column])
                    }
                    Some(ExcludeSelectItem::Multiple(mut others)) => {
                        others.push(column);
                        ExcludeSelectItem::Multiple(others)
                    }
                });
            }
        }
    }
}

fn is_same(left: &Ident, right: &Ident) -> bool {
    left.value.eq_ignore_ascii_case(&right.value)
}

fn in_select(select: &mut Select) -> Result<Vec<List>> {
    let mut lists = Vec::new();
    let mut at = 0;
    while at < select.from.len() {
        let (before, rest) = select.from.split_at_mut(at);
        let Some(own) = rest.first_mut() else { break };
        if own.joins.is_empty()
            && let Some(list) = put(&own.relation, before.iter_mut())?
        {
            lists.push(list);
            select.from.remove(at);
            continue;
        }
        in_joins(before, own, &mut lists)?;
        at += 1;
    }
    for list in &lists {
        list.rename_all(&mut select.projection);
        list.rename(select);
    }
    Ok(lists)
}

/// The lists that are joined to the tables before them.
fn in_joins(
    before: &mut [TableWithJoins],
    own: &mut TableWithJoins,
    lists: &mut Vec<List>,
) -> Result<()> {
    let mut at = 0;
    while let Some(join) = own.joins.get(at) {
        if !is_inner(join) {
            // A row of a table before an outer join may be none of the result.
            return Ok(());
        }
        let relation = join.relation.clone();
        let mut tables = TableWithJoins {
            relation: own.relation.clone(),
            joins: own.joins.get(..at).unwrap_or_default().to_vec(),
        };
        match put(&relation, before.iter_mut().chain([&mut tables]))? {
            Some(list) => {
                lists.push(list);
                let rest = own.joins.split_off(at + 1);
                *own = tables;
                own.joins.extend(rest);
            }
            None => at += 1,
        }
    }
    Ok(())
}

fn is_inner(join: &Join) -> bool {
    let is_true =
        |expr: &Expr| matches!(expr, Expr::Value(value) if value.value == Value::Boolean(true));
    match &join.join_operator {
        JoinOperator::CrossJoin(_) => true,
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => match &join.relation {
            TableFactor::UNNEST { .. } => match constraint {
                JoinConstraint::On(condition) => is_true(condition),
                other => *other == JoinConstraint::None,
            },
            _ => true,
        },
        _ => false,
    }
}

/// Puts a list below the table that has it, if `factor` is one of a column.
fn put<'a>(
    factor: &TableFactor,
    tables: impl Iterator<Item = &'a mut TableWithJoins>,
) -> Result<Option<List>> {
    let TableFactor::UNNEST {
        alias,
        array_exprs,
        with_offset: false,
        with_ordinality: false,
        ..
    } = factor
    else {
        return Ok(None);
    };
    let [made_of] = array_exprs.as_slice() else {
        return Ok(None);
    };
    let mut all: Vec<&mut TableFactor> = Vec::new();
    for table in tables {
        if !table.joins.iter().all(is_inner) {
            continue;
        }
        all.push(&mut table.relation);
        all.extend(table.joins.iter_mut().map(|join| &mut join.relation));
    }
    let only = if let [only] = all.as_slice() {
        name_of(only)
    } else {
        None
    };
    let Some(owner) = owner(made_of, only)? else {
        return Ok(None);
    };
    let Some(table) = all
        .into_iter()
        .find(|table| name_of(table).is_some_and(|name| is_same(&name, &owner)))
    else {
        return Ok(None);
    };
    let (name, column) = match alias {
        Some(TableAlias { name, columns, .. }) => {
            let column = columns.first().map_or(name, |column| &column.name);
            (Some(name.clone()), column.clone())
        }
        None => (None, Ident::new("unnest")),
    };
    below(table, &owner, made_of, &column)?;
    Ok(Some(List {
        owner,
        table: name,
        column,
    }))
}

/// What a table is called.
fn name_of(table: &TableFactor) -> Option<Ident> {
    match table {
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(alias.name.clone()),
        TableFactor::Table {
            name, args: None, ..
        } => name.0.last().and_then(|part| part.as_ident()).cloned(),
        _ => None,
    }
}

/// The table whose columns an expression is made of.
fn owner(made_of: &Expr, only: Option<Ident>) -> Result<Option<Ident>> {
    let mut owner: Option<Ident> = None;
    let several = visit_expressions(made_of, |expr| {
        let name = match expr {
            Expr::CompoundIdentifier(path) => path.first(),
            Expr::Identifier(_) => only.as_ref(),
            _ => None,
        };
        match (name, &owner) {
            (Some(name), Some(other)) if !is_same(name, other) => return ControlFlow::Break(()),
            (Some(name), _) => owner = Some(name.clone()),
            (None, _) => {}
        }
        ControlFlow::Continue(())
    });
    match several {
        ControlFlow::Break(()) => Err(QueryError::invalid_input(
            "unnest(...) beside tables takes columns of one of them: make the list in a subquery",
        )),
        ControlFlow::Continue(()) => Ok(owner),
    }
}

fn below(table: &mut TableFactor, owner: &Ident, made_of: &Expr, column: &Ident) -> Result<()> {
    let text = format!("SELECT * FROM (SELECT {owner}.*, unnest(1) AS {column} FROM t) AS {owner}");
    let mut made = template(&text)?;
    let SetExpr::Select(outer) = made.as_mut() else {
        return Err(no_template());
    };
    let Some(TableWithJoins { relation, .. }) = outer.from.first_mut() else {
        return Err(no_template());
    };
    if let TableFactor::Derived { subquery, .. } = relation
        && let SetExpr::Select(inner) = subquery.body.as_mut()
        && let Some(from) = inner.from.first_mut()
        && let Some(SelectItem::ExprWithAlias {
            expr: Expr::Function(call),
            ..
        }) = inner.projection.get_mut(1)
    {
        if let FunctionArguments::List(list) = &mut call.args {
            list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(made_of.clone()))];
        }
        std::mem::swap(&mut from.relation, table);
        std::mem::swap(relation, table);
        return Ok(());
    }
    Err(no_template())
}

fn no_template() -> QueryError {
    QueryError::internal("a template reads from no subquery")
}
