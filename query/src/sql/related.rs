//! Rows of `traces` that have a related row: the conditions of `trace_id IN (SELECT trace_id FROM spans ..)` as the
//! scan of `traces` evaluates them, in the way a search does.

use std::fmt;
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, col};
use datafusion::physical_expr::PhysicalExpr;
use tracehouse_storage::schema::Table;

use super::pushed::{evaluate, filter_failed, row_filter};
use super::required::attribute;
use super::scan::ScanPlan;
use crate::predicate::{AssessmentPredicate, MemberTest, Predicate, RowCondition, SpanPredicate};
use crate::search::Related;

/// The rows of another table of which a trace must have one.
#[derive(Debug, Clone)]
pub(super) struct RelatedRows {
    pub related: Related,
    scan: Arc<ScanPlan>,
}

impl fmt::Display for RelatedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[a row of {}", self.scan.rows.table().name())?;
        for filter in &self.scan.filters {
            write!(f, ", filter={}", filter.expr)?;
        }
        let dealt = self.scan.dealt().map_err(|_| fmt::Error)?;
        write!(f, ", access={}]", dealt.taken)
    }
}

/// The rows that a scan of `spans` or `assessments` gives; `None` where a trace is not asked for them in this way.
///
/// # Errors
/// What reading gives.
pub(super) fn related_rows(scan: &ScanPlan) -> Result<Option<RelatedRows>> {
    let Some(predicate) = predicate(scan).filter(|_| scan.limit.is_none()) else {
        return Ok(None);
    };
    Ok(Some(RelatedRows {
        related: scan.rows.related(&predicate)?,
        scan: Arc::new(scan.clone()),
    }))
}

fn predicate(scan: &ScanPlan) -> Option<Predicate> {
    let mut conditions: Vec<RowCondition> = (scan.filters.iter())
        .map(|filter| RowCondition {
            text: filter.expr.to_string(),
            filter: row_filter(filter, &scan.cancel),
            zones: Vec::new(),
            need: filter.need.clone(),
            member: filter.member.clone(),
        })
        .collect();
    if let Some(first) = conditions.first_mut() {
        first.zones = scan.zones.clone();
    }
    match scan.rows.table() {
        Table::Spans => {
            let conditions = conditions.into_iter().map(SpanPredicate::Row);
            Some(Predicate::Span(SpanPredicate::And(conditions.collect())))
        }
        Table::Assessments => Some(Predicate::Assessment(AssessmentPredicate::rows(conditions))),
        Table::Traces => None,
    }
}

/// The test of an attribute that `filter` is, if it reads nothing but `attributes->>'key'` of one key and lets no span
/// without it through.
///
/// # Errors
/// What DataFusion says of the expression.
pub(super) fn member_test(
    state: &dyn Session,
    schema: &DFSchema,
    filter: &Expr,
) -> Result<Option<MemberTest>> {
    let (mut keys, mut kind) = (Vec::new(), DataType::Null);
    let on_member = filter.clone().transform_down(|expr| {
        let Some(key) = attribute(&expr) else {
            return Ok(Transformed::no(expr));
        };
        kind = expr.get_type(schema)?;
        keys.push(key);
        Ok(Transformed::yes(col(MEMBER)))
    })?;
    keys.dedup();
    let reads_more = |column: &&Column| column.name != MEMBER;
    let [key] = keys.as_slice() else {
        return Ok(None);
    };
    if on_member.data.column_refs().iter().any(reads_more) {
        return Ok(None);
    }
    let field = Schema::new(vec![Field::new(MEMBER, kind, true)]);
    let expr = state.create_physical_expr(on_member.data, &DFSchema::try_from(field.clone())?)?;
    let test = OnMember {
        schema: Arc::new(field),
        expr,
    };
    Ok((!test.accepts(None)?).then(|| MemberTest {
        key: key.clone(),
        accepts: Arc::new(move |text| {
            let accepted = test.accepts(Some(text));
            accepted.map_err(|error| filter_failed(error.into()))
        }),
    }))
}

/// The name that an attribute has where it is the only column.
const MEMBER: &str = "member";

/// A filter of one attribute's text.
struct OnMember {
    schema: SchemaRef,
    expr: Arc<dyn PhysicalExpr>,
}

impl OnMember {
    fn accepts(&self, text: Option<&str>) -> Result<bool> {
        let kind = self.schema.field(0).data_type();
        let value = ScalarValue::Utf8(text.map(str::to_string)).cast_to(kind)?;
        let batch = RecordBatch::try_new(self.schema.clone(), vec![value.to_array()?])?;
        let kept = evaluate(&self.expr, &batch)?;
        Ok(kept.is_valid(0) && kept.value(0))
    }
}
