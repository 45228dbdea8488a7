//! What makes records alike: the words of their inputs, and whose they are.

use std::collections::HashMap;

use serde_json::Value;
use tracehouse_eval::near::NearFinder;
use tracehouse_storage::Snapshot;
use tracehouse_storage::columns::{text, text_at};
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;

use super::record::Record;
use crate::error::Result;

/// The words of a record's inputs: its texts and numbers, without the names of their members, which all records share.
fn words(inputs: &str) -> String {
    let mut out = String::new();
    match serde_json::from_str::<Value>(inputs) {
        Ok(value) => add(&value, &mut out),
        Err(_) => out.push_str(inputs),
    }
    out
}

fn add(value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(value) => push(&value.to_string(), out),
        Value::Number(number) => push(&number.to_string(), out),
        Value::String(text) => push(text, out),
        Value::Array(items) => items.iter().for_each(|item| add(item, out)),
        Value::Object(members) => members.values().for_each(|value| add(value, out)),
    }
}

fn push(text: &str, out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(text);
}

/// A finder over the words of records, in their order.
///
/// # Errors
/// `InvalidInput` for a likeness that is none.
pub(super) fn finder(records: &[Record], near: f64) -> Result<NearFinder> {
    let texts: Vec<String> = records.iter().map(|record| words(&record.inputs)).collect();
    let mut finder = NearFinder::new(near)?;
    finder.add_all(&texts)?;
    Ok(finder)
}

/// Whose a record is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Owner {
    pub session_id: Option<String>,
    pub user_id: Option<String>,
}

/// The sessions and users of records: those of the traces that they were made of, else what their sources say.
pub(super) fn owners(snapshot: &Snapshot, records: &[Record]) -> Result<Vec<Owner>> {
    let mut ids: Vec<&String> = records
        .iter()
        .filter_map(|record| record.source.trace_id.as_ref())
        .collect();
    ids.sort();
    ids.dedup();
    let keys: Vec<TraceKey> = ids.iter().map(|id| TraceKey::of(id)).collect();
    let places = snapshot.find_traces(&keys)?;
    let there: Vec<_> = ids
        .iter()
        .zip(places)
        .filter_map(|(id, place)| Some((*id, place?)))
        .collect();
    let rows: Vec<_> = there.iter().map(|(_, row)| *row).collect();
    let batch = snapshot.read_rows(Table::Traces, &rows, &["session_id", "user_id"])?;
    let (sessions, users) = (text(&batch, "session_id")?, text(&batch, "user_id")?);
    let owned = |column, row| text_at(column, row).map(str::to_string);
    let of_traces = there.iter().enumerate().map(|(row, (id, _))| {
        let owner = Owner {
            session_id: owned(sessions, row),
            user_id: owned(users, row),
        };
        (*id, owner)
    });
    let of_traces: HashMap<&String, Owner> = of_traces.collect();
    let owners = records.iter().map(|record| {
        let of_trace = (record.source.trace_id.as_ref()).and_then(|id| of_traces.get(id));
        of_trace.cloned().unwrap_or_else(|| said_owner(record))
    });
    Ok(owners.collect())
}

/// What the source of a record says.
fn said_owner(record: &Record) -> Owner {
    let data = record.source.data.as_deref();
    let data = data.and_then(|data| serde_json::from_str::<Value>(data).ok());
    let word = |key: &str| Some(data.as_ref()?.get(key)?.as_str()?.to_string());
    Owner {
        session_id: word("session_id"),
        user_id: word("user_id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_values_and_no_names() {
        let inputs = r#"{"messages":[{"role":"user","content":"how much?"}],"n":2,"x":null}"#;
        assert_eq!(words(inputs), "how much?\nuser\n2");
        assert_eq!(words("\"plain\""), "plain");
    }
}
