//! How deep the trees of a parsed statement are, counted and not estimated.
//!
//! Planner and optimizer recurse once per level of an expression, and put expressions of a query in the place
//! of the columns of the query around it. So the depths of all queries of a statement are added up: no rewrite
//! along a path from the outermost to the innermost can make a deeper tree.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, Visitor};

use super::{TREE_DEPTH_MAX, refused, too_deep};
use crate::error::QueryError;

/// Most queries inside expressions of one another; planning time doubles with each.
const QUERIES_IN_EXPRESSIONS_MAX: usize = 8;

/// Adds up depths while a statement is visited.
#[derive(Default)]
pub(super) struct DepthCheck {
    /// Depth of the expression being visited, in each query around it.
    open: Vec<Depth>,
    /// The same outside of queries.
    outside: Depth,
    /// Of all queries that are finished.
    finished: usize,
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

    fn pre_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<QueryError> {
        let depth = self.innermost();
        depth.now += 1;
        if depth.now <= depth.deepest {
            return ControlFlow::Continue(());
        }
        depth.deepest = depth.now;
        self.check()
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<QueryError> {
        let depth = self.innermost();
        depth.now = depth.now.saturating_sub(1);
        ControlFlow::Continue(())
    }
}
