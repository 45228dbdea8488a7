//! `get_span`: one span, and its large texts piece by piece.
//!
//! **Invariant** The pieces of a text, joined, are its bytes: a piece ends between two characters, and says where the next
//! one begins.

use serde_json::{Value, json};
use tracehouse::{Database, SqlQuery, SqlValue};

use super::Call;
use super::find::left_out;
use super::trace::find;
use crate::error::ApiError;
use crate::mcp::answer::{Draft, fit, too_small, untrusted};
use crate::mcp::json::{self as json_text, Fields, preview};
use crate::mcp::quoted;

/// What can be read.
pub(super) const FIELDS: [&str; 8] = [
    "overview",
    "inputs",
    "outputs",
    "attributes",
    "resource",
    "events",
    "links",
    "status_message",
];
/// Large texts.
const LARGE: [&str; 6] = [
    "inputs",
    "outputs",
    "attributes",
    "resource",
    "events",
    "links",
];
/// Keys of attributes shown with their sizes.
const KEYS_MAX: usize = 60;
/// Longest key shown: a cut one would be another key.
const KEY_BYTES_MAX: usize = 120;

const SMALL: [&str; 24] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "span_type",
    "kind",
    "status",
    "status_message",
    "start_time",
    "end_time",
    "duration_ns",
    "service_name",
    "scope_name",
    "scope_version",
    "operation",
    "model",
    "provider",
    "tool_name",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cost_usd",
    "cost_source",
];

pub(super) fn run(db: &Database, call: &Call) -> Result<Fields, ApiError> {
    let arguments = &call.arguments;
    let trace_id = find(db, call)?.trace_id;
    let field = arguments.text("field");
    let key = arguments.given("key");
    if key.is_some() && !matches!(field, "attributes" | "resource") {
        return Err(ApiError::bad_request(
            "parameter key goes with field = attributes or resource",
        ));
    }
    if field == "overview" {
        return overview(db, call, &trace_id);
    }
    let value = cells(db, call, &trace_id, &[field])?;
    let value = value.into_iter().next().unwrap_or(Value::Null);
    let value = match key {
        Some(key) => one_of(value, field, key)?,
        None => value,
    };
    let mut fields = Fields::new();
    fields.insert("span_id".into(), arguments.text("span_id").into());
    fields.insert("field".into(), field.into());
    if let Some(key) = key {
        fields.insert("key".into(), preview(key, KEY_BYTES_MAX));
    }
    match written(value) {
        Some(text) => piece(untrusted(fields), call, &text),
        None => {
            fields.insert("text".into(), Value::Null);
            fields.insert("total_bytes".into(), 0.into());
            Ok(fields)
        }
    }
}

/// Columns of the span that a call names.
///
/// # Errors
/// 404 when the trace has no such span.
fn cells(
    db: &Database,
    call: &Call,
    trace_id: &str,
    columns: &[&str],
) -> Result<Vec<Value>, ApiError> {
    let span_id = call.arguments.text("span_id");
    let query = SqlQuery {
        statement: format!(
            "SELECT {} FROM spans WHERE trace_id = $trace_id AND span_id = $span_id",
            columns.join(", ")
        ),
        parameters: vec![
            ("trace_id".into(), SqlValue::Text(trace_id.into())),
            ("span_id".into(), SqlValue::Text(span_id.into())),
        ],
        tables: Vec::new(),
    };
    let batches = db.sql_batches(query)?;
    for batch in batches {
        let rows: Vec<Vec<Value>> = tracehouse::batch_rows(&batch?)?;
        if let Some(row) = rows.into_iter().next() {
            return Ok(row);
        }
    }
    Err(ApiError::not_found(format!(
        "trace {} has no span {}: get_trace gives the ids that are there",
        quoted(trace_id),
        quoted(span_id)
    )))
}

/// # Errors
/// 404 when the trace has no such span.
pub(super) fn check(db: &Database, call: &Call, trace_id: &str) -> Result<(), ApiError> {
    cells(db, call, trace_id, &["span_id"]).map(|_| ())
}

/// A value as text: JSON text of what is no text. `None` for what is absent.
fn written(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::String(text) => Some(text),
        value => Some(value.to_string()),
    }
}

