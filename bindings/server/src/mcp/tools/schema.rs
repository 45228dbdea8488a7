//! `schema`: what the database holds, in the words that questions need.
//!
//! Names that are there (services, models, attributes, ..) are the most frequent ones, of attributes among the newest
//! spans. All of them are of traces that the caller sees.

use serde_json::{Value, json};
use tracehouse::Database;

use super::Call;
use super::meanings::{FILTER_KEYS, TABLES, TableMeaning};
use crate::error::ApiError;
use crate::mcp::answer::{Budget, Draft, fit, untrusted};
use crate::mcp::json::{self as json_text, Fields};
use crate::mcp::quoted;
use crate::mcp::scope::Scope;

/// The parts of the answer.
pub(super) const SECTIONS: [&str; 4] = ["all", "data", "tables", "filter_keys"];
/// Names of one kind given.
const NAMES_MAX: usize = 25;
/// Spans whose attributes are looked at.
const SAMPLED_SPANS: usize = 1_000;
/// Longest name given: one that is cut would be another name.
const NAME_BYTES_MAX: usize = 120;

/// Kinds of names: how an answer calls them, and the rows of SQL that have them as `name`. `{scope}` is a condition on
/// `trace_id`.
const NAMES: [(&str, &str); 11] = [
    (
        "experiments",
        "SELECT experiment_id AS name FROM traces {scope}",
    ),
    ("trace_names", "SELECT name FROM traces {scope}"),
    (
        "services",
        "SELECT service_name AS name FROM traces {scope}",
    ),
    ("models", "SELECT model AS name FROM spans {scope}"),
    ("span_types", "SELECT span_type AS name FROM spans {scope}"),
    ("tools", "SELECT tool_name AS name FROM spans {scope}"),
    ("tags", "SELECT key AS name FROM tags {scope}"),
    ("metadata", "SELECT key AS name FROM metadata {scope}"),
    (
        "assessment_names",
        "SELECT type || '.' || name AS name FROM assessments {scope}",
    ),
    (
        "span_attributes",
        "SELECT unnest(json_object_keys(attributes)) AS name FROM (SELECT attributes FROM spans {scope} ORDER BY start_time DESC \
         LIMIT {sample})",
    ),
    (
        "resource",
        "SELECT unnest(json_object_keys(resource)) AS name FROM (SELECT resource FROM spans {scope} ORDER BY start_time DESC \
         LIMIT {sample})",
    ),
];

pub(super) fn run(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    if let Some(name) = call.arguments.given("table") {
        return one_table(name, call.budget);
    }
    let section = call.arguments.text("section");
    let is_wanted = |name| section == "all" || section == name;
    let data = match is_wanted("data") {
        true => data(db, &call.scope)?,
        false => Fields::new(),
    };
    let fitted = fit(call.budget, |bytes| {
        let mut fields = untrusted(data_within(&data, bytes));
        // Whole parts that do not fit are left out by name.
        let mut left_out = Vec::new();
        for (name, part) in [("filter_keys", filter_keys()), ("tables", tables())] {
            if !is_wanted(name) {
                continue;
            }
            fields.insert(name.into(), part);
            let room = call.budget.0.saturating_sub(200);
            if section == "all" && json_text::bytes(&fields) > room {
                fields.remove(name);
                left_out.push(name);
            }
        }
        if !left_out.is_empty() {
            let word = format!(
                "left out for max_bytes: {}. Ask for each with section, or for a table with table",
                left_out.join(", ")
            );
            fields.insert("cut".into(), word.into());
        }
        Draft::of(fields)
    })?;
    Ok(fitted.fields)
}

fn one_table(name: &str, budget: Budget) -> Result<Fields, ApiError> {
    let table = TABLES
        .iter()
        .find(|table| table.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
            ApiError::bad_request(format!(
                "there is no table {}: one of {} expected",
                quoted(name),
                names.join(", ")
            ))
        })?;
    let mut fields = Fields::new();
    fields.insert(table.name.into(), table_in(table));
    Ok(fit(budget, |_| Draft::of(fields.clone()))?.fields)
}

fn tables() -> Value {
    let tables = TABLES.iter();
    let tables: Fields = tables
        .map(|table| (table.name.to_string(), table_in(table)))
        .collect();
    tables.into()
}

