//! Conditions that a scan evaluates: those of the statement, and those that joins and top-k make while they run.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, Column, DynamicFilterPhysicalExpr, InListExpr, Literal,
};
use tracehouse_storage::scan::RowFilter;

use super::scan::Cancel;
use crate::error::QueryError;
use crate::plan::cost::{TRIAL_PASSING_SHARE, TRIAL_ROWS};
use crate::predicate::MemberTest;
use crate::predicate::column::equal;
use crate::text_need::TextNeed;

/// A condition compiled over some columns of the table.
#[derive(Clone)]
pub(super) struct PushedFilter {
    /// The columns it reads, in the order its column indices count.
    pub columns: Vec<String>,
    /// The condition; NULL drops the row.
    pub expr: Arc<dyn PhysicalExpr>,
    /// What a span's text has that satisfies it.
    pub need: Option<TextNeed>,
    /// The attribute whose text alone decides.
    pub member: Option<MemberTest>,
}

impl fmt::Debug for PushedFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.expr)
    }
}

impl PushedFilter {
    /// A condition of which nothing is known beforehand.
    pub(super) fn new(columns: Vec<String>, expr: Arc<dyn PhysicalExpr>) -> Self {
        Self {
            columns,
            expr,
            need: None,
            member: None,
        }
    }
}

impl PushedFilter {
    /// Whether it is a bound of a top-k on one column of times that lets no time up to this one through.
    pub(super) fn is_above(&self, latest_ns: i64) -> bool {
        let bound = self
            .expr
            .downcast_ref::<DynamicFilterPhysicalExpr>()
            .and_then(|bound| bound.current().ok());
        let Some(bound) = bound
            .as_ref()
            .and_then(|bound| bound.downcast_ref::<BinaryExpr>())
        else {
            return false;
        };
        let least = (bound.right().downcast_ref::<Literal>()).map(Literal::value);
        let Some(ScalarValue::TimestampNanosecond(Some(least), _)) = least else {
            return false;
        };
        let is_column = bound.left().downcast_ref::<Column>().is_some();
        match bound.op() {
            Operator::Gt => is_column && latest_ns <= *least,
            Operator::GtEq => is_column && latest_ns < *least,
            _ => false,
        }
    }
}

/// Whether a filter tightens while the query runs and is about more than columns. DataFusion gives such
/// an expression wrong column numbers when a part of it is bounded too (`ORDER BY a + b, a LIMIT 1`):
/// it renumbers the parts first and does not know the whole again. Only speed is lost without it.
pub(super) fn is_bound_on_expressions(filter: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    filter.exists(|expr| {
        let is_dynamic = expr.downcast_ref::<DynamicFilterPhysicalExpr>().is_some();
        Ok(is_dynamic
            && expr
                .children()
                .iter()
                .any(|child| child.downcast_ref::<Column>().is_none()))
    })
}

/// A filter of a scan.
pub(super) fn row_filter(filter: &PushedFilter, cancel: &Cancel) -> RowFilter {
    let (expr, cancel) = (Arc::clone(&filter.expr), cancel.clone());
    let (equality, trial) = (equality(&expr), Trial::default());
    let keep = move |batch: &RecordBatch| {
        let kept = cancel
            .check()
            .map_err(DataFusionError::from)
            .and_then(|()| {
                if trial.is_over.load(Ordering::Relaxed) {
                    return Ok(BooleanArray::new(
                        BooleanBuffer::new_set(batch.num_rows()),
                        None,
                    ));
                }
                let quick = equality
                    .as_ref()
                    .map(|(column, text)| evaluate_equality(*column, text, batch));
                let kept = match quick.transpose()?.flatten() {
                    Some(kept) => kept,
                    None => evaluate(&expr, batch)?,
                };
                trial.note(&expr, &kept)?;
                Ok(kept)
            });
        kept.map_err(|error| filter_failed(error.into()))
    };
    RowFilter {
        columns: filter.columns.clone(),
        keep: Arc::new(keep),
    }
}

/// The error of a filter as a scan hands it on.
pub(super) fn filter_failed(error: QueryError) -> tracehouse_storage::Error {
    tracehouse_storage::Error::with_source(error.kind(), "a filter failed", error)
}

/// One boolean per row of a batch of the expression's columns.
pub(super) fn evaluate(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let values = expr.evaluate(batch)?.into_array(batch.num_rows())?;
    match values.as_boolean_opt() {
        Some(kept) => Ok(kept.clone()),
        None => internal_err!("a filter is not boolean but {}", values.data_type()),
    }
}

/// The column and the text of a condition that they are equal.
fn equality(expr: &Arc<dyn PhysicalExpr>) -> Option<(usize, String)> {
    let comparison = expr
        .downcast_ref::<BinaryExpr>()
        .filter(|expr| *expr.op() == Operator::Eq)?;
    let column = comparison.left().downcast_ref::<Column>()?;
    let literal = comparison.right().downcast_ref::<Literal>()?;
    Some((column.index(), literal.value().try_as_str()??.to_string()))
}