/// One attribute of an object's JSON text.
///
/// # Errors
/// 404 when there is none of that name.
fn one_of(object: Value, field: &str, key: &str) -> Result<Value, ApiError> {
    let mut members = object_of(&object);
    members.remove(key).ok_or_else(|| {
        ApiError::not_found(format!(
            "{field} of the span have no key {}: get_span without field gives the keys that are there",
            quoted(key)
        ))
    })
}

fn object_of(text: &Value) -> Fields {
    let text = text.as_str().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// As much of a text, from the offset on, as was asked for and fits.
fn piece(mut fields: Fields, call: &Call, text: &str) -> Result<Fields, ApiError> {
    /// The longest word on the rest, with numbers.
    const REST_BYTES: usize = 200;
    let offset = call.arguments.count("offset");
    let rest = text
        .get(offset..)
        .ok_or_else(|| wrong_offset(text, offset))?;
    let length = rest.floor_char_boundary(call.arguments.count("length"));
    let base = json_text::bytes(&fields).saturating_add(REST_BYTES);
    let wanted = rest.get(..length).unwrap_or_default();
    let mut bytes = json_text::fitting(wanted, call.budget.0.saturating_sub(base));
    if bytes == 0 {
        // At least one character: whoever goes on gets on.
        bytes = rest.chars().next().map_or(0, char::len_utf8);
    }
    let next = offset + bytes;
    fields.insert("offset".into(), offset.into());
    fields.insert("bytes".into(), bytes.into());
    fields.insert("total_bytes".into(), text.len().into());
    if next < text.len() {
        fields.insert("next_offset".into(), next.into());
        let word = format!("the text goes on: ask again with offset = {next}");
        fields.insert("cut".into(), word.into());
    }
    fields.insert("text".into(), rest.get(..bytes).unwrap_or_default().into());
    let needed = json_text::bytes(&fields);
    match needed <= call.budget.0 {
        true => Ok(fields),
        false => Err(too_small(call.budget, needed)),
    }
}

fn wrong_offset(text: &str, offset: usize) -> ApiError {
    ApiError::bad_request(match offset > text.len() {
        true => format!(
            "offset {offset} is behind the end: the text has {} bytes",
            text.len()
        ),
        false => format!(
            "offset {offset} is inside a character: {} is its beginning",
            text.floor_char_boundary(offset)
        ),
    })
}

/// All small columns, and the sizes of the large ones.
fn overview(db: &Database, call: &Call, trace_id: &str) -> Result<Fields, ApiError> {
    let columns: Vec<&str> = SMALL.into_iter().chain(LARGE).collect();
    let mut cells = cells(db, call, trace_id, &columns)?;
    let large: Vec<Value> = cells.split_off(SMALL.len().min(cells.len()));
    let attributes = LARGE
        .iter()
        .zip(&large)
        .find(|(name, _)| **name == "attributes")
        .map(|(_, value)| object_of(value))
        .unwrap_or_default();
    let large: Vec<(&str, String)> = LARGE
        .into_iter()
        .zip(large)
        .filter_map(|(name, value)| Some((name, written(value)?)))
        .collect();
    let fitted = fit(call.budget, |bytes| {
        let mut fields = untrusted(Fields::new());
        for (name, value) in SMALL
            .iter()
            .zip(&cells)
            .filter(|(_, value)| !value.is_null())
        {
            fields.insert((*name).into(), json_text::cell(value.clone(), bytes));
        }
        for (name, text) in &large {
            let end = text.floor_char_boundary(bytes);
            let beginning = text.get(..end).unwrap_or_default();
            let shown = json!({"bytes": text.len(), "preview": beginning});
            fields.insert((*name).into(), shown);
        }
        keys(&mut fields, &attributes, bytes);
        Draft::of(fields)
    })?;
    Ok(fitted.fields)
}

/// The names of attributes with the bytes of their values, fewer of them when texts are short.
fn keys(fields: &mut Fields, attributes: &Fields, bytes: usize) {
    let count_max = KEYS_MAX.min(bytes);
    let shown: Fields = attributes
        .iter()
        .filter(|(key, _)| key.len() <= KEY_BYTES_MAX)
        .take(count_max)
        .map(|(key, value)| {
            let bytes = value
                .as_str()
                .map_or_else(|| value.to_string().len(), str::len);
            (key.clone(), bytes.into())
        })
        .collect();
    left_out(fields, "attribute_bytes", attributes.len() - shown.len());
    fields.insert("attribute_bytes".into(), shown.into());
}