fn table_in(table: &TableMeaning) -> Value {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|(name, kind, meaning)| match *meaning {
            "" => format!("{name} {kind}"),
            meaning => format!("{name} {kind}: {meaning}"),
        })
        .collect();
    json!({"about": table.about, "columns": columns})
}

fn filter_keys() -> Value {
    let keys = FILTER_KEYS.iter();
    let keys: Fields = keys
        .map(|(about, keys)| (about.to_string(), (*keys).into()))
        .collect();
    keys.into()
}

/// Numbers, times and names of what the caller sees.
fn data(db: &Database, scope: &Scope) -> Result<Fields, ApiError> {
    let condition = scope.sql();
    let mut fields = Fields::new();
    for table in ["traces", "spans", "assessments"] {
        let count: i64 = only(db, &format!("SELECT count(*) FROM {table} {condition}"))?;
        fields.insert(table.into(), count.into());
    }
    let statement =
        format!("SELECT min(request_time) a, max(request_time) b FROM traces {condition}");
    let (first, last): (Option<i64>, Option<i64>) = only(db, &statement)?;
    for (name, time) in [("first_request_time", first), ("last_request_time", last)] {
        fields.insert(name.into(), time.map_or(Value::Null, json_text::time));
    }
    for (name, rows) in NAMES {
        fields.insert(name.into(), names(db, rows, &condition)?.into());
    }
    if !scope.is_limited() {
        let datasets = db.datasets()?;
        let names = datasets.into_iter().map(|dataset| dataset.name);
        let names: Vec<Value> = names
            .filter(|name| name.len() <= NAME_BYTES_MAX)
            .take(NAMES_MAX)
            .map(Value::from)
            .collect();
        fields.insert("datasets".into(), names.into());
    }
    Ok(fields)
}

/// The most frequent names with how often they are there.
fn names(db: &Database, rows: &str, condition: &str) -> Result<Fields, ApiError> {
    let rows = rows
        .replace("{scope}", condition)
        .replace("{sample}", &SAMPLED_SPANS.to_string());
    let statement = format!(
        "SELECT name, count(*) AS n FROM ({rows}) WHERE octet_length(name) <= {NAME_BYTES_MAX} GROUP BY name \
         ORDER BY n DESC, name LIMIT {}",
        // One more tells whether there are others.
        NAMES_MAX + 1
    );
    let rows = db.sql_rows::<(String, u64)>(&*statement)?;
    let names: tracehouse::Result<Fields> = rows
        .map(|row| row.map(|(name, count)| (name, Value::from(count))))
        .collect();
    Ok(names?)
}

/// The only row of a statement.
fn only<T: serde::de::DeserializeOwned>(db: &Database, statement: &str) -> Result<T, ApiError> {
    let mut rows = db.sql_rows(statement)?;
    let row = rows.next();
    let row = row.ok_or_else(|| ApiError::internal("a statement without a row"))?;
    Ok(row?)
}

/// As many names of each kind as the room for texts lets one guess, the most frequent ones.
fn data_within(data: &Fields, bytes: usize) -> Fields {
    /// The shortest form has a few names of each kind.
    const NAMES_MIN: usize = 2;
    /// Room for texts that a name stands for.
    const BYTES_PER_NAME: usize = 16;
    let names_max = (bytes / BYTES_PER_NAME).clamp(NAMES_MIN, NAMES_MAX);
    let mut within = Fields::new();
    let mut cut: Vec<&str> = Vec::new();
    for (kind, value) in data {
        let Value::Object(names) = value else {
            within.insert(kind.clone(), value.clone());
            continue;
        };
        let mut sorted: Vec<(&String, &Value)> = names.iter().collect();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(count.as_u64()));
        let kept = sorted.into_iter().take(names_max);
        let kept: Fields = kept
            .map(|(name, count)| (name.clone(), count.clone()))
            .collect();
        if kept.len() < names.len() {
            cut.push(kind);
        }
        within.insert(kind.clone(), kept.into());
    }
    if !cut.is_empty() {
        within.insert("only_most_frequent_of".into(), cut.into());
    }
    within
}
