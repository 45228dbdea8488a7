//! Operations that ask: how a search is carried out, what a person should hear, figures, settings.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tracehouse::{CompletedSession, Database, Search};

use crate::api::rows;
use crate::error::ApiError;

/// No arguments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A search.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GivenSearch {
    filter: Option<String>,
    order_by: Option<Vec<String>>,
    limit: Option<usize>,
    offset: Option<usize>,
    page_token: Option<String>,
    experiments: Option<Vec<String>>,
    timeout_ms: Option<u64>,
}

impl From<GivenSearch> for Search {
    fn from(given: GivenSearch) -> Self {
        Self {
            filter: given.filter.unwrap_or_default(),
            order_by: given.order_by.unwrap_or_default(),
            limit: given.limit,
            offset: given.offset.unwrap_or_default(),
            page_token: given.page_token,
            experiments: given.experiments,
            timeout: given.timeout_ms.map(Duration::from_millis),
            ..Self::default()
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Explain {
    search: GivenSearch,
    #[serde(default)]
    analyze: bool,
}

/// How a search is carried out, as text.
pub(super) fn explain(db: &Database, given: Explain) -> Result<String, ApiError> {
    let search = Search::from(given.search);
    let search = search.explain(true).analyze(given.analyze);
    let explain = db.search_shared(&search)?.explain;
    Ok(explain.map_or_else(String::new, |explain| explain.to_string()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notices {
    filter: String,
}

/// What a person should hear about a filter.
pub(super) fn notices(db: &Database, given: Notices) -> Result<Vec<String>, ApiError> {
    Ok(db.notices(&Search::new(given.filter), false)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlNotices {
    statement: String,
}

/// What a person should hear about a statement.
pub(super) fn sql_notices(db: &Database, given: SqlNotices) -> Result<Vec<String>, ApiError> {
    Ok(db.sql_notices(&given.statement)?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompletedSessions {
    experiment_id: String,
    last_min_ns: i64,
    last_max_ns: i64,
    max_results: Option<usize>,
    filter: Option<String>,
}

/// Sessions whose last trace is in a span of time.
pub(super) fn completed_sessions(
    db: &Database,
    given: CompletedSessions,
) -> Result<Vec<CompletedSession>, ApiError> {
    Ok(db.completed_sessions(
        &given.experiment_id,
        given.last_min_ns,
        given.last_max_ns,
        given.max_results,
        &given.filter.unwrap_or_default(),
    )?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Correlation {
    a: String,
    b: String,
    base: Option<String>,
    experiments: Option<Vec<String>>,
}

/// How much two filters have to do with each other.
pub(super) fn filter_correlation(db: &Database, given: Correlation) -> Result<Value, ApiError> {
    let base = given.base.unwrap_or_default();
    let found = db.filter_correlation(given.experiments.as_deref(), &given.a, &given.b, &base)?;
    Ok(json!({
        "npmi": rows::number(found.npmi),
        "npmi_smoothed": rows::number(found.npmi_smoothed),
        "filter1_count": found.filter1_count,
        "filter2_count": found.filter2_count,
        "joint_count": found.joint_count,
        "total_count": found.total_count,
    }))
}

/// What is taken out of everything that is written; `rules` are patterns by their names.
pub(super) fn redaction(db: &Database, _: Nothing) -> Result<Value, ApiError> {
    let found = db.redaction();
    let rules = found.rules.iter();
    let rules: BTreeMap<&str, &str> = rules
        .map(|rule| (rule.name.as_str(), rule.pattern.as_str()))
        .collect();
    Ok(json!({
        "names": found.names,
        "secrets": found.secrets,
        "emails": found.emails,
        "cards": found.cards,
        "deny": found.deny,
        "allow": found.allow,
        "rules": rules,
        "callback": found.callback,
    }))
}

/// The prices that costs are computed with.
pub(super) fn prices(db: &Database, _: Nothing) -> Result<Vec<Value>, ApiError> {
    let rows = db.price_list();
    let shown = rows.iter().map(|row| {
        json!({
            "model": row.model,
            "input": row.price.input,
            "output": row.price.output,
            "cache_read": row.price.cache_read,
            "cache_write": row.price.cache_write,
            "is_seed": row.is_seed,
            "date": row.date,
        })
    });
    Ok(shown.collect())
}
