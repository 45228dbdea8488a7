//! From traces or spans to records: inputs and outputs, expectations by name, provenance.
//!
//! Payloads are read for many at a time, expectations by one scan of each source. Of subjects with equal inputs the
//! first in the search's order makes the record, so that its outputs and its source belong together; the others only
//! add expectations that it lacks. A subject without inputs asks nothing: it makes no record and is counted.
//!
//! A limit and a sample count records, not subjects: they are taken of what is left without those. What a sample is
//! taken of is read twice, so that only the hashes of all are held. Where the newest of a session alone counts, it is the
//! newest that has inputs, and the limit is of what these leave.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tracehouse_query::search::Search;
use tracehouse_storage::Snapshot;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;

use super::expectations::{Expectations, expectations_of};
use super::json::updated;
use super::record::Candidate;
use super::sample::{Sample, choose};
use super::strata::{are_newest, strata};
use super::subject::{Kind, SUBJECTS_A_READ, Subject, Subjects, candidates};
use crate::error::{Error, Result};

/// What chose the traces or spans of a version, for `DatasetInfo::query`.
#[derive(Serialize)]
struct Query<'a> {
    filter: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    order_by: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiments: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<&'a Sample>,
}

/// The search and sample as JSON object text.
pub(crate) fn query_text(search: &Search, sample: Option<&Sample>, kind: Kind) -> Result<String> {
    let query = Query {
        filter: &search.filter,
        of: (kind == Kind::Span).then_some("spans"),
        order_by: &search.order_by,
        limit: search.limit,
        experiments: search.experiments.as_deref(),
        sample,
    };
    serde_json::to_string(&query)
        .map_err(|e| Error::internal(format!("query of a dataset version: {e}")))
}

/// Records made from traces or spans.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// In the search's order, with different inputs.
    pub records: Vec<Candidate>,
    /// Subjects with the inputs of an earlier one.
    pub repeated: u64,
    /// Subjects without inputs.
    pub skipped: u64,
    /// Quotas that there were too few for: the value, how many there were, and the quota.
    pub unmet_quotas: Vec<(Option<String>, u64, u64)>,
    by_hash: HashMap<u128, usize>,
}

impl Built {
    fn add(&mut self, candidate: Candidate) {
        let known = self
            .by_hash
            .get(&candidate.hash)
            .and_then(|at| self.records.get_mut(*at));
        let Some(first) = known else {
            self.by_hash.insert(candidate.hash, self.records.len());
            self.records.push(candidate);
            return;
        };
        self.repeated += 1;
        if let Some(more) = candidate.expectations {
            first.expectations = Some(updated(
                &more,
                first.expectations.as_deref().unwrap_or("{}"),
            ));
        }
    }
}

/// The records of what a search finds, as many as its limit says, or of a sample of them.
pub(crate) fn build(
    snapshot: &Snapshot,
    search: &Search,
    kind: Kind,
    sample: Option<&Sample>,
) -> Result<Built> {
    let snapshot = &search.limited(snapshot);
    let Some(sample) = sample else {
        let mut built = Built::default();
        if search.limit != Some(0) {
            let subjects = Subjects::find(snapshot, search, kind, true)?;
            each_subject(subjects, snapshot, &mut |_, candidate| {
                match candidate {
                    Some(candidate) => built.add(candidate),
                    None => built.skipped += 1,
                }
                search.limit.is_none_or(|limit| built.records.len() < limit)
            })?;
        }
        return Ok(built);
    };
    build_sample(snapshot, search, kind, sample)
}

/// What a search finds, and what a sample takes of it.
struct Sampled {
    /// Those with inputs that count, each with the hash of its record.
    asking: Vec<(Subject, u128)>,
    /// The first of each record, in the search's order.
    firsts: Vec<(Subject, u128)>,
    /// The stratum of each of these; empty without strata.
    strata: Vec<Option<String>>,
    /// The places of the chosen ones among these, ascending.
    chosen: Vec<usize>,
    /// Subjects without inputs.
    skipped: u64,
    /// Subjects of sessions that have a newer one.
    older: u64,
}

