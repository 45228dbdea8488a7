//! Taking erased traces out of datasets. The one change that versions are not immutable under (DS-1): a
//! version keeps its number and loses what came from the traces.
//!
//! A record made from a trace, or from a span of it, names it, and goes. A record of another source with the same inputs may have
//! taken over outputs, expectations or tags of the trace: those that are equal to the trace's go. What the
//! versions are said to be loses what identifies the traces (`erase_texts`).

use std::collections::{BTreeMap, HashMap, HashSet};

use tracehouse_storage::manifest::CatalogFile;

use super::build::each_record_of;
use super::erase_texts::ErasedTexts;
use super::info::{DatasetInfo, Version, versions};
use super::json::{members, object};
use super::record::{Candidate, Record, records_batch, records_of};
use super::schema::RecordTypes;
use crate::database::Database;
use crate::error::Result;

/// What an erase took out of datasets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DatasetsErased {
    /// Versions written again.
    pub versions: u64,
    /// Records that they lost.
    pub records: u64,
    /// Versions whose description lost something.
    pub texts: u64,
}

impl Database {
    /// Takes what came from these traces out of all versions of all datasets, in one commit.
    pub(crate) fn erase_from_datasets(&self, trace_ids: &[String]) -> Result<DatasetsErased> {
        let _changes = self.catalog().lock_changes();
        let snapshot = self.snapshot()?;
        let all = versions(&snapshot)?;
        let mut done = DatasetsErased::default();
        if all.is_empty() {
            return Ok(done);
        }
        let mut hashes = HashSet::new();
        for version in &all {
            let records = records_of(&self.catalog().read(self.store(), version)?)?;
            hashes.extend(records.into_iter().map(|record| record.hash));
        }
        let erased = Erasing::of(self, trace_ids, &hashes)?;
        let mut changed: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        let mut touched = HashSet::new();
        for version in &all {
            let before = records_of(&self.catalog().read(self.store(), version)?)?;
            let count = before.len();
            let (records, is_changed) = erased.apply(before);
            if is_changed {
                done.records += (count - records.len()) as u64;
                touched.insert(version.info.dataset_id.clone());
                changed.insert(version.file.name.clone(), records);
            }
        }
        let texts = ErasedTexts::of(
            self.store(),
            trace_ids,
            all.iter().map(|version| &version.info),
        )?;
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for version in all {
            let (mut info, name) = (version.info.clone(), version.file.name.clone());
            let loses_text = texts.take_out(&mut info);
            done.texts += u64::from(loses_text);
            let is_touched = touched.contains(&info.dataset_id);
            if !is_touched && !loses_text {
                continue;
            }
            done.versions += u64::from(is_touched);
            let records = changed.remove(&name);
            add.push(self.described(version, info, records, is_touched)?);
            remove.push(name);
        }
        if !add.is_empty() {
            self.store().commit_catalog(add, remove)?;
        }
        Ok(done)
    }

    /// The file of a version with other records, if there are any, and another description.
    fn described(
        &self,
        version: Version,
        mut info: DatasetInfo,
        changed: Option<Vec<Record>>,
        is_touched: bool,
    ) -> Result<CatalogFile> {
        if is_touched {
            // The names of fields may be the trace's as well, so they are told by what is left.
            let read = match changed {
                None => Some(records_of(&self.catalog().read(self.store(), &version)?)?),
                Some(_) => None,
            };
            let records = read
                .as_ref()
                .or(changed.as_ref())
                .map(Vec::as_slice)
                .unwrap_or_default();
            let mut types = RecordTypes::default();
            records.iter().for_each(|record| types.add(record));
            info.schema = types.text();
            info.record_count = records.len() as u64;
        }
        match changed {
            Some(records) => Ok(self
                .store()
                .write_catalog_file(&records_batch(&records)?, info.to_json()?)?),
            None => Ok(CatalogFile {
                meta_json: info.to_json()?,
                ..version.file
            }),
        }
    }
}

/// What is taken out of records.
struct Erasing {
    ids: HashSet<String>,
    /// What records the traces and their spans make, by the hash of their inputs.
    made: HashMap<u128, Vec<Candidate>>,
}

impl Erasing {
    /// Of these traces, for records whose inputs have one of the hashes.
    fn of(database: &Database, trace_ids: &[String], hashes: &HashSet<u128>) -> Result<Self> {
        // A callback that this process lacks stops writes, but must not stop an erase.
        let (snapshot, redactor) = (database.snapshot()?, database.redactor().ok());
        let mut made: HashMap<u128, Vec<Candidate>> = HashMap::new();
        let mut note = |candidate: Candidate| {
            if hashes.contains(&candidate.hash) {
                made.entry(candidate.hash).or_default().push(candidate);
            }
        };
        each_record_of(&snapshot, trace_ids, &mut |candidate| {
            // A copy made while more was redacted than when the trace came is told by what it became.
            if let Some(mut pass) = redactor.as_ref().and_then(|redactor| redactor.pass()) {
                let mut redacted = candidate.clone();
                pass.candidate(&mut redacted);
                if redacted != candidate {
                    note(redacted);
                }
            }
            note(candidate);
        })?;
        Ok(Self {
            ids: trace_ids.iter().cloned().collect(),
            made,
        })
    }

    /// The records without what came from the traces, and whether anything did.
    fn apply(&self, records: Vec<Record>) -> (Vec<Record>, bool) {
        let mut left = Vec::with_capacity(records.len());
        let mut is_changed = false;
        for mut record in records {
            if record
                .source
                .trace_id
                .as_ref()
                .is_some_and(|id| self.ids.contains(id))
            {
                is_changed = true;
                continue;
            }
            for candidate in self.made.get(&record.hash).into_iter().flatten() {
                is_changed |= take_out(&mut record, candidate);
            }
            left.push(record);
        }
        (left, is_changed)
    }
}

/// Takes out of a record what equals a candidate's.
fn take_out(record: &mut Record, candidate: &Candidate) -> bool {
    let before = record.clone();
    if candidate
        .outputs
        .as_ref()
        .is_some_and(|outputs| outputs.is_some() && *outputs == record.outputs)
    {
        record.outputs = None;
    }
    if let (Some(own), Some(theirs)) = (&record.expectations, &candidate.expectations) {
        record.expectations = Some(without(own, theirs)).filter(|left| left != "{}");
    }
    if let Some(theirs) = &candidate.tags {
        record.tags = without(&record.tags, theirs);
    }
    *record != before
}

/// The members of a JSON object that are not the same in another.
fn without(own: &str, theirs: &str) -> String {
    let (Some(own), Some(theirs)) = (members(own), members(theirs)) else {
        return own.to_string();
    };
    let same =
        |key: &String, value: &str| theirs.get(key).is_some_and(|other| other.get() == value);
    object(
        own.iter()
            .map(|(key, value)| (key, value.get()))
            .filter(|(key, value)| !same(key, value)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_equals_the_traces_is_taken_out() {
        let mut record = Record {
            outputs: Some("\"o\"".into()),
            expectations: Some(r#"{"a":1,"b":2}"#.into()),
            tags: r#"{"k":"v"}"#.into(),
            ..Record::default()
        };
        let candidate = Candidate {
            outputs: Some(Some("\"o\"".into())),
            expectations: Some(r#"{"a":1,"b":3}"#.into()),
            ..Candidate::default()
        };
        assert!(take_out(&mut record, &candidate));
        assert_eq!(
            (record.outputs.as_deref(), record.expectations.as_deref()),
            (None, Some(r#"{"b":2}"#))
        );
        assert!(!take_out(&mut record, &Candidate::default()));
    }
}
