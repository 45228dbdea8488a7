//! Taking erased traces out of datasets. The one change that versions are not immutable under (DS-1): a
//! version keeps its number and loses what came from the traces.
//!
//! A record made from a trace names it, and goes. A record of another source with the same inputs may have
//! taken over outputs, expectations or tags of the trace: those that are equal to the trace's go.

use std::collections::{BTreeMap, HashMap, HashSet};

use tracehouse_query::search::Search;

use super::build::records_of_traces;
use super::info::{DatasetInfo, versions};
use super::json::{members, object};
use super::record::{Candidate, Record, records_batch, records_of};
use super::schema::RecordTypes;
use crate::database::Database;
use crate::error::Result;
use crate::filters::quoted;

/// Traces looked up by one search.
const IDS_A_SEARCH: usize = 500;

impl Database {
    /// Takes what came from these traces out of all versions of all datasets, in one commit. Returns how
    /// many versions were written again and how many records they lost.
    pub(crate) fn erase_from_datasets(&self, trace_ids: &[String]) -> Result<(u64, u64)> {
        let _changes = self.catalog().lock_changes();
        let snapshot = self.snapshot()?;
        let all = versions(&snapshot)?;
        if all.is_empty() {
            return Ok((0, 0));
        }
        let erased = Erasing::of(self, trace_ids)?;
        let mut changed: BTreeMap<String, (DatasetInfo, Vec<Record>)> = BTreeMap::new();
        let (mut touched, mut lost) = (HashSet::new(), 0);
        for version in &all {
            let before = records_of(&self.catalog().read(self.store(), version)?)?;
            let count = before.len();
            let (records, is_changed) = erased.apply(before);
            if is_changed {
                lost += (count - records.len()) as u64;
                touched.insert(version.info.dataset_id.clone());
                changed.insert(version.file.name.clone(), (version.info.clone(), records));
            }
        }
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for version in all.into_iter().filter(|version| touched.contains(&version.info.dataset_id)) {
            let name = version.file.name.clone();
            let (info, records, is_changed) = match changed.remove(&name) {
                Some((info, records)) => (info, records, true),
                None => {
                    let records = records_of(&self.catalog().read(self.store(), &version)?)?;
                    (version.info.clone(), records, false)
                }
            };
            // The names of fields may be the trace's as well, so they are told by what is left.
            let mut types = RecordTypes::default();
            records.iter().for_each(|record| types.add(record));
            let info = DatasetInfo { schema: types.text(), record_count: records.len() as u64, ..info };
            let file = match is_changed {
                true => self.store().write_catalog_file(&records_batch(&records)?, info.to_json()?)?,
                false => {
                    tracehouse_storage::manifest::CatalogFile { meta_json: info.to_json()?, ..version.file }
                }
            };
            add.push(file);
            remove.push(name);
        }
        let rewritten = add.len() as u64;
        if rewritten > 0 {
            self.store().commit_catalog(add, remove)?;
        }
        Ok((rewritten, lost))
    }
}

/// What is taken out of records.
struct Erasing {
    ids: HashSet<String>,
    /// What records the traces make, by the hash of their inputs.
    made: HashMap<u128, Vec<Candidate>>,
}

impl Erasing {
    fn of(database: &Database, trace_ids: &[String]) -> Result<Self> {
        // A callback that this process lacks stops writes, but must not stop an erase.
        let (snapshot, redactor) = (database.snapshot()?, database.redactor().ok());
        let mut made: HashMap<u128, Vec<Candidate>> = HashMap::new();
        for ids in trace_ids.chunks(IDS_A_SEARCH) {
            let list: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
            let search = Search::new(format!("trace_id IN ({})", list.join(", ")));
            for candidate in records_of_traces(&snapshot, &search, None)?.records {
                // A copy made while more was redacted than when the trace came is told by what it became.
                let mut redacted = candidate.clone();
                if let Some(mut pass) = redactor.as_ref().and_then(|redactor| redactor.pass()) {
                    pass.candidate(&mut redacted);
                }
                if redacted != candidate {
                    made.entry(redacted.hash).or_default().push(redacted);
                }
                made.entry(candidate.hash).or_default().push(candidate);
            }
        }
        Ok(Self { ids: trace_ids.iter().cloned().collect(), made })
    }

    /// The records without what came from the traces, and whether anything did.
    fn apply(&self, records: Vec<Record>) -> (Vec<Record>, bool) {
        let mut left = Vec::with_capacity(records.len());
        let mut is_changed = false;
        for mut record in records {
            if record.source.trace_id.as_ref().is_some_and(|id| self.ids.contains(id)) {
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
    if candidate.outputs.as_ref().is_some_and(|outputs| outputs.is_some() && *outputs == record.outputs) {
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
    let (Some(own), Some(theirs)) = (members(own), members(theirs)) else { return own.to_string() };
    let same = |key: &String, value: &str| theirs.get(key).is_some_and(|other| other.get() == value);
    object(own.iter().map(|(key, value)| (key, value.get())).filter(|(key, value)| !same(key, value)))
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
        assert_eq!((record.outputs.as_deref(), record.expectations.as_deref()), (None, Some(r#"{"b":2}"#)));
        assert!(!take_out(&mut record, &Candidate::default()));
    }
}