impl Sampled {
    fn of(snapshot: &Snapshot, search: &Search, kind: Kind, sample: &Sample) -> Result<Self> {
        sample.check()?;
        let limit = search.limit.unwrap_or(usize::MAX);
        // Which is the newest of a session shows when all are known.
        let read_max = match sample.newest_per_session && limit > 0 {
            true => usize::MAX,
            false => limit,
        };
        let (mut asking, skipped) = asking(snapshot, search, kind, read_max)?;
        let mut older = 0;
        if sample.newest_per_session {
            let subjects: Vec<Subject> = asking.iter().map(|(one, _)| one.clone()).collect();
            let mut newest = are_newest(snapshot, &subjects, kind)?.into_iter();
            asking.retain(|_| newest.next().unwrap_or(true));
            older = (subjects.len() - asking.len()) as u64;
        }
        let firsts = first_records(&mut asking, limit);
        let subjects: Vec<Subject> = firsts.iter().map(|(subject, _)| subject.clone()).collect();
        let strata = match &sample.stratify {
            Some(key) => strata(snapshot, &subjects, kind, key)?,
            None => Vec::new(),
        };
        let ids: Vec<String> = subjects.iter().map(Subject::id).collect();
        let chosen = choose(&ids, &strata, sample);
        Ok(Self {
            asking,
            firsts,
            strata,
            chosen,
            skipped,
            older,
        })
    }
}

/// The subjects of a search that have inputs, with the hashes of their records, until there are so many records; and how
/// many have none.
fn asking(
    snapshot: &Snapshot,
    search: &Search,
    kind: Kind,
    records_max: usize,
) -> Result<(Vec<(Subject, u128)>, u64)> {
    let (mut asking, mut hashes, mut skipped) = (Vec::new(), HashSet::new(), 0);
    if records_max > 0 {
        let subjects = Subjects::find(snapshot, search, kind, false)?;
        each_subject(subjects, snapshot, &mut |subject, candidate| {
            match candidate {
                Some(candidate) => {
                    hashes.insert(candidate.hash);
                    asking.push((subject, candidate.hash));
                }
                None => skipped += 1,
            }
            hashes.len() < records_max
        })?;
    }
    Ok((asking, skipped))
}

/// The first subject of each record, up to a limit of records; what comes after the last of these is cut off.
fn first_records(asking: &mut Vec<(Subject, u128)>, limit: usize) -> Vec<(Subject, u128)> {
    let (mut firsts, mut hashes) = (Vec::new(), HashSet::new());
    let mut end = 0;
    while firsts.len() < limit
        && let Some(one) = asking.get(end)
    {
        if hashes.insert(one.1) {
            firsts.push(one.clone());
        }
        end += 1;
    }
    asking.truncate(end);
    firsts
}

fn build_sample(
    snapshot: &Snapshot,
    search: &Search,
    kind: Kind,
    sample: &Sample,
) -> Result<Built> {
    let mut found = Sampled::of(snapshot, search, kind, sample)?;
    let mut built = Built {
        skipped: found.skipped,
        unmet_quotas: sample.unmet(&found.strata),
        ..Built::default()
    };
    let chosen: HashSet<u128> = (found.chosen.iter())
        .filter_map(|at| found.firsts.get(*at).map(|(_, hash)| *hash))
        .collect();
    found.asking.retain(|(_, hash)| chosen.contains(hash));
    let asking = found.asking.into_iter();
    let asking: Vec<Subject> = asking.map(|(subject, _)| subject).collect();
    let expectations = expectations_of_all(snapshot, &asking)?;
    for subjects in asking.chunks(SUBJECTS_A_READ) {
        let made = candidates(snapshot, subjects, kind, &expectations)?;
        made.into_iter()
            .flatten()
            .for_each(|candidate| built.add(candidate));
    }
    Ok(built)
}

