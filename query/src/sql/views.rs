//! The tables and views a statement may name: the three versioned tables, the views over them as SQL
//! text, and the catalogue tables handed in.
//!
//! A view is planned only when a statement names it, so that views cost nothing otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    SchemaProvider, TableProvider,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::TableType;

use crate::error::QueryError;
use crate::filter::nearest;

/// Name of the one catalog.
pub(super) const CATALOG: &str = "tracehouse";
/// Name of the one schema.
pub(super) const SCHEMA: &str = "public";

/// A view's name and its query over the base tables.
struct View {
    name: &'static str,
    query: &'static str,
}

const VIEWS: [View; 5] = [
    View {
        name: "sessions",
        query: "SELECT session_id, experiment_id, max(user_id) AS user_id, count(*) AS trace_count, \
                count(*) FILTER (WHERE state = 'ERROR') AS error_count, \
                min(request_time) AS first_request_time, max(request_time) AS last_request_time, \
                sum(total_tokens) AS total_tokens, sum(cost_usd) AS cost_usd \
                FROM traces WHERE session_id IS NOT NULL GROUP BY session_id, experiment_id",
    },
    View {
        name: "messages",
        query: "SELECT trace_id, span_id, m['direction'] AS direction, m['index'] AS index, \
                m['role'] AS role, m['content'] AS content FROM \
                (SELECT trace_id, span_id, unnest(chat_messages(inputs, outputs, span_type, \
                attributes)) AS m FROM spans)",
    },
    View {
        name: "events",
        query: "SELECT trace_id, span_id, e['time'] AS time, e['name'] AS name, e['attributes'] AS attributes \
                FROM (SELECT trace_id, span_id, unnest(events) AS e FROM spans)",
    },
    View {
        name: "tags",
        query: "SELECT trace_id, unnest(map_keys(tags)) AS key, unnest(map_values(tags)) AS value FROM traces \
                WHERE tags IS NOT NULL",
    },
    View {
        name: "metadata",
        query: "SELECT trace_id, unnest(map_keys(metadata)) AS key, unnest(map_values(metadata)) AS value \
                FROM traces WHERE metadata IS NOT NULL",
    },
];

/// Whether a view has this name.
pub(super) fn is_view(name: &str) -> bool {
    VIEWS.iter().any(|view| view.name == name)
}

/// The error of a table that is not there, with the name that it may be a typing error of: also one of `others`.
pub(super) fn with_nearest_table<'a>(
    error: QueryError,
    state: &SessionState,
    others: impl Iterator<Item = &'a str>,
) -> QueryError {
    let wanted = error
        .message()
        .strip_prefix("table '")
        .and_then(|rest| rest.strip_suffix("' not found"));
    let schema = state
        .catalog_list()
        .catalog(CATALOG)
        .and_then(|catalog| catalog.schema(SCHEMA));
    let (Some(wanted), Some(schema)) = (wanted, schema) else {
        return error;
    };
    let mut names = schema.table_names();
    for other in others {
        if other == wanted {
            return QueryError::invalid_input(format!("the view '{wanted}' reads itself"));
        }
        names.push(other.to_string());
    }
    match nearest(wanted, names.iter().map(String::as_str)) {
        Some(name) => {
            QueryError::invalid_input(format!("no table named '{wanted}'; did you mean '{name}'?"))
        }
        None => {
            QueryError::invalid_input(format!("no table named '{wanted}'; SHOW TABLES lists them"))
        }
    }
}

/// Tables by name.
pub(super) type Tables = BTreeMap<String, Arc<dyn TableProvider>>;

/// `template` with exactly `tables` and the views over them.
pub(super) fn session(template: &Arc<SessionState>, tables: Tables) -> Result<SessionState> {
    let views_in = Some(template.clone());
    with_schema(template, TraceSchema { tables, views_in })
}

fn with_schema(template: &SessionState, schema: TraceSchema) -> Result<SessionState> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(schema))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_string(), Arc::new(catalog));
    let mut state = template.clone();
    state.register_catalog_list(Arc::new(catalogs));
    state.mark_start_execution();
    Ok(state)
}

/// The schema `public`.
#[derive(Debug)]
struct TraceSchema {
    tables: Tables,
    /// What views are planned in, with the tables alone; `None` for the schema below the views.
    views_in: Option<Arc<SessionState>>,
}

impl TraceSchema {
    fn views(&self) -> &'static [View] {
        match self.views_in {
            Some(_) => &VIEWS,
            None => &[],
        }
    }
}

#[async_trait]
impl SchemaProvider for TraceSchema {
    fn table_names(&self) -> Vec<String> {
        let views = self.views().iter().map(|view| view.name.to_string());
        self.tables.keys().cloned().chain(views).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(table) = self.tables.get(name) {
            return Ok(Some(table.clone()));
        }
        let (Some(template), Some(view)) = (
            &self.views_in,
            self.views().iter().find(|view| view.name == name),
        ) else {
            return Ok(None);
        };
        let below = TraceSchema {
            tables: self.tables.clone(),
            views_in: None,
        };
        let state = with_schema(template, below)?;
        let plan = state.create_logical_plan(view.query).await?;
        Ok(Some(Arc::new(ViewTable::new(
            plan,
            Some(view.query.to_string()),
        ))))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        if self.views().iter().any(|view| view.name == name) {
            return Ok(Some(TableType::View));
        }
        Ok(self.tables.get(name).map(|table| table.table_type()))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name) || self.views().iter().any(|view| view.name == name)
    }
}
