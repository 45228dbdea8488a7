//! What an import says of traces besides their spans: starts (tags, metadata, times) and assessments.
//!
//! It is stored with the spans that it came with, before they are acknowledged: first the spans, then the starts, then
//! the assessments. Those of traces that are not there are given back, to wait (`waiting_assessments`). Each is the same
//! however often it is stored, so that an import that was cut short is made again.

use std::collections::HashMap;

use tracehouse_storage::Snapshot;
use tracehouse_storage::model::{Assessment, StartEdit, TraceEdit, TraceKey};
use tracehouse_storage::store::{Applied, Assess, Prepared};

use crate::database::Database;
use crate::error::Result;
use crate::ingest::{EXPERIMENT_DEFAULT, ImportOptions};
use crate::start::experiment_of;

/// A reason with the line that it is about.
type Reason = (Option<u64>, String);

/// What is said, each with its line.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) starts: Vec<(Option<u64>, String, StartEdit)>,
    pub(crate) assessments: Vec<(Option<u64>, Assessment)>,
}

/// What was stored of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// `traces` are those with a start.
    pub(crate) applied: Applied,
    pub(crate) rejected: Vec<Reason>,
    /// Assessments of traces that are not there.
    pub(crate) early: Placed<Option<u64>>,
}

impl Database {
    /// Stores spans and what is said of traces: durable and visible when this returns.
    ///
    /// # Errors
    /// `Io`, `Closed` or `Unavailable` from writing.
    pub(crate) fn store_said(
        &self,
        spans: Option<Prepared>,
        said: Said,
        options: &ImportOptions,
    ) -> Result<Stored> {
        let mut stored = Stored::default();
        if said.starts.is_empty() && said.assessments.is_empty() {
            stored.applied = self.append_some(spans)?;
            return Ok(stored);
        }
        // No other start may give one of the traces to another experiment between the look and the commit.
        let _alone = self.change_alone();
        let edits = match said.starts.is_empty() {
            true => Vec::new(),
            false => edits(
                &self.snapshot()?,
                said.starts,
                options,
                &mut stored.rejected,
            )?,
        };
        stored.applied = self.append_some(spans)?;
        stored.applied.traces = self.store().edit_traces(edits)?.traces;
        if !said.assessments.is_empty() {
            let (rows, early) = known(&self.snapshot()?, said.assessments)?;
            stored.early = early;
            stored.applied.assessments = self
                .store()
                .assess(Assess {
                    rows,
                    check_existing: true,
                })?
                .assessments;
        }
        Ok(stored)
    }

    fn append_some(&self, spans: Option<Prepared>) -> Result<Applied> {
        Ok(spans
            .map(|spans| self.store().append_prepared(spans))
            .transpose()?
            .unwrap_or_default())
    }
}

/// The starts as changes of traces. A trace that is there stays in its experiment: a file is not asked, and who asks
/// for another one is refused.
fn edits(
    snapshot: &Snapshot,
    starts: Vec<(Option<u64>, String, StartEdit)>,
    options: &ImportOptions,
    rejected: &mut Vec<Reason>,
) -> Result<Vec<(String, TraceEdit)>> {
    let mut experiments: HashMap<String, String> = HashMap::with_capacity(starts.len());
    let mut edits = Vec::with_capacity(starts.len());
    for (line, trace_id, mut edit) in starts {
        let known = match experiments.get(&trace_id) {
            Some(known) => Some(known.clone()),
            None => experiment_of(snapshot, &trace_id)?,
        };
        if let Some(known) = known.filter(|known| *known != edit.experiment_id) {
            if options.experiment_id != EXPERIMENT_DEFAULT {
                let asked = &edit.experiment_id;
                let reason =
                    format!("trace {trace_id} belongs to experiment {known:?}, not to {asked:?}");
                rejected.push((line, reason));
                continue;
            }
            edit.experiment_id = known;
        }
        experiments.insert(trace_id.clone(), edit.experiment_id.clone());
        edits.push((trace_id, TraceEdit::start(edit)));
    }
    Ok(edits)
}

/// Assessments of traces that are there.
pub(crate) type Rows = Vec<Assessment>;

/// Assessments, each with its place.
pub(crate) type Placed<P> = Vec<(P, Assessment)>;

/// Tells the assessments of traces that are there from the others.
pub(crate) fn known<P>(snapshot: &Snapshot, assessments: Placed<P>) -> Result<(Rows, Placed<P>)> {
    let keys: Vec<TraceKey> = assessments
        .iter()
        .map(|(_, row)| TraceKey::of(&row.trace_id))
        .collect();
    let places = snapshot.find_traces(&keys)?;
    let (mut rows, mut unknown) = (Vec::with_capacity(assessments.len()), Vec::new());
    for ((place, row), found) in assessments.into_iter().zip(places) {
        match found {
            Some(_) => rows.push(row),
            None => unknown.push((place, row)),
        }
    }
    Ok((rows, unknown))
}

/// Why an assessment is not kept whose trace did not come.
pub(crate) fn unknown_trace(assessment: &Assessment) -> String {
    let Assessment { name, trace_id, .. } = assessment;
    if let Some(span_id) = assessment.span_id.as_ref().filter(|_| trace_id.is_empty()) {
        return format!(
            "assessment {name:?} of span {span_id}, which is in no trace here or in several: name its trace_id"
        );
    }
    format!("assessment {name:?} of trace {trace_id}, which is not there: import it first")
}
