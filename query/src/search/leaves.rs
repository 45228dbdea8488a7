//! Conditions on spans, assessments and datasets, answered as sets of traces.
//!
//! ```text
//! Predicate -> one scan per leaf (rows of its table that satisfy it) -> set of traces -> Node
//! ```
//!
//! A [`Node`] is the predicate with those sets in place: it is evaluated on rows of `traces` alone.
//! When the trace conditions leave few traces, only the rows of those are scanned.

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

use super::Explain;
use crate::candidates::{is_outside, span_zones};
use crate::predicate::column::{map, text};
use crate::predicate::{AssessmentPredicate, Condition, Predicate, SpanPredicate};

/// MLflow's metadata key that makes an assessment count for a whole session.
const SESSION_KEY: &str = "mlflow.trace.session";

/// Traces that satisfy a leaf: by id, or by session.
#[derive(Debug, Default)]
pub(crate) struct TraceSet {
    traces: HashSet<TraceKey>,
    sessions: HashSet<String>,
}

/// A predicate over rows of `traces`.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Const(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Trace(Condition),
    Set(Arc<TraceSet>),
}

/// What leaves are scanned over.
pub(crate) struct LeafScope<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// The only traces that can match, when they are few.
    pub within: Option<Vec<TraceKey>>,
    /// No match has an earlier `request_time`; Unix nanoseconds.
    pub time_min_ns: Option<i64>,
    /// The experiments searched.
    pub experiments: Option<&'a [String]>,
}

impl LeafScope<'_> {
    /// Replaces every leaf of the predicate by its set of traces.
    pub fn resolve(&self, predicate: &Predicate, explain: &mut Explain) -> Result<Node> {
        let mut all = |operands: &[Predicate]| {
            operands.iter().map(|operand| self.resolve(operand, explain)).collect::<Result<Vec<_>>>()
        };
        Ok(match predicate {
            Predicate::Const(value) => Node::Const(*value),
            Predicate::And(operands) => Node::And(all(operands)?),
            Predicate::Or(operands) => Node::Or(all(operands)?),
            Predicate::Not(operand) => Node::Not(Box::new(self.resolve(operand, explain)?)),
            Predicate::Trace(condition) => Node::Trace(condition.clone()),
            Predicate::Span(condition) => {
                let set = self.span_set(condition)?;
                explain.note(format!("{predicate}: {} traces{}", set.traces.len(), self.described()));
                Node::Set(Arc::new(set))
            }
            Predicate::Assessment(condition) => {
                let set = self.assessment_set(condition)?;
                explain.note(format!("{predicate}: {} traces{}", set.traces.len(), self.described()));
                Node::Set(Arc::new(set))
            }
            // Replaced by trace ids before the search; one that is left here names no dataset.
            Predicate::Dataset(_) => Node::Const(false),
        })
    }

    fn described(&self) -> String {
        self.within.as_ref().map_or(String::new(), |within| format!(" of {} candidates", within.len()))
    }

    /// Rows of a source that belong to the only traces that can match; `None` means all rows.
    fn rows_within(&self, source: usize, table: Table) -> Result<Option<RoaringBitmap>> {
        let Some(within) = &self.within else { return Ok(None) };
        let source = self.snapshot.source(source)?;
        let mut rows = RoaringBitmap::new();
        for key in within {
            rows |= source.rows_of(table, *key)?;
        }
        Ok(Some(rows))
    }

    fn span_set(&self, condition: &SpanPredicate) -> Result<TraceSet> {
        let mut set = TraceSet::default();
        for index in 0..self.snapshot.source_count() {
            // A trace begins with its first span: no span of a match is earlier than the match.
            let source = self.snapshot.source(index)?;
            if source.visible_rows(Table::Spans) == 0
                || is_outside(source.time_range(), (self.time_min_ns, None))
            {
                continue;
            }
            let condition = &self.with_text_rows(index, condition)?;
            let rows = both(self.rows_within(index, Table::Spans)?, required_rows(condition));
            if rows.as_ref().is_some_and(RoaringBitmap::is_empty) {
                continue;
            }
            let mut request =
                ScanRequest { rows, filters: span_filters(condition), ..ScanRequest::columns(["trace_id"]) };
            request.zones = span_zones(condition);
            if let Some(min) = self.time_min_ns {
                request.zones.push(Zone::Int { column: "start_time".into(), min, max: i64::MAX });
            }
            for batch in self.snapshot.scan(index, Table::Spans, &request)? {
                set.add_traces(&batch?)?;
            }
        }
        Ok(set)
    }

    /// The condition with every text query answered for one source.
    fn with_text_rows(&self, source: usize, condition: &SpanPredicate) -> Result<SpanPredicate> {
        let all = |operands: &[SpanPredicate]| {
            operands.iter().map(|operand| self.with_text_rows(source, operand)).collect::<Result<Vec<_>>>()
        };
        Ok(match condition {
            SpanPredicate::And(operands) => SpanPredicate::And(all(operands)?),
            SpanPredicate::Or(operands) => SpanPredicate::Or(all(operands)?),
            SpanPredicate::Not(operand) => {
                SpanPredicate::Not(Box::new(self.with_text_rows(source, operand)?))
            }
            SpanPredicate::Is(condition) => match condition.text_query()? {
                Some(query) => SpanPredicate::RowIn(Arc::new(self.snapshot.text(source)?.rows(&query)?)),
                None => SpanPredicate::Is(condition.clone()),
            },
            other => other.clone(),
        })
    }

    fn assessment_set(&self, condition: &AssessmentPredicate) -> Result<TraceSet> {
        let mut set = TraceSet::default();
        let session_wide = condition.is_session_wide();
        for index in 0..self.snapshot.source_count() {
            if self.snapshot.source(index)?.visible_rows(Table::Assessments) == 0 {
                continue;
            }
            let columns = if session_wide { vec!["trace_id", "metadata"] } else { vec!["trace_id"] };
            let mut request = ScanRequest::columns(columns);
            // An assessment of another trace may count for this one through its session.
            request.rows = if session_wide { None } else { self.rows_within(index, Table::Assessments)? };
            request.filters = vec![assessment_filter(condition)];
            request.zones = vec![Zone::Text { column: "name".into(), values: condition.names.clone() }];
            for batch in self.snapshot.scan(index, Table::Assessments, &request)? {
                let batch = batch?;
                set.add_traces(&batch)?;
                if session_wide {
                    self.add_sessions(&mut set, &batch)?;
                }
            }
        }
        Ok(set)
    }

    /// Adds the sessions that the assessments of a batch count for. The assessed trace itself must be
    /// in the experiments searched.
    fn add_sessions(&self, set: &mut TraceSet, batch: &RecordBatch) -> Result<()> {
        let (ids, metadata) = (text(batch, "trace_id")?, map(batch, "metadata")?);
        for row in 0..batch.num_rows() {
            if let Some(session) = metadata.get(row, SESSION_KEY)
                && self.is_searched(ids.value(row))?
            {
                set.sessions.insert(session.to_string());
            }
        }
        Ok(())
    }

    fn is_searched(&self, trace_id: &str) -> Result<bool> {
        let Some(experiments) = self.experiments else { return Ok(true) };
        let Some(row) = self.snapshot.find_trace(TraceKey::of(trace_id))? else { return Ok(false) };
        let batch = self.snapshot.read_rows(Table::Traces, &[row], &["experiment_id"])?;
        let ids = text(&batch, "experiment_id")?;
        Ok(ids.iter().flatten().any(|id| experiments.iter().any(|experiment| experiment == id)))
    }
}

