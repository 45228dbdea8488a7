//! The predicate of a search as it is evaluated on rows of `traces`.
//!
//! ```text
//! Predicate -> Node: conditions on the row itself,
//!                    sets of traces (assessments, rare words), found before the first row is read,
//!                    conditions on spans and on many assessments, looked at for the traces that
//!                    everything else has left
//! ```

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;
use tracehouse_storage::scan::RowFilter;
use tracehouse_storage::{Result, Snapshot};

use super::assessed::AssessedLeaf;
use super::sets::{Scope, TraceSet, assessment_set, span_set};
use super::spans::{SPAN_RUN_COLUMNS, SpanLeaf, both};
use crate::plan::AccessPath;
use crate::plan::cost::{
    FIRST_PIECE_ROWS, FIRST_PIECE_ROWS_WITH_HEAVY_SPANS, FIRST_PIECE_ROWS_WITH_SPANS, lookups_max,
};
use crate::predicate::{Condition, Field, Predicate, Test, TextOp};

/// A predicate over rows of `traces`.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Const(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Trace(Condition),
    Set(Arc<TraceSet>),
    Span(Arc<SpanLeaf>),
    Assessed(Arc<AssessedLeaf>),
}

/// What a condition reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Light columns alone.
    Light,
    /// Large columns too.
    Heavy,
}

/// What evaluating a node on a row costs, by its dearest part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// Columns of one width.
    Number,
    /// A text that is compared.
    Text,
    /// An entry of a map that is compared.
    Map,
    /// Anything else about the row itself.
    Pattern,
    /// Membership in a set.
    Set,
    /// Light columns of the trace's spans.
    Spans,
    /// Large ones.
    HeavySpans,
}

impl Cost {
    fn of(condition: &Condition) -> Self {
        let is_compared = match &condition.test {
            Test::Text(test) => matches!(test.op, TextOp::In(_)),
            test => !matches!(test, Test::Json(_) | Test::Matches(_)),
        };
        match &condition.field {
            _ if !is_compared => Cost::Pattern,
            Field::Int(_) | Field::Float(_) | Field::ExecutionTimeMs | Field::EndTimeMs => {
                Cost::Number
            }
            Field::Text(_) | Field::TraceId => Cost::Text,
            Field::Map { .. } => Cost::Map,
            _ => Cost::Pattern,
        }
    }
}

/// Makes a predicate ready for one snapshot.
///
/// # Errors
/// What reading gives; `InvalidInput` for a text query that is refused.
pub(super) fn resolve(scope: &Scope<'_>, predicate: &Predicate) -> Result<Node> {
    let all = |operands: &[Predicate]| -> Result<Vec<Node>> {
        operands
            .iter()
            .map(|operand| resolve(scope, operand))
            .collect()
    };
    let note = |how: &str| scope.recorder.note(|| format!("{predicate}: {how}"));
    Ok(match predicate {
        Predicate::Const(value) => Node::Const(*value),
        Predicate::And(operands) => {
            let mut nodes = all(operands)?;
            nodes.sort_by_key(Node::cost);
            Node::And(nodes)
        }
        Predicate::Or(operands) => Node::Or(all(operands)?),
        Predicate::Not(operand) => Node::Not(Box::new(resolve(scope, operand)?)),
        Predicate::Trace(condition) => Node::Trace(condition.clone()),
        Predicate::Span(condition) => {
            let leaf = SpanLeaf::new(scope.snapshot, condition, scope.recorder);
            if scope.recorder.is_on()
                && let Some(covered) = leaf.coverage()?
            {
                note(&format!(
                    "text index of {} spans, {} without",
                    covered.indexed, covered.scanned
                ));
            }
            match leaf.few_rows()? {
                Some(rows) => {
                    let set = span_set(&leaf, rows)?;
                    note(&format!("{} traces, by the words", set.len()));
                    Node::Set(Arc::new(set))
                }
                None => {
                    note("looked at for the traces that are left");
                    Node::Span(Arc::new(leaf))
                }
            }
        }
        Predicate::Assessment(condition) => {
            if let Some(leaf) = AssessedLeaf::of(scope, condition)? {
                note("looked up for the traces that are left");
                return Ok(Node::Assessed(Arc::new(leaf)));
            }
            let set = assessment_set(scope, condition)?;
            note(&format!(
                "{} traces and {} sessions",
                set.len(),
                set.sessions()
            ));
            Node::Set(Arc::new(set))
        }
        // Replaced by trace ids before the search; one that is left here names no dataset.
        Predicate::Dataset(_) => Node::Const(false),
    })
}

impl Node {
    /// What evaluating it costs: operands of a conjunction go from cheap to dear.
    fn cost(&self) -> Cost {
        match self {
            Node::Const(_) => Cost::Number,
            Node::Trace(condition) => Cost::of(condition),
            Node::Set(_) => Cost::Set,
            Node::Assessed(_) => Cost::Spans,
            Node::Span(leaf) if !leaf.is_heavy() => Cost::Spans,
            Node::Span(_) => Cost::HeavySpans,
            Node::And(operands) | Node::Or(operands) => operands
                .iter()
                .map(Node::cost)
                .max()
                .unwrap_or(Cost::Number),
            Node::Not(operand) => operand.cost(),
        }
    }

    /// What is read of the spans that are looked up for it, if any are.
    fn spans_looked_up(&self) -> Option<Weight> {
        match self.cost() {
            Cost::Spans => Some(Weight::Light),
            Cost::HeavySpans => Some(Weight::Heavy),
            _ => None,
        }
    }

