//! What two datasets share, and what one has twice.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::handle::Dataset;
use super::likeness::{Owner, finder, owners};
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
        let against = finder(&own, near)?.against(&mut finder(&others, near)?)?;
        let mut report = LeakReport {
            cut: against.cut.len() as u64,
            ..LeakReport::default()
        };
        for found in against.matches {
            report.records.extend(alike(
                own.get(found.text),
                others.get(found.other),
                found.similarity,
            ));
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
        let order: Vec<(i64, &str)> = records
            .iter()
            .map(|record| (record.created_at_ns, record.id.as_str()))
            .collect();
        let found = finder(&records, near)?.dedupe(&order)?;
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
            report.version = self.commit_edited(&before, &left)?;
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
    let b: BTreeSet<String> = b.flatten().collect();
    a.intersection(&b).cloned().collect()
}
