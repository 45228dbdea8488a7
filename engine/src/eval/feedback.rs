//! Scores as feedback on their traces. An id is told by the run, the scorer and the item, so that storing a part's
//! feedback again changes nothing.

use tracehouse_storage::model::{Assessment, TraceKey};
use tracehouse_storage::store::Assess;

use super::info::{EvalRun, ScorerInfo};
use super::part::ScoreRow;
use crate::assess::{NewAssessment, told_id};
use crate::database::Database;
use crate::error::{Error, Result};

/// Metadata of a feedback: the run that gave it.
const RUN_METADATA: &str = "tracehouse.eval.run_id";
/// The version of its scorer.
const VERSION_METADATA: &str = "tracehouse.eval.scorer_version";
/// The record that was judged.
const RECORD_METADATA: &str = "tracehouse.eval.dataset_record_id";

impl Database {
    /// Puts scores on those of their traces that are there; `again` when some may be there already.
    pub(super) fn put_feedback(&self, run: &EvalRun, rows: &[ScoreRow], again: bool) -> Result<()> {
        let _shared = self.change_shared();
        let with_trace: Vec<&ScoreRow> = rows.iter().filter(|row| row.trace_id.is_some()).collect();
        let keys: Vec<TraceKey> = with_trace
            .iter()
            .filter_map(|row| row.trace_id.as_deref())
            .map(TraceKey::of)
            .collect();
        let places = self.snapshot()?.find_traces(&keys)?;
        let mut assessments = Vec::with_capacity(with_trace.len());
        for (row, place) in with_trace.into_iter().zip(places) {
            if place.is_some() {
                assessments.push(assessment(run, row)?);
            }
        }
        self.store().assess(Assess {
            rows: assessments,
            check_existing: again,
        })?;
        Ok(())
    }

    /// Scores without what must not be stored.
    pub(super) fn redacted_scores(&self, mut rows: Vec<ScoreRow>) -> Result<Vec<ScoreRow>> {
        let redactor = self.redactor()?;
        let Some(mut pass) = redactor.pass() else {
            return Ok(rows);
        };
        for row in &mut rows {
            let before = new_assessment(row);
            let mut after = before.clone();
            pass.assessment(&mut after);
            if after == before {
                continue;
            }
            // A judge's answer says the same in other words.
            (row.question_key, row.answer) = (None, None);
            row.value = row.value.as_ref().map(|_| after.value.clone());
            (row.rationale, row.error) = (after.rationale, after.error_message);
        }
        pass.finish();
        Ok(rows)
    }
}

fn new_assessment(row: &ScoreRow) -> NewAssessment {
    let mut new = NewAssessment::feedback(&row.scorer, row.value.as_deref().unwrap_or("null"));
    new.rationale.clone_from(&row.rationale);
    if let Some(error) = &row.error {
        let code = error.split(':').next().unwrap_or_default();
        new = new.error(code.to_uppercase(), error);
    }
    new
}

fn assessment(run: &EvalRun, row: &ScoreRow) -> Result<Assessment> {
    let trace_id = (row.trace_id.as_deref())
        .ok_or_else(|| Error::internal("a score without trace becomes no feedback"))?;
    let scorer = run.scorers.iter().find(|scorer| scorer.name == row.scorer);
    let source = match scorer.is_some_and(ScorerInfo::is_judge) {
        true => "LLM_JUDGE",
        false => "CODE",
    };
    let mut new = new_assessment(row)
        .source(source, &row.scorer)
        .metadata(RUN_METADATA, &run.run_id)
        .metadata(VERSION_METADATA, &row.scorer_version);
    if let Some(record) = &row.dataset_record_id {
        new = new.metadata(RECORD_METADATA, record);
    }
    if let Some(session) = &row.session_id {
        new = new.session(session);
    }
    if let Some(span) = &row.span_id {
        new = new.span_id(span);
    }
    new.into_row(trace_id, assessment_id(&run.run_id, row), row.created_at_ns)
}

/// The trace and the id of the feedback that a score became, if it is of a trace.
pub(super) fn feedback_of(run_id: &str, row: &ScoreRow) -> Option<(String, String)> {
    Some((row.trace_id.clone()?, assessment_id(run_id, row)))
}

fn assessment_id(run_id: &str, row: &ScoreRow) -> String {
    let key = row.item_key();
    let parts = [
        Some(run_id),
        Some(row.scorer.as_str()),
        row.trace_id.as_deref(),
        key.span_id.as_deref(),
        key.dataset_record_id.as_deref(),
        key.session_id.as_deref(),
    ];
    told_id(parts.map(Option::unwrap_or_default))
}