    /// Rows of the first piece of a segment that is read newest first for it.
    pub fn first_piece_rows(&self) -> u32 {
        match self.spans_looked_up() {
            None => FIRST_PIECE_ROWS,
            Some(Weight::Light) => FIRST_PIECE_ROWS_WITH_SPANS,
            Some(Weight::Heavy) => FIRST_PIECE_ROWS_WITH_HEAVY_SPANS,
        }
    }

    /// Whether it says of any row of a source whether that satisfies it, for less than copying the row's
    /// values would cost.
    fn is_total(&self) -> bool {
        match self {
            Node::Const(_) => true,
            Node::Trace(condition) => Cost::of(condition) < Cost::Pattern,
            Node::And(operands) | Node::Or(operands) => operands.iter().all(Node::is_total),
            Node::Not(operand) => operand.is_total(),
            Node::Set(_) | Node::Span(_) | Node::Assessed(_) => false,
        }
    }

    /// The smallest set that every match is in, as far as they are found, when there is one of traces alone.
    pub fn required_set(&self) -> Option<&TraceSet> {
        match self {
            Node::Set(set) => Some(set.as_ref()).filter(|set| set.is_by_trace()),
            Node::Assessed(leaf) => leaf.found().filter(|set| set.is_by_trace()),
            Node::And(operands) => operands
                .iter()
                .filter_map(Node::required_set)
                .min_by_key(|set| set.len()),
            _ => None,
        }
    }

    /// Narrows the way to the rows of `traces` to a set that every match is in, if it is small.
    ///
    /// # Errors
    /// What reading an index gives.
    pub fn confine(&self, snapshot: &Snapshot, path: &mut AccessPath) -> Result<()> {
        match self.required_set() {
            Some(set) if set.len() as u64 <= lookups_max(snapshot) => {
                path.confine(snapshot, set.traces())
            }
            _ => Ok(()),
        }
    }

    /// The only rows of `traces` in a source that can satisfy it, when indexes name the spans of such.
    ///
    /// # Errors
    /// What reading an index gives.
    pub fn named_rows(&self, source: usize) -> Result<Option<RoaringBitmap>> {
        match self {
            Node::Span(leaf) => leaf.named_traces(source),
            Node::And(operands) => {
                let mut named: Option<RoaringBitmap> = None;
                for operand in operands {
                    named = both(named, operand.named_rows(source)?);
                }
                Ok(named)
            }
            _ => Ok(None),
        }
    }

    /// A filter of `traces` of a source for each operand of a conjunction, each of which reads its columns for the
    /// survivors of those before; and how many of the first say of any row whether it satisfies them.
    pub fn filters(&self, source: usize) -> (Vec<RowFilter>, usize) {
        let operands = match self {
            Node::Const(true) => &[],
            Node::And(operands) => operands.as_slice(),
            other => std::slice::from_ref(other),
        };
        let total = operands.iter().take_while(|operand| operand.is_total());
        let filter = |operand: &Node| {
            let mut columns = Vec::new();
            operand.collect_columns(&mut columns);
            if columns.is_empty() {
                columns.push("request_time".to_string());
            }
            let node = operand.clone();
            let keep = move |batch: &RecordBatch| {
                let all = BooleanBuffer::new_set(batch.num_rows());
                Ok(BooleanArray::new(node.rows(source, batch, &all)?, None))
            };
            RowFilter {
                columns,
                keep: Arc::new(keep),
            }
        };
        (operands.iter().map(filter).collect(), total.count())
    }

    /// Adds the columns of `traces` that the node reads.
    fn collect_columns(&self, columns: &mut Vec<String>) {
        let mut add = |column: &str| {
            if !columns.iter().any(|known| known == column) {
                columns.push(column.to_string());
            }
        };
        match self {
            Node::Const(_) => {}
            Node::And(operands) | Node::Or(operands) => {
                operands
                    .iter()
                    .for_each(|operand| operand.collect_columns(columns));
            }
            Node::Not(operand) => operand.collect_columns(columns),
            Node::Trace(condition) => condition.columns().into_iter().for_each(add),
            Node::Set(set) => set.columns().iter().for_each(|column| add(column)),
            Node::Assessed(leaf) => leaf.columns().iter().for_each(|column| add(column)),
            Node::Span(_) => SPAN_RUN_COLUMNS.iter().for_each(|column| add(column)),
        }
    }

    /// Rows of a batch of `traces` of source `home` that satisfy the node, among the wanted ones.
    ///
    /// # Errors
    /// What reading spans gives; `Internal` when the batch lacks a column.
    pub fn rows(
        &self,
        home: usize,
        batch: &RecordBatch,
        wanted: &BooleanBuffer,
    ) -> Result<BooleanBuffer> {
        let count = batch.num_rows();
        match self {
            Node::Const(true) => Ok(wanted.clone()),
            Node::Const(false) => Ok(BooleanBuffer::new_unset(count)),
            Node::Trace(condition) => Ok(condition.evaluate(batch)?.values() & wanted),
            Node::Not(operand) => Ok(wanted & &!&operand.rows(home, batch, wanted)?),
            Node::And(operands) => {
                let mut left = wanted.clone();
                for operand in operands {
                    left = operand.rows(home, batch, &left)?;
                }
                Ok(left)
            }
            Node::Or(operands) => {
                let mut found = BooleanBuffer::new_unset(count);
                for operand in operands {
                    let missing = wanted & &!&found;
                    found = &found | &operand.rows(home, batch, &missing)?;
                }
                Ok(found)
            }
            Node::Set(set) => set.rows(batch, wanted),
            Node::Span(leaf) => leaf.rows(home, batch, wanted),
            Node::Assessed(leaf) => leaf.rows(batch, wanted),
        }
    }
}
