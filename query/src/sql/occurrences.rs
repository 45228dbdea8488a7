//! `INTERSECT ALL` and `EXCEPT ALL`, which count how often a row is there.
//!
//! ```text
//! a EXCEPT ALL b -> SELECT * EXCLUDE (__occurrence) FROM
//!                     (SELECT *, row_number() OVER (..) AS __occurrence FROM a
//!                      EXCEPT SELECT *, row_number() OVER (..) AS __occurrence FROM b)
//! ```
//! DataFusion keeps or drops all rows that are equal. The windows' rows are those equal in every column, and the
//! columns are known only to the plan: the analyzer rule puts them in. Unneeded once
//! `set_operations_count_how_often_a_row_is_there` among the tests passes without it.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Window};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::{SetExpr, SetOperator, SetQuantifier};

use super::selects::{subquery, template};
use crate::error::{QueryError, Result};

/// Names the column that tells which of its equals a row is.
const OCCURRENCE: &str = "__occurrence";

/// Rewrites the set operations of a query in place.
///
/// # Errors
/// Internal, when a template cannot be read.
pub(super) fn count(body: &mut SetExpr) -> Result<()> {
    let SetExpr::SetOperation {
        op,
        set_quantifier,
        left,
        right,
    } = body
    else {
        return Ok(());
    };
    count(left)?;
    count(right)?;
    let counts = matches!(
        op,
        SetOperator::Intersect | SetOperator::Except | SetOperator::Minus
    );
    if *set_quantifier != SetQuantifier::All || !counts {
        return Ok(());
    }
    let side = format!("SELECT *, row_number() OVER () AS {OCCURRENCE} FROM (SELECT 1) AS __side");
    let text = format!("SELECT * EXCLUDE ({OCCURRENCE}) FROM ({side} {op} {side}) AS __bag");
    let mut rows = template(&text)?;
    let SetExpr::SetOperation {
        left: first,
        right: second,
        ..
    } = subquery(&mut rows)?
    else {
        return Err(QueryError::internal(
            "the template of a set operation has none",
        ));
    };
    std::mem::swap(subquery(first)?, left.as_mut());
    std::mem::swap(subquery(second)?, right.as_mut());
    *body = *rows;
    Ok(())
}

/// Gives the windows the rows that are equal in every column.
#[derive(Debug)]
pub(super) struct Occurrences;

impl AnalyzerRule for Occurrences {
    fn name(&self) -> &str {
        "occurrences"
    }

    fn analyze(
        &self,
        plan: LogicalPlan,
        _config: &ConfigOptions,
    ) -> datafusion::error::Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Projection(Projection { expr, input, .. })
                if expr.iter().any(is_occurrence) =>
            {
                let window = among_equals(Arc::unwrap_or_clone(input))?;
                let titled = Projection::try_new(expr, Arc::new(window))?;
                Ok(Transformed::yes(LogicalPlan::Projection(titled)))
            }
            other => Ok(Transformed::no(other)),
        })
        .data()
    }
}

fn is_occurrence(expr: &Expr) -> bool {
    matches!(expr, Expr::Alias(alias) if alias.name == OCCURRENCE)
}

fn among_equals(plan: LogicalPlan) -> datafusion::error::Result<LogicalPlan> {
    let LogicalPlan::Window(window) = plan else {
        return Ok(plan);
    };
    let columns: Vec<Expr> = window
        .input
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let calls = window.window_expr.into_iter().map(|call| {
        let name = call.schema_name().to_string();
        match call {
            Expr::WindowFunction(mut call) => {
                call.params.partition_by.clone_from(&columns);
                Expr::WindowFunction(call).alias(name)
            }
            other => other,
        }
    });
    Window::try_new(calls.collect(), window.input).map(LogicalPlan::Window)
}
