//! The predicate of a search as it is evaluated on rows of `traces`.
//!
//! ```text
//! Predicate -> Node: conditions on the row itself,
//!                    sets of traces (assessments, rare words), found before the first row is read,
//!                    span conditions, looked at for the traces that everything else has left
//! ```

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use tracehouse_storage::{Result, Snapshot};

use super::Explain;
use super::sets::{TraceSet, assessment_set, span_set};
use super::spans::{SPAN_RUN_COLUMNS, SpanLeaf};
use crate::predicate::{Condition, Predicate};

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
}

/// Makes a predicate ready for one snapshot.
///
/// # Errors
/// What reading gives; `InvalidInput` for a text query that is refused.
pub(crate) fn resolve(
    snapshot: &Snapshot,
    experiments: Option<&[String]>,
    predicate: &Predicate,
    explain: &mut Explain,
) -> Result<Node> {
    let mut all = |operands: &[Predicate]| -> Result<Vec<Node>> {
        operands.iter().map(|operand| resolve(snapshot, experiments, operand, explain)).collect()
    };
    Ok(match predicate {
        Predicate::Const(value) => Node::Const(*value),
        Predicate::And(operands) => {
            let mut nodes = all(operands)?;
            nodes.sort_by_key(Node::cost);
            Node::And(nodes)
        }
        Predicate::Or(operands) => Node::Or(all(operands)?),
        Predicate::Not(operand) => Node::Not(Box::new(resolve(snapshot, experiments, operand, explain)?)),
        Predicate::Trace(condition) => Node::Trace(condition.clone()),
        Predicate::Span(condition) => {
            let leaf = SpanLeaf::new(snapshot, condition);
            if let Some(covered) = leaf.coverage()? {
                let (indexed, scanned) = (covered.indexed, covered.scanned);
                explain.note(format!("{predicate}: text index of {indexed} spans, {scanned} without"));
            }
            match leaf.few_rows()? {
                Some(rows) => {
                    let set = span_set(&leaf, rows)?;
                    explain.note(format!("{predicate}: {} traces by the text index", set.len()));
                    Node::Set(Arc::new(set))
                }
                None => {
                    explain.note(format!("{predicate}: looked up for the traces that are left"));
                    Node::Span(Arc::new(leaf))
                }
            }
        }
        Predicate::Assessment(condition) => {
            let set = assessment_set(snapshot, experiments, condition)?;
            explain.note(format!("{predicate}: {} traces", set.len()));
            Node::Set(Arc::new(set))
        }
        // Replaced by trace ids before the search; one that is left here names no dataset.
        Predicate::Dataset(_) => Node::Const(false),
    })
}

impl Node {
    /// What evaluating it costs, by rank: operands of a conjunction go from cheap to dear.
    fn cost(&self) -> u8 {
        match self {
            Node::Const(_) => 0,
            Node::Trace(_) => 1,
            Node::Set(_) => 2,
            Node::Span(leaf) if !leaf.is_heavy() => 3,
            Node::Span(_) => 4,
            Node::And(operands) | Node::Or(operands) => operands.iter().map(Node::cost).max().unwrap_or(0),
            Node::Not(operand) => operand.cost(),
        }
    }

    /// Whether spans are looked up for it.
    pub fn looks_up_spans(&self) -> bool {
        self.cost() > 2
    }

    /// The smallest set that every match is in, when there is one of traces alone.
    pub fn required_set(&self) -> Option<&TraceSet> {
        match self {
            Node::Set(set) => Some(set.as_ref()).filter(|set| set.is_by_trace()),
            Node::And(operands) => operands.iter().filter_map(Node::required_set).min_by_key(|set| set.len()),
            _ => None,
        }
    }

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
            Node::Set(set) => set.columns().iter().for_each(|column| add(column)),
            Node::Span(_) => SPAN_RUN_COLUMNS.iter().for_each(|column| add(column)),
        }
    }

    /// Rows of a batch of `traces` of source `home` that satisfy the node, among the wanted ones.
    ///
    /// # Errors
    /// What reading spans gives; `Internal` when the batch lacks a column.
    pub fn rows(&self, home: usize, batch: &RecordBatch, wanted: &BooleanBuffer) -> Result<BooleanBuffer> {
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
        }
    }
}
