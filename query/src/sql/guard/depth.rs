//! How deep the trees of a parsed statement are, counted and not estimated.
//!
//! Planner and optimizer recurse once per level of an expression, and put expressions of a query in the place
//! of the columns of the query around it. So the depths of all queries of a statement are added up: no rewrite
//! along a path from the outermost to the innermost can make a deeper tree.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, Query, Visitor,
};

use super::{TREE_DEPTH_MAX, refused, too_deep};
use crate::error::QueryError;

/// Most queries inside expressions of one another; planning time doubles with each.
const QUERIES_IN_EXPRESSIONS_MAX: usize = 8;

/// Most expressions inside one another of which the planner copies what is in them: twelve are a second,
/// twenty all of the memory.
const COPYING_MAX: usize = 12;

/// Functions whose names or types have those of their arguments twice.
const COPYING: &[&str] = &[
    "row",
    "struct",
    "named_struct",
    "map",
    "make_map",
    "matches",
];

/// Functions that the planner writes as something that has all arguments but the last twice: `coalesce(a, b)` is
/// `CASE WHEN a IS NOT NULL THEN a ELSE b END`.
const COPYING_FIRST: &[&str] = &["coalesce", "nvl", "ifnull", "nvl2"];

/// Adds up depths while a statement is visited.
#[derive(Default)]
pub(super) struct DepthCheck {
    /// Depth of the expression being visited, in each query around it.
    open: Vec<Depth>,
    /// The depth outside of queries.
    outside: Depth,
    /// Of all queries that are finished.
    finished: usize,
    /// Expressions around what is visited that are copied.
    copying: usize,
}

#[derive(Default, Clone, Copy)]
struct Depth {
    now: usize,
    deepest: usize,
}

impl DepthCheck {
    fn innermost(&mut self) -> &mut Depth {
        match self.open.last_mut() {
            Some(depth) => depth,
            None => &mut self.outside,
        }
    }

    fn check(&self) -> ControlFlow<QueryError> {
        let open: usize = self.open.iter().map(|depth| depth.deepest).sum();
        match self.finished + self.outside.deepest + open > TREE_DEPTH_MAX {
            true => ControlFlow::Break(too_deep()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for DepthCheck {
    type Break = QueryError;

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<QueryError> {
        // Those that are visited inside an expression of the query around them.
        let inside = self.open.iter().filter(|depth| depth.now > 0).count();
        if inside > QUERIES_IN_EXPRESSIONS_MAX {
            return ControlFlow::Break(refused(format!(
                "the statement nests more than {QUERIES_IN_EXPRESSIONS_MAX} subqueries in expressions"
            )));
        }
        // A query is a level itself.
        self.open.push(Depth { now: 0, deepest: 1 });
        self.check()
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<QueryError> {
        self.finished += self.open.pop().unwrap_or_default().deepest;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<QueryError> {
        self.copying += usize::from(is_copied(expr));
        if self.copying > COPYING_MAX {
            return ControlFlow::Break(refused(format!(
                "the statement nests more than {COPYING_MAX} calls of coalesce, ROW, MAP and the like"
            )));
        }
        let depth = self.innermost();
        depth.now += 1;
        if depth.now <= depth.deepest {
            return ControlFlow::Continue(());
        }
        depth.deepest = depth.now;
        self.check()
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<QueryError> {
        self.copying -= usize::from(is_copied(expr)).min(self.copying);
        let depth = self.innermost();
        depth.now = depth.now.saturating_sub(1);
        ControlFlow::Continue(())
    }
}

/// Whether the planner copies what is in an expression.
fn is_copied(expr: &Expr) -> bool {
    match expr {
        Expr::Struct { .. } | Expr::Map(_) => true,
        Expr::Function(call) => {
            let name = call.name.0.last().and_then(ObjectNamePart::as_ident);
            let is_in = |list: &[&str]| {
                name.is_some_and(|name| {
                    list.iter()
                        .any(|listed| listed.eq_ignore_ascii_case(&name.value))
                })
            };
            call.filter.is_some()
                || is_in(COPYING)
                || (is_in(COPYING_FIRST) && !begins_simply(&call.args))
        }
        _ => false,
    }
}

/// Whether all arguments but the last are names and literals, of which a copy costs nothing.
fn begins_simply(arguments: &FunctionArguments) -> bool {
    let FunctionArguments::List(list) = arguments else {
        return true;
    };
    let mut but_last = list.args.iter().rev().skip(1);
    but_last.all(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
            matches!(
                expr,
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
            )
        }
        _ => false,
    })
}
