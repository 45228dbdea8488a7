//! Changing single records, and finding those that hold a trace.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tracehouse_storage::model::normalize_trace_id;

use super::build::each_record_of;
use super::handle::Dataset;
use super::info::newest;
use super::json::{compact, updated};
use super::record::{Candidate, Record, records_of};
use crate::database::Database;
use crate::error::{Error, Result};

/// What to change of a record; what is `None` stays. Inputs tell a record from others and cannot change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordEdit {
    /// Other outputs, JSON text; `null` clears them.
    pub outputs: Option<String>,
    /// A JSON object whose members are laid over the expectations; those that are null go.
    pub expectations: Option<String>,
    /// A JSON object whose members are laid over the tags; those that are null go.
    pub tags: Option<String>,
}

impl RecordEdit {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the outputs; JSON text.
    pub fn outputs(mut self, json: impl Into<String>) -> Self {
        self.outputs = Some(json.into());
        self
    }

    /// Lays members over the expectations; a JSON object.
    pub fn expectations(mut self, json: impl Into<String>) -> Self {
        self.expectations = Some(json.into());
        self
    }

    /// Lays members over the tags; a JSON object.
    pub fn tags(mut self, json: impl Into<String>) -> Self {
        self.tags = Some(json.into());
        self
    }
}

/// A record that holds a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holding {
    /// The dataset.
    pub dataset: String,
    /// Its newest version, in which the record is.
    pub version: u32,
    /// The record.
    pub dataset_record_id: String,
    /// The span it was made of.
    pub span_id: Option<String>,
    /// Whether the trace still says what the record has: inputs and outputs; `None` when the trace is gone.
    pub is_same: Option<bool>,
}

impl Dataset {
    /// Changes records by id, in one new version; gives its number.
    ///
    /// # Errors
    /// `NotFound` for an id that the newest version has not, `InvalidInput` for texts that are not JSON.
    pub fn edit_records<S: AsRef<str>>(&self, record_ids: &[S], edit: &RecordEdit) -> Result<u32> {
        let checked = self.checked(edit)?;
        let _changes = self.database.catalog().lock_changes();
        let before = self.version(None)?;
        let mut records = records_of(&self.read(&before)?)?;
        let now_ns = self.database.store().env().now_ns();
        let mut by_id: HashMap<String, &mut Record> = records
            .iter_mut()
            .map(|record| (record.id.clone(), record))
            .collect();
        for id in record_ids {
            let id = id.as_ref();
            let record = by_id.get_mut(id).ok_or_else(|| {
                Error::not_found(format!("dataset {:?} has no record {id:?}", self.name))
            })?;
            if let Some(outputs) = &checked.outputs {
                record.outputs = Some(outputs.clone()).filter(|json| json != "null");
            }
            if let Some(members) = &checked.expectations {
                let left = laid_over(record.expectations.as_deref(), members)?;
                record.expectations = Some(left).filter(|json| json != "{}");
            }
            if let Some(members) = &checked.tags {
                record.tags = laid_over(Some(&record.tags), members)?;
            }
            record.updated_at_ns = now_ns;
        }
        self.commit_edited(&before, &records)
    }

    /// The edit as compact JSON, without what must not be stored.
    fn checked(&self, edit: &RecordEdit) -> Result<RecordEdit> {
        let json = |field: &str, text: &Option<String>| -> Result<Option<String>> {
            let Some(text) = text else { return Ok(None) };
            let wrong = || Error::invalid_input(format!("{field} are not JSON"));
            compact(text).map(Some).ok_or_else(wrong)
        };
        let mut candidate = Candidate {
            inputs: "0".into(),
            outputs: json("outputs", &edit.outputs)?.map(Some),
            expectations: json("expectations", &edit.expectations)?,
            tags: json("tags", &edit.tags)?,
            ..Candidate::default()
        };
        if let Some(mut pass) = self.database.redactor()?.pass() {
            pass.candidate(&mut candidate);
            pass.finish();
        }
        Ok(RecordEdit {
            outputs: candidate.outputs.flatten(),
            expectations: candidate.expectations,
            tags: candidate.tags,
        })
    }
}

/// Members laid over an object, without those that are null then.
fn laid_over(object: Option<&str>, members: &str) -> Result<String> {
    let wrong = |error| Error::invalid_input(format!("{members} is no JSON object: {error}"));
    let given: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(members).map_err(wrong)?;
    let all = updated(object.unwrap_or("{}"), members);
    let mut left: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&all).map_err(wrong)?;
    for (key, _) in given.iter().filter(|(_, value)| value.is_null()) {
        left.remove(key);
    }
    Ok(serde_json::Value::Object(left).to_string())
}

impl Database {
    /// The records of the newest versions of all datasets that were made of a trace or of its spans.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from a dataset's file.
    pub fn datasets_holding(&self, trace_id: &str) -> Result<Vec<Holding>> {
        let id = normalize_trace_id(trace_id);
        let snapshot = self.reading()?;
        let mut made: Vec<Candidate> = Vec::new();
        each_record_of(&snapshot, std::slice::from_ref(&id), &mut |candidate| {
            made.push(candidate);
        })?;
        let mut found = Vec::new();
        for version in newest(&snapshot)? {
            for record in records_of(&self.catalog().read(self.store(), &version)?)? {
                if record.source.trace_id.as_deref() != Some(&id) {
                    continue;
                }
                let of_span = |candidate: &&Candidate| {
                    let source = candidate.source.as_ref();
                    source.is_some_and(|source| source.span_id == record.source.span_id)
                };
                let now = made.iter().find(of_span);
                found.push(Holding {
                    dataset: version.info.name.clone(),
                    version: version.info.version,
                    dataset_record_id: record.id.clone(),
                    span_id: record.source.span_id.clone(),
                    is_same: now.map(|now| {
                        now.hash == record.hash && now.outputs.clone().flatten() == record.outputs
                    }),
                });
            }
        }
        Ok(found)
    }
}
