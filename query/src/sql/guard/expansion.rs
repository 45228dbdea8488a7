//! How many tables a statement reads once each use of a WITH query is the query itself, which is how it is
//! planned: thirty queries, each naming the one before twice, are a billion.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Visitor};

use super::refused;
use crate::error::QueryError;

/// Most tables that a statement may read, uses of WITH queries counted as what they are.
const TABLES_MAX: usize = 400;

/// Counts tables while a statement is visited.
#[derive(Default)]
pub(super) struct ExpansionCheck {
    open: Vec<Scope>,
}

/// A query being visited.
#[derive(Default)]
struct Scope {
    tables: usize,
    /// Tables that its WITH queries read, by name.
    named: HashMap<String, usize>,
    /// The names of its WITH queries, by where these are.
    names: HashMap<usize, String>,
}

/// Where a query is, which is what it is known by while the statement is visited.
fn place(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

impl Visitor for ExpansionCheck {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        let names = ctes
            .map(|cte| (place(&cte.query), cte.alias.name.value.to_lowercase()))
            .collect();
        self.open.push(Scope {
            names,
            ..Scope::default()
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        let tables = self.open.pop().unwrap_or_default().tables;
        let Some(outer) = self.open.last_mut() else {
            return ControlFlow::Continue(());
        };
        match outer.names.get(&place(query)) {
            // It counts where it is used.
            Some(name) => drop(outer.named.insert(name.clone(), tables)),
            None => outer.tables += tables,
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<QueryError> {
        let name = relation.to_string().to_lowercase();
        let named = self
            .open
            .iter()
            .rev()
            .find_map(|scope| scope.named.get(&name))
            .copied();
        let Some(scope) = self.open.last_mut() else {
            return ControlFlow::Continue(());
        };
        scope.tables = scope
            .tables
            .saturating_add(named.unwrap_or_default().max(1));
        match scope.tables > TABLES_MAX {
            true => ControlFlow::Break(refused(format!(
                "the statement reads more than {TABLES_MAX} tables, uses of WITH queries counted as what they read"
            ))),
            false => ControlFlow::Continue(()),
        }
    }
}
