//! Which traces were made with which prompt versions: by links that were set, and by the tag `mlflow.linkedPrompts`.

use std::collections::BTreeSet;

use serde_json::Value;
use tracehouse_storage::Snapshot;
use tracehouse_storage::columns::{map_at, text, text_at};
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;

use crate::error::{Error, Result};

/// The tag in which MLflow's clients say the prompts of a trace: `[{"name": "..", "version": ".."}]`.
const TAG: &str = "mlflow.linkedPrompts";

/// A trace that was made with a prompt version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub trace_id: String,
    pub name: String,
    pub version: String,
}

/// All links, sorted.
pub(super) fn links(snapshot: &Snapshot) -> Result<Vec<Link>> {
    let mut found = BTreeSet::new();
    for source in 0..snapshot.source_count() {
        let request = ScanRequest::columns(["trace_id", "_edit", "tags"]);
        for batch in snapshot.scan(source, Table::Traces, &request)? {
            let batch = batch?;
            let (ids, edits) = (text(&batch, "trace_id")?, text(&batch, "_edit")?);
            for row in 0..batch.num_rows() {
                let tags = map_at(&batch, "tags", row)?;
                let tagged = tags.get(TAG).map(|tag| tagged(tag)).unwrap_or_default();
                let linked = text_at(edits, row).map(linked).transpose()?;
                for (name, version) in linked.unwrap_or_default().into_iter().chain(tagged) {
                    found.insert(Link {
                        trace_id: ids.value(row).to_string(),
                        name,
                        version,
                    });
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// The links that were set.
fn linked(edit: &str) -> Result<Vec<(String, String)>> {
    let edit: Value = serde_json::from_str(edit)
        .map_err(|error| Error::internal(format!("an edit of a trace: {error}")))?;
    let linked = edit.get("linked_prompts").and_then(Value::as_array);
    let texts = linked.into_iter().flatten().filter_map(Value::as_str);
    let pairs = texts.filter_map(|text| text.rsplit_once('/'));
    Ok(pairs
        .map(|(name, version)| (name.to_string(), version.to_string()))
        .collect())
}

/// The links that a tag says; a tag of another form says none.
fn tagged(tag: &str) -> Vec<(String, String)> {
    let Ok(Value::Array(items)) = serde_json::from_str(tag) else {
        return Vec::new();
    };
    let pairs = items.iter().filter_map(|item| {
        let version = match item.get("version")? {
            Value::String(version) => version.clone(),
            Value::Number(version) => version.to_string(),
            _ => return None,
        };
        Some((item.get("name")?.as_str()?.to_string(), version))
    });
    pairs.collect()
}
