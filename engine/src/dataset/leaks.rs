//! What two datasets share, and what one has twice.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tracehouse_eval::near::NearFinder;

use super::handle::Dataset;
use super::info::DatasetInfo;
use super::likeness::{Owner, owners, words};
use super::record::{Record, records_of};
use crate::error::Result;

/// Two records that are alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alike {
    /// The one; of a deduplication the one that went.
    pub record_id: String,
    /// The other; of a deduplication the one that stayed.
    pub other_id: String,
    /// Jaccard of the word triples of their inputs; 1 for equal ones.
    pub similarity: f64,
}

/// What two datasets share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeakReport {
    /// Records of the first with the most similar one of the other, where that is near.
    pub records: Vec<Alike>,
    /// Traces that records of both were made of.
    pub traces: Vec<String>,
    /// Sessions that both have records of.
    pub sessions: Vec<String>,
    /// Users that both have records of.
    pub users: Vec<String>,
    /// Records of the first whose likeness was not looked for to the end, since too many are alike.
    pub cut: u64,
}

impl LeakReport {
    /// Whether they share nothing.
    pub fn is_clean(&self) -> bool {
        let lists = [&self.traces, &self.sessions, &self.users];
        self.records.is_empty() && lists.iter().all(|list| list.is_empty())
    }
}

/// What a deduplication did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DedupeReport {
    /// The version without them; the one before when there were none.
    pub version: u32,
    /// Records that stayed.
    pub record_count: u64,
    /// Records that went, each with the one that it was like.
    pub dropped: Vec<Alike>,
    /// Records whose likeness was not looked for to the end, since too many are alike.
    pub cut: u64,
}

impl Dataset {
    /// What the newest versions of two datasets share: records with inputs as like as `near` (0 to 1), traces,
    /// sessions, users.
    ///
    /// # Errors
    /// `InvalidInput` for a likeness that is none.
    pub fn leaks(&self, other: &Dataset, near: f64) -> Result<LeakReport> {
        let (own, others) = (self.newest_records()?, other.newest_records()?);
        let mut finders = Vec::new();
        for records in [&own, &others] {
            let texts: Vec<String> = records.iter().map(|record| words(&record.inputs)).collect();
            let mut finder = NearFinder::new(near)?;
            finder.add_all(&texts)?;
            finders.push(finder);
        }
        let mut report = LeakReport::default();
        if let [a, b] = finders.as_mut_slice() {
            let against = a.against(b)?;
            report.cut = against.cut.len() as u64;
            for found in against.matches {
                report.records.extend(alike(
                    own.get(found.text),
                    others.get(found.other),
                    found.similarity,
                ));
            }
        }
        let snapshot = self.database.reading()?;
        let (of_own, of_others) = (owners(&snapshot, &own)?, owners(&snapshot, &others)?);
        let trace = |record: &Record| record.source.trace_id.clone();
        report.traces = shared(own.iter().map(trace), others.iter().map(trace));
        let session = |owner: &Owner| owner.session_id.clone();
        report.sessions = shared(of_own.iter().map(session), of_others.iter().map(session));
        let user = |owner: &Owner| owner.user_id.clone();
        report.users = shared(of_own.iter().map(user), of_others.iter().map(user));
        Ok(report)
    }

    /// Makes a version without near-duplicates: of records with inputs as like as `near` (0 to 1) the oldest stays.
    ///
    /// # Errors
    /// `InvalidInput` for a likeness that is none, `Io` or `Closed` from writing.
    pub fn dedupe(&self, near: f64) -> Result<DedupeReport> {
        let _changes = self.database.catalog().lock_changes();
        let before = self.version(None)?;
        let records = records_of(&self.read(&before)?)?;
        let texts: Vec<String> = records.iter().map(|record| words(&record.inputs)).collect();
        let order: Vec<(i64, &str)> = records
            .iter()
            .map(|record| (record.created_at_ns, record.id.as_str()))
            .collect();
        let mut finder = NearFinder::new(near)?;
        finder.add_all(&texts)?;
        let found = finder.dedupe(&order)?;
        let dropped = found.dropped.iter().filter_map(|one| {
            alike(
                records.get(one.record),
                records.get(one.kept),
                one.similarity,
            )
        });
        let mut report = DedupeReport {
            version: before.info.version,
            dropped: dropped.collect(),
            cut: found.cut.len() as u64,
            ..DedupeReport::default()
        };
        let gone: HashSet<&str> = (report.dropped.iter())
            .map(|one| one.record_id.as_str())
            .collect();
        let left = records.iter().filter(|one| !gone.contains(one.id.as_str()));
        let left: Vec<Record> = left.cloned().collect();
        report.record_count = left.len() as u64;
        if !report.dropped.is_empty() {
            let change = DatasetInfo {
                query: None,
                snapshot_sequence: self.database.snapshot()?.sequence(),
                ..before.info.clone()
            };
            let now_ns = self.database.store().env().now_ns();
            report.version = self.commit(&before, change, &left, now_ns)?;
        }
        Ok(report)
    }

    pub(super) fn newest_records(&self) -> Result<Vec<Record>> {
        records_of(&self.read(&self.version(None)?)?)
    }
}

fn alike(record: Option<&Record>, other: Option<&Record>, similarity: f64) -> Option<Alike> {
    Some(Alike {
        record_id: record?.id.clone(),
        other_id: other?.id.clone(),
        similarity,
    })
}

/// What both have, sorted.
fn shared(
    a: impl Iterator<Item = Option<String>>,
    b: impl Iterator<Item = Option<String>>,
) -> Vec<String> {
    let a: BTreeSet<String> = a.flatten().collect();
    let b: HashMap<String, ()> = b.flatten().map(|id| (id, ())).collect();
    a.into_iter().filter(|id| b.contains_key(id)).collect()
}
