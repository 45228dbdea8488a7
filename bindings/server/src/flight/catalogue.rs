//! Catalogues, schemas, tables and keys, as SQL has them.

use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTableTypes,
    CommandGetTables,
};
use tracehouse::{Database, Result, SqlQuery};

use super::outgoing::sent_schema;
use crate::error::ApiError;

/// `information_schema` lists a table of the planner's settings that SQL refuses to read.
const TABLES: &str = "SELECT table_catalog, table_schema, table_name, table_type \
     FROM information_schema.tables WHERE table_name <> 'df_settings' ORDER BY 1, 2, 3";
/// What a row is known by, of the tables where no two rows have the same.
const PRIMARY_KEYS: [(&str, &[&str]); 5] = [
    ("eval_runs", &["run_id"]),
    ("prompt_versions", &["name", "version"]),
    ("prompts", &["name"]),
    ("spans", &["trace_id", "span_id"]),
    ("traces", &["trace_id"]),
];
const CATALOGUE: &str = "tracehouse";
const SCHEMA: &str = "public";

/// A table: catalogue, schema, name and type.
type Row = (String, String, String, String);

fn rows(db: &Database) -> Result<Vec<Row>> {
    db.sql_rows(TABLES)?.collect()
}

/// # Errors
/// What reading gives.
pub(super) fn catalogues(
    db: &Database,
    asked: CommandGetCatalogs,
) -> std::result::Result<RecordBatch, ApiError> {
    let mut names: Vec<String> = rows(db)?.into_iter().map(|row| row.0).collect();
    names.dedup();
    let mut builder = asked.into_builder();
    names.into_iter().for_each(|name| builder.append(name));
    built(builder.build())
}

/// # Errors
/// What reading gives.
pub(super) fn schemas(
    db: &Database,
    asked: CommandGetDbSchemas,
) -> std::result::Result<RecordBatch, ApiError> {
    let mut names: Vec<(String, String)> =
        rows(db)?.into_iter().map(|row| (row.0, row.1)).collect();
    names.dedup();
    let mut builder = asked.into_builder();
    for (catalogue, schema) in names {
        builder.append(catalogue, schema);
    }
    built(builder.build())
}

/// # Errors
/// What reading gives.
pub(super) fn table_types(
    db: &Database,
    asked: CommandGetTableTypes,
) -> std::result::Result<RecordBatch, ApiError> {
    let mut types: Vec<String> = rows(db)?.into_iter().map(|row| row.3).collect();
    types.sort();
    types.dedup();
    let mut builder = asked.into_builder();
    types.into_iter().for_each(|name| builder.append(name));
    built(builder.build())
}

/// Tables, with their columns in the types as sent where these are asked for.
///
/// # Errors
/// What reading gives.
pub(super) fn tables(
    db: &Database,
    asked: CommandGetTables,
) -> std::result::Result<RecordBatch, ApiError> {
    let has_schema = asked.include_schema;
    let mut builder = asked.into_builder();
    let none = Schema::empty();
    for (catalogue, schema, table, kind) in rows(db)? {
        let columns = match has_schema {
            true => columns(db, &schema, &table)?,
            false => Arc::new(none.clone()),
        };
        builder
            .append(catalogue, schema, table, kind, &columns)
            .map_err(of_arrow)?;
    }
    built(builder.build())
}

fn columns(db: &Database, schema: &str, table: &str) -> Result<SchemaRef> {
    let select = format!("SELECT * FROM \"{schema}\".\"{table}\" LIMIT 0");
    let (columns, _) = db.query(SqlQuery::from(select.as_str()), None)?;
    Ok(sent_schema(&columns))
}

/// # Errors
/// None that can come with these values; the builder's.
pub(super) fn primary_keys(
    asked: &CommandGetPrimaryKeys,
) -> std::result::Result<RecordBatch, ApiError> {
    let is_ours = asked
        .catalog
        .as_deref()
        .is_none_or(|name| name == CATALOGUE)
        && asked.db_schema.as_deref().is_none_or(|name| name == SCHEMA);
    let keys = PRIMARY_KEYS.iter();
    let (mut tables, mut names, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (table, columns) in keys.filter(|(table, _)| is_ours && *table == asked.table) {
        for (place, column) in (1_i32..).zip(columns.iter()) {
            tables.push(*table);
            names.push(*column);
            places.push(place);
        }
    }
    let rows = tables.len();
    built(RecordBatch::try_new(
        primary_key_schema(),
        vec![
            Arc::new(StringArray::from(vec![CATALOGUE; rows])),
            Arc::new(StringArray::from(vec![SCHEMA; rows])),
            Arc::new(StringArray::from(tables)),
            Arc::new(StringArray::from(names)),
            Arc::new(Int32Array::from(places)),
            Arc::new(StringArray::new_null(rows)),
        ],
    ))
}

/// The columns of an answer about primary keys.
pub(super) fn primary_key_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("key_name", DataType::Utf8, true),
    ]))
}

/// Foreign keys: there are none.
pub(super) fn foreign_keys() -> RecordBatch {
    RecordBatch::new_empty(foreign_key_schema())
}

/// The columns of an answer about foreign keys.
pub(super) fn foreign_key_schema() -> SchemaRef {
    let text = |name: &str, is_nullable| Field::new(name, DataType::Utf8, is_nullable);
    let rule = |name: &str| Field::new(name, DataType::UInt8, false);
    Arc::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        rule("update_rule"),
        rule("delete_rule"),
    ]))
}

fn built<E: std::fmt::Display>(
    batch: std::result::Result<RecordBatch, E>,
) -> std::result::Result<RecordBatch, ApiError> {
    batch.map_err(of_arrow)
}

fn of_arrow(error: impl std::fmt::Display) -> ApiError {
    ApiError::internal(format!("the answer cannot be written: {error}"))
}