/// The rows where they are equal; `None` for a column of another kind of text.
fn evaluate_equality(
    column: usize,
    wanted: &str,
    batch: &RecordBatch,
) -> Result<Option<BooleanArray>> {
    let texts = batch
        .columns()
        .get(column)
        .and_then(|column| column.as_string_view_opt());
    let equal = texts.map(|texts| equal(texts, wanted)).transpose();
    let equal = equal.map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(equal.map(|equal| BooleanArray::new(equal, None)))
}

/// Watches how many rows a filter lets through that only saves a join work: whether a row is among those of
/// the other side. Looking that up costs as much as the join itself, and where half of the rows are, nothing
/// is saved. Bounds are cheap, and tighten: they are not given up.
#[derive(Default)]
struct Trial {
    seen: AtomicU64,
    passed: AtomicU64,
    is_over: AtomicBool,
}

impl Trial {
    fn note(&self, expr: &Arc<dyn PhysicalExpr>, kept: &BooleanArray) -> Result<()> {
        let Some(dynamic) = expr.downcast_ref::<DynamicFilterPhysicalExpr>() else {
            return Ok(());
        };
        let before = self.seen.fetch_add(kept.len() as u64, Ordering::Relaxed);
        let passed = kept.true_count() as u64;
        let passed = self.passed.fetch_add(passed, Ordering::Relaxed) + passed;
        let seen = before + kept.len() as u64;
        if before < TRIAL_ROWS
            && seen >= TRIAL_ROWS
            && passed.saturating_mul(TRIAL_PASSING_SHARE) >= seen
        {
            let is_lookup = dynamic.current()?.exists(|expr| {
                Ok(expr.downcast_ref::<CaseExpr>().is_some()
                    || expr.downcast_ref::<InListExpr>().is_some())
            })?;
            self.is_over.store(is_lookup, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::physical_expr::expressions::{binary, in_list, lit};

    use super::*;

    #[test]
    fn a_lookup_that_leaves_nothing_out_is_given_up_and_a_bound_is_not() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let rows = Int64Array::from(vec![1; TRIAL_ROWS as usize]);
        let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(rows)]).unwrap();
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new("n", 0));
        let lookup = in_list(
            column.clone(),
            vec![lit(1_i64), lit(5_i64)],
            &false,
            &schema,
        )
        .unwrap();
        let bound = binary(column.clone(), Operator::Gt, lit(0_i64), &schema).unwrap();
        for (inner, left) in [(lookup, TRIAL_ROWS as usize), (bound, 0)] {
            let dynamic = Arc::new(DynamicFilterPhysicalExpr::new(vec![column.clone()], inner));
            let pushed = PushedFilter::new(vec!["n".into()], dynamic.clone());
            let filter = row_filter(&pushed, &Cancel::default());
            assert_eq!(
                (filter.keep)(&batch).unwrap().true_count(),
                TRIAL_ROWS as usize
            );
            dynamic.update(lit(false)).unwrap();
            assert_eq!((filter.keep)(&batch).unwrap().true_count(), left);
        }
    }

    #[test]
    fn a_bound_that_rises_leaves_out_what_is_older() {
        let kind = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None);
        let schema = Schema::new(vec![Field::new("request_time", kind, false)]);
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new("request_time", 0));
        let dynamic = Arc::new(DynamicFilterPhysicalExpr::new(
            vec![column.clone()],
            lit(true),
        ));
        let bound = PushedFilter::new(vec!["request_time".into()], dynamic.clone());
        assert!(!bound.is_above(i64::MIN));
        let above = |op, ns| {
            let least = lit(ScalarValue::TimestampNanosecond(Some(ns), None));
            dynamic
                .update(binary(column.clone(), op, least, &schema).unwrap())
                .unwrap();
            [ns - 1, ns, ns + 1].map(|latest| bound.is_above(latest))
        };
        assert_eq!(above(Operator::Gt, 5), [true, true, false]);
        assert_eq!(above(Operator::GtEq, 6), [true, false, false]);
        assert_eq!(above(Operator::Lt, 7), [false, false, false]);
    }

    #[test]
    fn equal_texts_are_told_as_by_the_expression() {
        let schema = Schema::new(vec![Field::new("t", DataType::Utf8View, true)]);
        let texts = [
            "LLM",
            "",
            "twelve bytes",
            "thirteen byte",
            "thirteen bytf",
            "LLM\0",
        ];
        let array =
            arrow::array::StringViewArray::from_iter(texts.map(Some).into_iter().chain([None]));
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(array)]).unwrap();
        for text in texts {
            let value = datafusion::common::ScalarValue::Utf8View(Some(text.into()));
            let expr = binary(
                Arc::new(Column::new("t", 0)),
                Operator::Eq,
                lit(value),
                &schema,
            )
            .unwrap();
            let (column, wanted) = equality(&expr).unwrap();
            let quick = evaluate_equality(column, &wanted, &batch).unwrap().unwrap();
            assert_eq!(quick.true_count(), 1, "{text:?}");
            assert_eq!(
                Some(quick),
                evaluate(&expr, &batch)
                    .map(|slow| arrow::compute::prep_null_mask_filter(&slow))
                    .ok()
            );
        }
    }
}
