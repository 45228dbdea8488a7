//! Merging records into a dataset: one record for equal inputs, MLflow's rules for the rest.
//!
//! 1. Inputs that are new make a record.
//! 2. Inputs that are there update theirs: outputs are replaced when given, expectations and tags are
//!    laid over member by member; the time of creation stays.
//! 3. The source stays, unless it is a trace whose outputs were replaced: source and outputs are of one trace.
//!    [`SourceRule::First`] is MLflow's rule, by which it stays always.

use std::collections::HashMap;

use serde::Serialize;
use tracehouse_storage::env::Env;

use super::json::{is_same, updated};
use super::members::MemberUse;
use super::record::{Candidate, Record};
use crate::ingest::Rejected;

/// Which source a record has after a merge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceRule {
    /// That of its outputs, where its first one was a trace; else the first one.
    #[default]
    OfOutputs,
    /// The first one, whoever replaces its outputs; MLflow's rule.
    First,
}

/// What a change of a dataset did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MergeReport {
    /// Records that were not there before.
    pub inserted: u64,
    /// Records that are different now.
    pub updated: u64,
    /// Given records that changed nothing, and traces or spans with the inputs of an earlier one of the same
    /// search.
    pub unchanged: u64,
    /// Traces or spans that make no record: they have no inputs, or the trace's root span has not arrived.
    pub skipped: u64,
    /// Given records that were not kept.
    pub rejected_count: u64,
    /// These, the first 1,000 of them.
    pub rejected: Vec<Rejected>,
    /// Members of given records that are not a record's own, and what became of them.
    pub members: Vec<MemberUse>,
    /// Quotas of a sample that there were too few records for: the value, how many there were, and the quota.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmet_quotas: Vec<(Option<String>, u64, u64)>,
    /// Values that redaction replaced, in whole or in part.
    pub redacted: u64,
    /// The newest version after it; the same as before when nothing changed.
    pub version: u32,
    /// Records of that version.
    pub record_count: u64,
}

impl MergeReport {
    /// Whether a version was made.
    pub fn is_change(&self) -> bool {
        self.inserted + self.updated > 0
    }
}

/// The records of one version while they are changed.
#[derive(Debug, Default)]
pub(crate) struct RecordSet {
    pub records: Vec<Record>,
    source_rule: SourceRule,
    by_hash: HashMap<u128, usize>,
}

impl RecordSet {
    pub fn new(records: Vec<Record>, source_rule: SourceRule) -> Self {
        let by_hash = records
            .iter()
            .enumerate()
            .map(|(at, record)| (record.hash, at))
            .collect();
        Self {
            records,
            source_rule,
            by_hash,
        }
    }

    /// Merges one record; returns the record when it changed.
    pub fn merge(
        &mut self,
        candidate: Candidate,
        env: &dyn Env,
        now_ns: i64,
        report: &mut MergeReport,
    ) -> Option<&Record> {
        let at = match self.by_hash.get(&candidate.hash) {
            Some(at) => *at,
            None => {
                self.by_hash.insert(candidate.hash, self.records.len());
                self.records.push(new_record(candidate, env, now_ns));
                report.inserted += 1;
                return self.records.last();
            }
        };
        let record = self.records.get_mut(at)?;
        if !update(record, candidate, self.source_rule) {
            report.unchanged += 1;
            return None;
        }
        record.updated_at_ns = now_ns;
        report.updated += 1;
        Some(record)
    }
}

fn new_record(candidate: Candidate, env: &dyn Env, now_ns: i64) -> Record {
    Record {
        id: format!("dr-{:032x}", env.new_ulid()),
        inputs: candidate.inputs,
        outputs: candidate.outputs.flatten(),
        expectations: candidate.expectations,
        tags: candidate.tags.unwrap_or_else(|| "{}".into()),
        source: candidate.source.unwrap_or_default(),
        hash: candidate.hash,
        created_at_ns: now_ns,
        updated_at_ns: now_ns,
    }
}

/// Whether the record is different now. What says the same stays as it is written.
fn update(record: &mut Record, candidate: Candidate, source_rule: SourceRule) -> bool {
    let mut changed = false;
    if let Some(outputs) = candidate.outputs
        && !is_same_output(record.outputs.as_deref(), outputs.as_deref())
    {
        changed = true;
        record.outputs = outputs;
        let is_of_trace = record
            .source
            .kind
            .as_deref()
            .is_none_or(|kind| kind == "TRACE");
        if source_rule == SourceRule::OfOutputs && is_of_trace {
            record.source = candidate.source.unwrap_or_default();
        }
    }
    if let Some(expectations) = candidate.expectations {
        let merged = updated(
            record.expectations.as_deref().unwrap_or("{}"),
            &expectations,
        );
        changed |= record.expectations.as_ref() != Some(&merged);
        record.expectations = Some(merged);
    }
    if let Some(tags) = candidate.tags {
        let merged = updated(&record.tags, &tags);
        changed |= record.tags != merged;
        record.tags = merged;
    }
    changed
}

fn is_same_output(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => is_same(a, b),
        (a, b) => a == b,
    }
}
