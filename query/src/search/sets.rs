//! Sets of traces found before the first row of `traces` is read: those of assessments, and those of
//! words that few spans hold.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::Array;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::scan::{RowFilter, ScanRequest, Zone};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{Result, Snapshot};

use super::spans::SpanLeaf;
use crate::predicate::AssessmentPredicate;
use crate::predicate::column::{map, text};

/// MLflow's metadata key that makes an assessment count for a whole session.
const SESSION_KEY: &str = "mlflow.trace.session";

/// Traces that satisfy a condition: by id, or by session.
#[derive(Debug, Default)]
pub(crate) struct TraceSet {
    traces: HashSet<TraceKey>,
    sessions: HashSet<String>,
}

/// The traces with an assessment that satisfies a condition.
///
/// # Errors
/// What reading gives.
pub(super) fn assessment_set(
    snapshot: &Snapshot,
    experiments: Option<&[String]>,
    condition: &AssessmentPredicate,
) -> Result<TraceSet> {
    let mut set = TraceSet::default();
    let session_wide = condition.is_session_wide();
    for index in 0..snapshot.source_count() {
        if snapshot.source(index)?.visible_rows(Table::Assessments) == 0 {
            continue;
        }
        let columns = if session_wide { vec!["trace_id", "metadata"] } else { vec!["trace_id"] };
        let mut request = ScanRequest::columns(columns);
        request.filters = vec![assessment_filter(condition)];
        request.zones = vec![Zone::Text { column: "name".into(), values: condition.names.clone() }];
        for batch in snapshot.scan(index, Table::Assessments, &request)? {
            let batch = batch?;
            set.add_traces(&batch)?;
            if session_wide {
                add_sessions(snapshot, experiments, &mut set, &batch)?;
            }
        }
    }
    Ok(set)
}

/// Adds the sessions that the assessments of a batch count for. The assessed trace itself must be
/// in the experiments searched.
fn add_sessions(
    snapshot: &Snapshot,
    experiments: Option<&[String]>,
    set: &mut TraceSet,
    batch: &RecordBatch,
) -> Result<()> {
    let (ids, metadata) = (text(batch, "trace_id")?, map(batch, "metadata")?);
    for row in 0..batch.num_rows() {
        if let Some(session) = metadata.get(row, SESSION_KEY)
            && is_searched(snapshot, experiments, ids.value(row))?
        {
            set.sessions.insert(session.to_string());
        }
    }
    Ok(())
}

fn is_searched(snapshot: &Snapshot, experiments: Option<&[String]>, trace_id: &str) -> Result<bool> {
    let Some(experiments) = experiments else { return Ok(true) };
    let Some(row) = snapshot.find_trace(TraceKey::of(trace_id))? else { return Ok(false) };
    let batch = snapshot.read_rows(Table::Traces, &[row], &["experiment_id"])?;
    let ids = text(&batch, "experiment_id")?;
    Ok(ids.iter().flatten().any(|id| experiments.iter().any(|experiment| experiment == id)))
}

/// The traces of the spans that satisfy a leaf, of which the text index has named the only `rows` by
/// source that can.
///
/// # Errors
/// What reading gives.
pub(super) fn span_set(leaf: &SpanLeaf, rows: Vec<RoaringBitmap>) -> Result<TraceSet> {
    let mut set = TraceSet::default();
    for (source, rows) in rows.into_iter().enumerate() {
        for batch in leaf.scan(source, rows, "trace_id")? {
            set.add_traces(&batch)?;
        }
    }
    Ok(set)
}

fn assessment_filter(condition: &AssessmentPredicate) -> RowFilter {
    let condition = condition.clone();
    let columns = condition.columns().into_iter().map(str::to_string).collect();
    RowFilter { columns, keep: Arc::new(move |batch| condition.evaluate(batch)) }
}

impl TraceSet {
    fn add_traces(&mut self, batch: &RecordBatch) -> Result<()> {
        let ids = text(batch, "trace_id")?;
        let mut last = None;
        for id in ids.iter().flatten() {
            // Rows of one trace come together.
            if last != Some(id) {
                self.traces.insert(TraceKey::of(id));
                last = Some(id);
            }
        }
        Ok(())
    }

    /// Traces named one by one.
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    /// Whether it names traces one by one and no session.
    pub fn is_by_trace(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The traces named one by one.
    pub fn traces(&self) -> impl Iterator<Item = TraceKey> + '_ {
        self.traces.iter().copied()
    }

    /// The columns of `traces` that membership is told from.
    pub fn columns(&self) -> &'static [&'static str] {
        if self.sessions.is_empty() { &["trace_id"] } else { &["trace_id", "session_id"] }
    }

    /// Rows of a batch of `traces` that are in the set, among the wanted ones.
    ///
    /// # Errors
    /// `Internal` when the batch lacks a column.
    pub fn rows(&self, batch: &RecordBatch, wanted: &BooleanBuffer) -> Result<BooleanBuffer> {
        let ids = text(batch, "trace_id")?;
        let sessions = if self.sessions.is_empty() { None } else { Some(text(batch, "session_id")?) };
        Ok(BooleanBuffer::collect_bool(batch.num_rows(), |row| {
            let by_session = |sessions: &arrow::array::StringViewArray| {
                sessions.is_valid(row) && self.sessions.contains(sessions.value(row))
            };
            wanted.value(row)
                && (self.traces.contains(&TraceKey::of(ids.value(row))) || sessions.is_some_and(by_session))
        }))
    }
}
