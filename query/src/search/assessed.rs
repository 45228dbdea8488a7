//! A condition on assessments, looked up for the traces that everything else has left.
//!
//! Finding every assessment that satisfies it first costs as much as there are assessments; the newest
//! hundred traces with some feedback need those of the newest traces alone. When very many traces have been
//! looked at in vain, the condition is rare, and all that satisfy it are found at once after all.
//!
//! **Invariant** QU-1: assessments of a trace may be in any source; in memory they are read, in segments looked
//! up by trace, and those that count for a session are known beforehand.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, Snapshot};

use super::sets::{Scope, TraceSet, assessment_filter, assessment_set, assessments_among};
use crate::plan::cost::{ASSESSMENTS_MIN, assessed_traces_max};
use crate::predicate::AssessmentPredicate;
use crate::predicate::column::{row_numbers, text};

/// A condition on assessments over one snapshot.
#[derive(Debug)]
pub(crate) struct AssessedLeaf {
    snapshot: Snapshot,
    condition: AssessmentPredicate,
    /// The experiments searched; `None` = all.
    experiments: Option<Vec<String>>,
    recorder: super::explain::Recorder,
    /// What is known before a trace is looked at: by assessments in memory, and sessions.
    known: TraceSet,
    /// The segments with assessments.
    segments: Vec<usize>,
    looked_at: AtomicUsize,
    looked_at_max: usize,
    all: OnceLock<TraceSet>,
}

impl AssessedLeaf {
    /// `None` when there are so few assessments that finding them all costs nothing.
    ///
    /// # Errors
    /// What reading gives.
    pub fn of(scope: &Scope<'_>, condition: &AssessmentPredicate) -> Result<Option<Self>> {
        if scope.snapshot.visible_rows(Table::Assessments) < ASSESSMENTS_MIN {
            return Ok(None);
        }
        Self::new(scope, condition).map(Some)
    }

    pub(super) fn new(scope: &Scope<'_>, condition: &AssessmentPredicate) -> Result<Self> {
        let (mut parts, mut segments) = (Vec::new(), Vec::new());
        for index in 0..scope.snapshot.source_count() {
            let source = scope.snapshot.source(index)?;
            if source.visible_rows(Table::Assessments) == 0 {
                continue;
            }
            match source.session_wide_assessments()? {
                None => parts.push((index, None)),
                Some(rows) => {
                    segments.push(index);
                    if condition.is_session_wide() && !rows.is_empty() {
                        parts.push((index, Some(rows.clone())));
                    }
                }
            }
        }
        Ok(Self {
            snapshot: scope.snapshot.clone(),
            condition: condition.clone(),
            experiments: scope.experiments.map(<[String]>::to_vec),
            recorder: scope.recorder.clone(),
            known: assessments_among(scope, condition, parts)?,
            segments,
            looked_at: AtomicUsize::new(0),
            looked_at_max: assessed_traces_max(scope.snapshot.visible_rows(Table::Assessments)),
            all: OnceLock::new(),
        })
    }

    /// The columns of `traces` that it reads. Sessions found later are among those known before.
    pub fn columns(&self) -> &'static [&'static str] {
        self.known.columns()
    }

    /// All traces that satisfy it, once they have been found.
    pub fn found(&self) -> Option<&TraceSet> {
        self.all.get()
    }

    /// Rows of a batch of `traces` that satisfy the condition, among the wanted ones.
    ///
    /// # Errors
    /// What reading gives.
    pub fn rows(&self, batch: &RecordBatch, wanted: &BooleanBuffer) -> Result<BooleanBuffer> {
        let count = wanted.count_set_bits();
        let looked_at = self
            .looked_at
            .fetch_add(count, Ordering::Relaxed)
            .saturating_add(count);
        if self.all.get().is_some() || looked_at > self.looked_at_max {
            return self.all()?.rows(batch, wanted);
        }
        let known = self.known.rows(batch, wanted)?;
        Ok(&known | &self.looked_up(batch, &(wanted & &!&known))?)
    }

    fn all(&self) -> Result<&TraceSet> {
        if let Some(all) = self.all.get() {
            return Ok(all);
        }
        let experiments = self.experiments.as_deref();
        let scope = Scope {
            snapshot: &self.snapshot,
            experiments,
            recorder: &self.recorder,
        };
        let all = assessment_set(&scope, &self.condition)?;
        Ok(self.all.get_or_init(|| all))
    }

    /// The wanted rows of traces with an assessment in a segment that satisfies the condition.
    fn looked_up(&self, batch: &RecordBatch, wanted: &BooleanBuffer) -> Result<BooleanBuffer> {
        let ids = text(batch, "trace_id")?;
        let keys: Vec<(TraceKey, usize)> = wanted
            .set_indices()
            .map(|row| (TraceKey::of(ids.value(row)), row))
            .collect();
        let mut found = vec![false; batch.num_rows()];
        for source in &self.segments {
            // Of each assessment the row of its trace, by ascending assessment.
            let mut traces: Vec<(u32, usize)> = Vec::new();
            for (key, row) in &keys {
                let rows = self
                    .snapshot
                    .source(*source)?
                    .rows_of(Table::Assessments, *key)?;
                traces.extend(rows.iter().map(|assessment| (assessment, *row)));
            }
            traces.sort_unstable();
            let rows: RoaringBitmap = traces.iter().map(|(assessment, _)| *assessment).collect();
            for assessment in self.matching(*source, rows)? {
                let at = traces.partition_point(|(other, _)| *other < assessment);
                if let Some(found) = traces.get(at).and_then(|(_, row)| found.get_mut(*row)) {
                    *found = true;
                }
            }
        }
        Ok(BooleanBuffer::from(found))
    }

    fn matching(&self, source: usize, rows: RoaringBitmap) -> Result<Vec<u32>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut request = ScanRequest::columns(["_row"]);
        request.counters = self.recorder.counters();
        request.rows = Some(rows);
        request.filters = self
            .recorder
            .filter(source, Table::Assessments)
            .into_iter()
            .collect();
        request.filters.push(assessment_filter(&self.condition));
        let mut found = Vec::new();
        for batch in self.snapshot.scan(source, Table::Assessments, &request)? {
            found.extend(row_numbers(&batch?)?);
        }
        Ok(found)
    }
}
