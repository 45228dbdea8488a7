//! Names of types as SQL writes them: what `DESCRIBE`, `SUMMARIZE`, `SHOW COLUMNS` and `information_schema.columns` say.
//!
//! A cast takes the same names. Arrow tells forms of one type apart (`Utf8View`, `Utf8`) that no statement can.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;

use super::views::{CATALOG, SCHEMA};

/// The name of a type.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_string(),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "BLOB".to_string(),
        DataType::Boolean => "BOOLEAN".to_string(),
        DataType::Int8 => "TINYINT".to_string(),
        DataType::Int16 => "SMALLINT".to_string(),
        DataType::Int32 => "INTEGER".to_string(),
        DataType::Int64 => "BIGINT".to_string(),
        DataType::UInt8 => "TINYINT UNSIGNED".to_string(),
        DataType::UInt16 => "SMALLINT UNSIGNED".to_string(),
        DataType::UInt32 => "INTEGER UNSIGNED".to_string(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_string(),
        DataType::Float16 | DataType::Float32 => "REAL".to_string(),
        DataType::Float64 => "DOUBLE".to_string(),
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => format!("DECIMAL({digits},{scale})"),
        DataType::Timestamp(..) => "TIMESTAMP".to_string(),
        DataType::Date32 | DataType::Date64 => "DATE".to_string(),
        DataType::Time32(_) | DataType::Time64(_) => "TIME".to_string(),
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL".to_string(),
        // Everything that JSON can be.
        DataType::Union(..) => "JSON".to_string(),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            format!("{}[]", type_name(item.data_type()))
        }
        DataType::FixedSizeList(item, length) => {
            format!("{}[{length}]", type_name(item.data_type()))
        }
        DataType::Struct(members) => format!("STRUCT({})", member_names(members)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => {
                let types: Vec<String> = pair
                    .iter()
                    .map(|field| type_name(field.data_type()))
                    .collect();
                format!("MAP({})", types.join(", "))
            }
            other => format!("MAP({})", type_name(other)),
        },
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Null => "NULL".to_string(),
        other => other.to_string(),
    }
}

fn member_names(members: &Fields) -> String {
    let member = |field: &Arc<Field>| format!("{} {}", field.name(), type_name(field.data_type()));
    members.iter().map(member).collect::<Vec<_>>().join(", ")
}

/// `plan` with these names where it reads `information_schema.columns`, which has Arrow's.
///
/// # Errors
/// What planning a view or reading the catalogue fails with.
pub(super) async fn in_catalogue(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && is_columns(scan)
        {
            found = Some(source_as_provider(&scan.source)?);
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let Some(columns) = found else {
        return Ok(plan);
    };
    let source = provider_as_source(named(columns, state).await?);
    let changed = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(mut scan) if is_columns(&scan) => {
            scan.source = Arc::clone(&source);
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(changed.data)
}

fn is_columns(scan: &datafusion::logical_expr::TableScan) -> bool {
    scan.table_name.schema() == Some("information_schema") && scan.table_name.table() == "columns"
}

/// The rows of the catalogue's table of columns, with our names of types.
async fn named(
    columns: Arc<dyn TableProvider>,
    state: &SessionState,
) -> Result<Arc<dyn TableProvider>> {
    let schema = columns.schema();
    let rows = columns.scan(state, None, &[], None).await?;
    let mut types = HashMap::new();
    let mut batches = Vec::new();
    for batch in collect(rows, state.task_ctx()).await? {
        let (tables, names) = (texts(&batch, "table_name")?, texts(&batch, "column_name")?);
        for table in tables.iter().flatten() {
            if !types.contains_key(table) {
                types.insert(table.to_string(), types_of(table, state).await?);
            }
        }
        let type_of = |(table, name): (Option<&str>, Option<&str>)| types.get(table?)?.get(name?);
        let ours: StringArray = tables.iter().zip(names).map(type_of).collect();
        let (at, mut changed) = (schema.index_of("data_type")?, batch.columns().to_vec());
        if let Some(column) = changed.get_mut(at) {
            *column = Arc::new(ours);
        }
        batches.push(RecordBatch::try_new(Arc::clone(&schema), changed)?);
    }
    Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
}

fn texts<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a StringArray> {
    Ok(batch
        .column(batch.schema().index_of(column)?)
        .as_string::<i32>())
}

/// The names of the types of a table's columns.
async fn types_of(table: &str, state: &SessionState) -> Result<HashMap<String, String>> {
    let schema = state
        .catalog_list()
        .catalog(CATALOG)
        .and_then(|catalog| catalog.schema(SCHEMA));
    let Some(schema) = schema else {
        return Ok(HashMap::new());
    };
    let Some(table) = schema.table(table).await? else {
        return Ok(HashMap::new());
    };
    let named = |field: &Arc<Field>| (field.name().clone(), type_name(field.data_type()));
    Ok(table.schema().fields().iter().map(named).collect())
}
