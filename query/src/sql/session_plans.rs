//! Views of a session in the planning of a statement: as tables that each are the plan of a query.

use std::sync::Arc;

use datafusion::catalog::view::ViewTable;
use datafusion::execution::SessionState;

use super::scan::Cancel;
use super::session::{SqlContext, SqlQuery, add_functions, plan, tables};
use super::session_views::{self, Change, SessionViews, Views};
use super::views::{self, Tables};
use crate::error::{QueryError, Result};

/// Changes the views of a session, if every one of them can be planned then.
pub(super) async fn change_views(
    context: &SqlContext,
    views: &SessionViews,
    change: Change,
    query: &SqlQuery,
    cancel: &Cancel,
) -> Result<()> {
    if !query.parameters.is_empty() {
        return Err(QueryError::invalid_input(
            "a view has no parameters: write the value, or give it to the query",
        ));
    }
    loop {
        let before = views.now();
        let next = before.after(&change)?;
        with_views(context, &next, query, cancel).await.map_err(|error| change.refused(error))?;
        if views.swap(&before, next) {
            return Ok(());
        }
    }
}

/// The tables of a statement, and the views of its session that it names, each planned with those before it.
pub(super) async fn with_views(
    context: &SqlContext,
    session_views: &Views,
    query: &SqlQuery,
    cancel: &Cancel,
) -> Result<(SessionState, Tables)> {
    let mut tables = tables(context, &query.tables, cancel)?;
    let mut state = state_of(context, &tables)?;
    let names = session_views.needed(&query.statement)?;
    if names.is_empty() {
        return Ok((state, tables));
    }
    let is_change = session_views::change_of(&query.statement)?.is_some();
    session_views.check(&names, Some(query.statement.as_str()).filter(|_| !is_change))?;
    for name in &names {
        let Some(text) = session_views.text(name) else { continue };
        check_free(name, &tables)?;
        let planned = plan(&state, SqlQuery::from(text.as_ref())).await;
        let of_view = |error| {
            let error = views::with_nearest_table(error, &state, session_views.names());
            QueryError::new(error.kind(), format!("view '{name}': {}", error.message()))
        };
        let (plan, _) = planned.map_err(of_view)?;
        tables.insert(name.clone(), Arc::new(ViewTable::new(plan, Some(text.to_string()))));
        state = state_of(context, &tables)?;
    }
    Ok((state, tables))
}

fn state_of(context: &SqlContext, tables: &Tables) -> Result<SessionState> {
    let mut state = views::session(context.runtime.template(), tables.clone())?;
    add_functions(context, &mut state)?;
    Ok(state)
}

/// Refuses a name that a table or view of the database has, or a table of the statement.
pub(super) fn check_free(name: &str, tables: &Tables) -> Result<()> {
    if tables.contains_key(name) || views::is_view(name) || name == "information_schema" {
        return Err(QueryError::invalid_input(format!(
            "'{name}' is a table of the database: give the other one another name"
        )));
    }
    Ok(())
}
