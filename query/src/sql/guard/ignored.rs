//! Clauses that the parser reads and the planner passes over: refused, since the answer would be that to another
//! statement.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    GroupByExpr, OrderBy, OrderByKind, Query, Select, TableFactor, Visit, Visitor,
};

use super::refused;
use crate::error::QueryError;

/// Breaks with the refusal of the first such clause.
pub(super) struct IgnoredClauses;

impl IgnoredClauses {
    /// Looks at all of `statement`.
    pub(super) fn check(statement: &impl Visit) -> ControlFlow<QueryError> {
        statement.visit(&mut Self)
    }
}

impl Visitor for IgnoredClauses {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        first([
            (
                !query.locks.is_empty(),
                "FOR UPDATE and FOR SHARE lock rows; reading needs no lock here",
            ),
            (
                query.for_clause.is_some(),
                "FOR XML, JSON and BROWSE: the caller chooses the form of a result",
            ),
            (
                query.settings.is_some(),
                "SETTINGS: limits are options of the caller",
            ),
            (
                query.format_clause.is_some(),
                "FORMAT: the caller chooses the form of a result",
            ),
            (
                query.order_by.as_ref().is_some_and(fills),
                "WITH FILL and INTERPOLATE: join generate_series(...)",
            ),
        ])
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<QueryError> {
        let modifiers = match &select.group_by {
            GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => modifiers,
        };
        first([
            (
                !select.connect_by.is_empty(),
                "CONNECT BY: write WITH RECURSIVE",
            ),
            (select.prewhere.is_some(), "PREWHERE: write WHERE"),
            (
                !modifiers.is_empty(),
                "WITH ROLLUP, CUBE and TOTALS: write GROUP BY ROLLUP (...) or CUBE (...)",
            ),
            (
                select.value_table_mode.is_some(),
                "SELECT AS: name the columns",
            ),
            (
                select.select_modifiers.is_some(),
                "a modifier of SELECT but DISTINCT and ALL",
            ),
        ])
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<QueryError> {
        const SAMPLE: &str = "TABLESAMPLE: write WHERE random() < 0.1 for a tenth, or ORDER BY random() LIMIT 100 for a hundred rows";
        match factor {
            TableFactor::Table {
                with_hints,
                version,
                partitions,
                json_path,
                sample,
                index_hints,
                ..
            } => first([
                (sample.is_some(), SAMPLE),
                (
                    !with_hints.is_empty() || !index_hints.is_empty(),
                    "hints of a table",
                ),
                (
                    version.is_some(),
                    "a version of a table: a statement sees the newest rows",
                ),
                (!partitions.is_empty(), "PARTITION of a table: write WHERE"),
                (
                    json_path.is_some(),
                    "a path behind a table: write column -> 'key'",
                ),
            ]),
            TableFactor::Derived { sample, .. } => first([(sample.is_some(), SAMPLE)]),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn fills(order: &OrderBy) -> bool {
    let keys = match &order.kind {
        OrderByKind::Expressions(keys) => keys.as_slice(),
        OrderByKind::All(_) => &[],
    };
    order.interpolate.is_some() || keys.iter().any(|key| key.with_fill.is_some())
}

/// Refuses the first clause that is there.
fn first<const N: usize>(clauses: [(bool, &str); N]) -> ControlFlow<QueryError> {
    match clauses.iter().find(|(is_there, _)| *is_there) {
        Some((_, clause)) => ControlFlow::Break(refused(format!("not supported: {clause}"))),
        None => ControlFlow::Continue(()),
    }
}
