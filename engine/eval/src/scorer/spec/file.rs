//! A TOML file of scorers.
//!
//! ```toml
//! [[scorer]]
//! name = "right"              # the kind unless said
//! kind = "exact_match"
//! expectation = "/answer/city"
//! field = "/city"
//! ignore_case = true
//!
//! [[scorer]]
//! kind = "json_schema"
//! file = "answer.schema.json" # beside this file
//! ```
//!
//! A table is a definition ([`Definition`]) in TOML; `file` stands for the contents of `schema` (json_schema), `words`
//! (forbidden), `guidelines` or `template` (judge).
//!
//! Invariants: names of files are relative to the folder of the TOML file; a key that is not known is an error.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::definition::Definition;
use super::super::error::SpecError;
use super::super::rules::Forbidden;
use super::Read;
use super::arguments::{parse_schema, read_file};

/// The scorers of a file, in its order.
pub(super) fn parse(path: &str, read: Read<'_>) -> Result<Vec<Definition>, SpecError> {
    let text = read_file(path, read)?;
    let tables = tables(&text).map_err(|error| error.of(path))?;
    let each = tables.into_iter().enumerate().map(|(index, table)| {
        let of = format!("{path}: scorer {}", index + 1);
        let table = with_file(table, path, read).map_err(|error| error.of(&of))?;
        Definition::from_value(&Value::Object(table)).map_err(|error| error.of(&of))
    });
    each.collect()
}

fn tables(text: &str) -> Result<Vec<Map<String, Value>>, SpecError> {
    let whole: Map<String, Value> =
        toml::from_str(text).map_err(|error| SpecError::new(error.to_string().trim_end()))?;
    if let Some(key) = whole.keys().find(|key| *key != "scorer") {
        let message = format!("unknown key `{key}`; the file has tables [[scorer]] only");
        return Err(SpecError::new(message));
    }
    let list = match whole.get("scorer") {
        Some(Value::Array(list)) if !list.is_empty() => list.clone(),
        _ => return Err(SpecError::new("has no scorer; each is a table [[scorer]]")),
    };
    let tables = list.into_iter().map(|table| match table {
        Value::Object(table) => Ok(table),
        other => Err(SpecError::new(format!(
            "a scorer is a table [[scorer]] with `kind`, not {other}"
        ))),
    });
    tables.collect()
}

/// The table with the contents of its file in the place of its name.
fn with_file(
    mut table: Map<String, Value>,
    path: &str,
    read: Read<'_>,
) -> Result<Map<String, Value>, SpecError> {
    let Some(file) = table.remove("file") else {
        return Ok(table);
    };
    let Value::String(file) = file else {
        return Err(SpecError::new("`file` is the name of a file, a text"));
    };
    let word = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default();
    let key = match (word("kind"), word("judge")) {
        ("json_schema", _) => "schema",
        ("forbidden", _) => "words",
        ("judge", "guidelines") => "guidelines",
        ("judge", "custom") => "template",
        (kind, _) => {
            let message =
                format!("`file` is for json_schema, forbidden and judges, not for {kind}");
            return Err(SpecError::new(message));
        }
    };
    if table.contains_key(key) {
        let message = format!("both `file` and `{key}` are given; one of them says it");
        return Err(SpecError::new(message));
    }
    let name = beside(path, &file);
    let text = read_file(&name, read)?;
    let content = match key {
        "schema" => parse_schema(&name, &text)?,
        "words" => json!(Forbidden::from_list(&text).words),
        "guidelines" => json!([text.trim()]),
        _ => json!(text),
    };
    table.insert(key.to_owned(), content);
    Ok(table)
}

/// The name of a file that stands beside another; an absolute one stays.
fn beside(path: &str, file: &str) -> String {
    match Path::new(path).parent() {
        Some(folder) => folder.join(file).to_string_lossy().into_owned(),
        None => file.to_owned(),
    }
}
