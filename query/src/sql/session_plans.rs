//! Views and tables of a session in the planning of a statement: as tables that each are the plan of a query, or rows.

use std::sync::Arc;

use datafusion::catalog::MemTable;
use datafusion::catalog::view::ViewTable;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::sql::sqlparser::ast::Statement;
use futures::StreamExt;

use super::guard;
use super::scan::Cancel;
use super::session::{SqlContext, SqlQuery, add_functions, plan, start, tables};
use super::session_views::{self, Change, HeldRows, Kind, SessionViews, Views};
use super::views::{self, Tables};
use crate::error::{QueryError, Result};

/// Changes the views of a session, if every one of them can be planned then.
pub(super) async fn change_views(
    context: &SqlContext,
    views: &SessionViews,
    mut change: Change,
    query: &SqlQuery,
    cancel: &Cancel,
) -> Result<()> {
    if let Change::Create(creation) = &mut change
        && creation.kind == Kind::Table
        && !views.now().has(creation)
    {
        let query = SqlQuery {
            statement: creation.text.clone(),
            ..query.clone()
        };
        views.now().check_free(creation)?;
        // Planning goes on in there.
        match Box::pin(rows_of(context, query, cancel)).await {
            Ok(rows) => creation.rows = Some(Arc::new(rows)),
            Err(error) => return Err(change.refused(error)),
        }
    } else if !query.parameters.is_empty() {
        return Err(QueryError::invalid_input(
            "a view has no parameters: write the value, or give it to the query",
        ));
    }
    loop {
        let before = views.now();
        let next = before.after(&change)?;
        with_views(context, &next, query, cancel)
            .await
            .map_err(|error| change.refused(error))?;
        if views.swap(&before, next) {
            return Ok(());
        }
    }
}

/// The rows of a query, as much of them as the memory of queries has room for.
async fn rows_of(context: &SqlContext, query: SqlQuery, cancel: &Cancel) -> Result<HeldRows> {
    if !matches!(guard::parse(&query.statement)?, Statement::Query(_)) {
        return Err(QueryError::invalid_input(
            "no query: SELECT, WITH, VALUES or TABLE expected",
        ));
    }
    let pool = &context.runtime.template().runtime_env().memory_pool;
    let memory = MemoryConsumer::new("a temporary table").register(pool);
    let (mut stream, mut batches) = (start(context, query, cancel).await?, Vec::new());
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        memory.try_grow(get_record_batch_memory_size(&batch))?;
        batches.push(batch);
    }
    Ok(HeldRows {
        schema: stream.schema(),
        batches,
        _memory: memory,
    })
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
    session_views.check(
        &names,
        Some(query.statement.as_str()).filter(|_| !is_change),
    )?;
    for name in &names {
        if let Some(HeldRows {
            schema, batches, ..
        }) = session_views.rows(name).map(Arc::as_ref)
        {
            check_free(name, &tables)?;
            let rows = MemTable::try_new(schema.clone(), vec![batches.clone()])?;
            tables.insert(name.clone(), Arc::new(rows));
            state = state_of(context, &tables)?;
            continue;
        }
        let Some(text) = session_views.text(name) else {
            continue;
        };
        check_free(name, &tables)?;
        let planned = plan(&state, SqlQuery::from(text.as_ref())).await;
        let of_view = |error| {
            let error = views::with_nearest_table(error, &state, session_views.names());
            QueryError::new(error.kind(), format!("view '{name}': {}", error.message()))
        };
        let (plan, _) = planned.map_err(of_view)?;
        tables.insert(
            name.clone(),
            Arc::new(ViewTable::new(plan, Some(text.to_string()))),
        );
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