/// The rows that the top-level conjunction confines a condition to.
fn required_rows(condition: &SpanPredicate) -> Option<RoaringBitmap> {
    match condition {
        SpanPredicate::RowIn(rows) => Some(rows.as_ref().clone()),
        SpanPredicate::And(operands) => operands.iter().map(required_rows).fold(None, both),
        _ => None,
    }
}

/// Rows in both sets, where `None` is all rows.
fn both(a: Option<RoaringBitmap>, b: Option<RoaringBitmap>) -> Option<RoaringBitmap> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & b),
        (a, b) => a.or(b),
    }
}

/// One filter for all operands that read light columns, then one for each of the others, so that
/// large columns are read for the survivors alone (QU-4).
fn span_filters(condition: &SpanPredicate) -> Vec<RowFilter> {
    let operands = match condition {
        SpanPredicate::And(operands) => operands.as_slice(),
        other => std::slice::from_ref(other),
    };
    let (heavy, light): (Vec<_>, Vec<_>) = operands.iter().cloned().partition(SpanPredicate::is_heavy);
    let light = (!light.is_empty()).then_some(SpanPredicate::And(light));
    light.into_iter().chain(heavy).map(span_filter).collect()
}

fn span_filter(condition: SpanPredicate) -> RowFilter {
    let columns = condition.columns().into_iter().map(str::to_string).collect();
    RowFilter { columns, keep: Arc::new(move |batch| condition.evaluate(batch)) }
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
}

impl Node {
    /// Adds the columns of `traces` that the node reads.
    pub fn collect_columns(&self, columns: &mut Vec<String>) {
        let mut add = |column: &str| {
            if !columns.iter().any(|known| known == column) {
                columns.push(column.to_string());
            }
        };
        match self {
            Node::Const(_) => {}
            Node::And(operands) | Node::Or(operands) => {
                operands.iter().for_each(|operand| operand.collect_columns(columns));
            }
            Node::Not(operand) => operand.collect_columns(columns),
            Node::Trace(condition) => condition.columns().into_iter().for_each(add),
            Node::Set(set) => {
                add("trace_id");
                if !set.sessions.is_empty() {
                    add("session_id");
                }
            }
        }
    }

    /// Rows of a batch of `traces` that satisfy the node, among the wanted ones.
    pub fn rows(&self, batch: &RecordBatch, wanted: &BooleanBuffer) -> Result<BooleanBuffer> {
        let count = batch.num_rows();
        match self {
            Node::Const(true) => Ok(wanted.clone()),
            Node::Const(false) => Ok(BooleanBuffer::new_unset(count)),
            Node::Trace(condition) => Ok(condition.evaluate(batch)?.values() & wanted),
            Node::Not(operand) => Ok(wanted & &!&operand.rows(batch, wanted)?),
            Node::And(operands) => {
                let mut left = wanted.clone();
                for operand in operands {
                    left = operand.rows(batch, &left)?;
                }
                Ok(left)
            }
            Node::Or(operands) => {
                let mut found = BooleanBuffer::new_unset(count);
                for operand in operands {
                    let missing = wanted & &!&found;
                    found = &found | &operand.rows(batch, &missing)?;
                }
                Ok(found)
            }
            Node::Set(set) => set.rows(batch, wanted),
        }
    }
}

impl TraceSet {
    fn rows(&self, batch: &RecordBatch, wanted: &BooleanBuffer) -> Result<BooleanBuffer> {
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
