//! `sql`: one read-only statement, of whose result as many rows are read as the answer holds.

use arrow::datatypes::DataType;
use serde_json::{Value, json};
use tracehouse::{Database, SqlBatches, SqlQuery, SqlValue, batch_rows};

use super::Call;
use super::find::notices_within;
use crate::error::ApiError;
use crate::mcp::answer::{Budget, Draft, fit, untrusted};
use crate::mcp::json::{self as json_text, Fields};

/// Rows that become JSON at a time.
const ROWS_STEP: usize = 16;

pub(super) fn run(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    // Statements see all experiments.
    call.caller.check_all_experiments("sql")?;
    let arguments = &call.arguments;
    let statement = arguments.text("sql");
    let query = SqlQuery {
        statement: statement.to_string(),
        parameters: parameters(arguments.value("params"))?,
        tables: Vec::new(),
    };
    let batches = db.sql_batches(query)?;
    let columns = columns(&batches);
    let limit = arguments.count("limit");
    let rows = read(batches, limit, arguments.count("cell_bytes"), call.budget)?;
    let notices = match rows.first() {
        Some(_) => Vec::new(),
        None => db.sql_notices(statement)?,
    };
    let (all, rows) = (rows.len(), &rows);
    let fitted = fit(call.budget, |bytes| {
        let mut fields = untrusted(Fields::new());
        fields.insert("columns".into(), columns.clone());
        if !notices.is_empty() {
            fields.insert("notices".into(), notices_within(&notices, bytes));
        }
        Draft {
            fields,
            list: Some(("rows", rows.iter().take(limit).cloned().collect())),
            rest: Box::new(move |kept| rest(kept, all)),
        }
    });
    match fitted {
        Ok(fitted) => Ok(fitted.fields),
        // One row is longer than the answer: its texts are cut further.
        Err(_) => Ok(first_row(call.budget, &columns, rows, all)?),
    }
}

/// The first row alone, its texts as long as they may be.
fn first_row(
    budget: Budget,
    columns: &Value,
    rows: &[Value],
    all: usize,
) -> Result<Fields, ApiError> {
    let fitted = fit(budget, |bytes| {
        let mut fields = untrusted(Fields::new());
        fields.insert("columns".into(), columns.clone());
        let first = rows.first().and_then(Value::as_array);
        let cells: Vec<Value> = first
            .into_iter()
            .flatten()
            .map(|value| json_text::cell(value.clone(), bytes))
            .collect();
        Draft {
            fields,
            list: Some(("rows", vec![cells.into()])),
            rest: Box::new(move |kept| rest(kept, all)),
        }
    })?;
    Ok(fitted.fields)
}

/// What is said when there are more rows than are given.
fn rest(kept: usize, all: usize) -> Fields {
    let mut fields = Fields::new();
    fields.insert("row_count".into(), kept.into());
    if kept < all {
        let word = format!(
            "there are more rows than these {kept}: add ORDER BY with LIMIT and OFFSET {kept}, select fewer columns, or raise \
            limit or max_bytes. A text given as {{preview, bytes}} is read by substr(column, start, length), or by get_span"
        );
        fields.insert("cut".into(), word.into());
    }
    fields
}

/// # Errors
/// 400 for a number that SQL has not.
fn parameters(given: Option<&Value>) -> Result<Vec<(String, SqlValue)>, ApiError> {
    let given = given.and_then(Value::as_object);
    let value = |name: &str, value: &Value| {
        Ok(match value {
            Value::Bool(flag) => SqlValue::Boolean(*flag),
            Value::String(text) => SqlValue::Text(text.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => SqlValue::Int(whole),
                (None, Some(float)) if !number.is_u64() => SqlValue::Float(float),
                _ => {
                    return Err(ApiError::bad_request(format!(
                        "parameter params: {name} = {number} is larger than a BIGINT"
                    )));
                }
            },
            _ => SqlValue::Null,
        })
    };
    let named = given.into_iter().flatten();
    named
        .map(|(name, given)| {
            let bare = name.strip_prefix('$').unwrap_or(name);
            Ok((bare.to_string(), value(name, given)?))
        })
        .collect()
}

fn columns(batches: &SqlBatches) -> Value {
    let schema = batches.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| json!({"name": field.name(), "type": word(field.data_type())}));
    columns.collect()
}

/// A type as `schema` calls it.
fn word(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".into(),
        DataType::Timestamp(..) => "time".into(),
        DataType::Boolean => "bool".into(),
        DataType::Map(..) => "map".into(),
        DataType::List(_) | DataType::LargeList(_) => "list".into(),
        kind if kind.is_integer() => "int".into(),
        kind if kind.is_floating() => "float".into(),
        kind => kind.to_string(),
    }
}

/// Rows until there are more than `limit`, or more bytes than the answer has.
fn read(
    batches: SqlBatches,
    limit: usize,
    cell_bytes: usize,
    Budget(bytes_max): Budget,
) -> Result<Vec<Value>, ApiError> {
    let mut rows: Vec<Value> = Vec::new();
    let mut bytes = 0_usize;
    for batch in batches {
        let batch = batch?;
        let mut at = 0;
        while at < batch.num_rows() {
            let step = batch.slice(at, ROWS_STEP.min(batch.num_rows() - at));
            at += step.num_rows();
            for row in batch_rows::<Vec<Value>>(&step)? {
                if rows.len() > limit || bytes > bytes_max {
                    return Ok(rows);
                }
                let cells = row
                    .into_iter()
                    .map(|value| json_text::cell(value, cell_bytes));
                let row: Value = cells.collect();
                bytes = bytes.saturating_add(json_text::bytes(&row));
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_type() {
        let given = json!({"a": 1, "$b": 0.5, "c": "x", "d": null, "e": true});
        let read = parameters(Some(&given)).unwrap();
        let named = |name: &str| read.iter().find(|(known, _)| known == name).map(|(_, v)| v);
        assert!(matches!(named("a"), Some(SqlValue::Int(1))));
        assert!(matches!(named("b"), Some(SqlValue::Float(_))));
        assert!(matches!(named("d"), Some(SqlValue::Null)));
        assert!(parameters(Some(&json!({"a": u64::MAX}))).is_err());
    }
}