/// What would be built: counted before it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BuildPlan {
    /// Traces or spans that the search finds, up to its limit of records.
    pub found: u64,
    /// Of these, those without inputs.
    pub skipped: u64,
    /// Of these, those of a session that has a newer one, where the newest alone counts.
    #[serde(default)]
    pub older: u64,
    /// Records with different inputs that the others make.
    pub records: u64,
    /// How many of these would be added or updated.
    pub chosen: u64,
    /// By stratum: how many records there are, and how many would be chosen. `None` is those without the key. A value with
    /// a quota is here also where there are none.
    pub strata: Vec<(Option<String>, u64, u64)>,
}

/// What [`build`] would build.
pub(crate) fn plan(
    snapshot: &Snapshot,
    search: &Search,
    kind: Kind,
    sample: Option<&Sample>,
) -> Result<BuildPlan> {
    let all = Sample::all(0);
    let sample = sample.unwrap_or(&all);
    let found = Sampled::of(&search.limited(snapshot), search, kind, sample)?;
    let mut strata: BTreeMap<Option<String>, (u64, u64)> = BTreeMap::new();
    for (value, _) in &sample.quotas {
        strata.entry(value.clone()).or_default();
    }
    for stratum in &found.strata {
        strata.entry(stratum.clone()).or_default().0 += 1;
    }
    for stratum in found.chosen.iter().filter_map(|at| found.strata.get(*at)) {
        strata.entry(stratum.clone()).or_default().1 += 1;
    }
    Ok(BuildPlan {
        found: found.asking.len() as u64 + found.skipped + found.older,
        skipped: found.skipped,
        older: found.older,
        records: found.firsts.len() as u64,
        chosen: found.chosen.len() as u64,
        strata: strata
            .into_iter()
            .map(|(stratum, (there, chosen))| (stratum, there, chosen))
            .collect(),
    })
}

/// Hands on the subjects of a search in its order, each with the record it makes, until `take` says no.
fn each_subject(
    mut subjects: Subjects<'_>,
    snapshot: &Snapshot,
    take: &mut dyn FnMut(Subject, Option<Candidate>) -> bool,
) -> Result<()> {
    loop {
        snapshot.interrupt().check()?;
        let made = subjects.take()?;
        if made.is_empty() {
            return Ok(());
        }
        for (subject, candidate) in made {
            if !take(subject, candidate) {
                return Ok(());
            }
        }
    }
}

fn expectations_of_all(
    snapshot: &Snapshot,
    subjects: &[Subject],
) -> Result<HashMap<String, Expectations>> {
    expectations_of(
        snapshot,
        subjects.iter().map(|subject| subject.trace_id.clone()),
    )
}

/// Hands on every record that these traces and their spans make, equal ones too.
pub(crate) fn each_record_of(
    snapshot: &Snapshot,
    trace_ids: &[String],
    take: &mut dyn FnMut(Candidate),
) -> Result<()> {
    let subject = |row, trace_id: &String, span_id| Subject {
        row,
        trace_id: trace_id.clone(),
        span_id,
    };
    for trace_ids in trace_ids.chunks(SUBJECTS_A_READ) {
        let keys: Vec<TraceKey> = trace_ids.iter().map(|id| TraceKey::of(id)).collect();
        let rows = snapshot.find_traces(&keys)?.into_iter().zip(trace_ids);
        let traces: Vec<Subject> = rows
            .filter_map(|(row, id)| Some(subject(row?, id, None)))
            .collect();
        let mut spans = Vec::new();
        for trace in &traces {
            for row in snapshot.refs_of(Table::Spans, TraceKey::of(&trace.trace_id))? {
                spans.push(subject(row, &trace.trace_id, None));
            }
        }
        let expectations = expectations_of_all(snapshot, &traces)?;
        for (kind, subjects) in [(Kind::Trace, &traces), (Kind::Span, &spans)] {
            for subjects in subjects.chunks(SUBJECTS_A_READ) {
                let made = candidates(snapshot, subjects, kind, &expectations)?;
                made.into_iter().flatten().for_each(&mut *take);
            }
        }
    }
    Ok(())
}
