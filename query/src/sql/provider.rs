//! The tables `spans`, `traces`, `assessments` as DataFusion sees them.
//!
//! Filters are compiled to physical expressions and evaluated inside the scan, on their own columns,
//! light ones first (QU-4); they are exact there, so that DataFusion adds no filter of its own. What
//! can be told from them beforehand decides on the way to the rows (see `required`, `plan`).

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use tracehouse_storage::schema::Table;

use super::kept_texts::KeptTexts;
use super::partitions::Partitions;
use super::pushed::PushedFilter;
use super::related::member_test;
use super::required::{required, text_need};
use super::scan::{Cancel, ScanExec, ScanPlan};
use super::source::TableRows;
use crate::plan::cost::LIMIT_BATCH_ROWS_MIN;

/// One of the three versioned tables.
#[derive(Debug)]
pub(super) struct SnapshotTable {
    rows: TableRows,
    cancel: Cancel,
    batch_bytes: usize,
    kept: Arc<KeptTexts>,
}

impl SnapshotTable {
    /// The table over `rows`; scans stop when `cancel` is set, and give batches of at most `batch_bytes`.
    pub(super) fn new(
        rows: TableRows,
        cancel: Cancel,
        batch_bytes: usize,
        kept: Arc<KeptTexts>,
    ) -> Self {
        Self {
            rows,
            cancel,
            batch_bytes,
            kept,
        }
    }

    /// Which table.
    pub(super) fn table(&self) -> Table {
        self.rows.table()
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        self.rows.table().public_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let answer = |filter: &&Expr| match can_push(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(answer).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let projected = match projection {
            Some(indices) => Arc::new(schema.project(indices)?),
            None => schema.clone(),
        };
        let required = required(self.rows.table(), filters);
        let rows_max = limit
            .filter(|_| filters.is_empty())
            .map(|limit| limit as u64);
        let target_partitions = state.config().target_partitions();
        let partitions = match required.text {
            Some(_) => Partitions::later(target_partitions),
            None => {
                let units = self.rows.units(required.clone(), &[], rows_max)?;
                Partitions::of(units, target_partitions)
            }
        };
        let batch_rows = state.config().batch_size();
        let plan = ScanPlan {
            rows: self.rows.clone(),
            required: required.clone(),
            related: Vec::new(),
            filters: compile_filters(state, self.rows.table(), &schema, filters)?,
            zones: required.zones.clone(),
            partitions,
            limit,
            batch_rows: limit.map_or(batch_rows, |limit| {
                limit.clamp(LIMIT_BATCH_ROWS_MIN.min(batch_rows), batch_rows)
            }),
            batch_bytes: self.batch_bytes,
            late: BTreeSet::new(),
            kept: self.kept.clone(),
            cancel: self.cancel.clone(),
        };
        Ok(Arc::new(ScanExec::new(projected, plan)))
    }
}

/// Whether the scan can evaluate `filter`: it must be a function of the row alone.
fn can_push(filter: &Expr) -> bool {
    !filter.is_volatile() && !has_subquery(filter)
}

fn has_subquery(filter: &Expr) -> bool {
    let mut found = false;
    let walked = filter.apply(|expr| {
        found |= matches!(
            expr,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_)
        );
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    found || walked.is_err()
}

/// Light filters become one, evaluated first; each heavy one stays by itself.
fn compile_filters(
    state: &dyn Session,
    table: Table,
    schema: &Schema,
    filters: &[Expr],
) -> Result<Vec<PushedFilter>> {
    let is_heavy = |filter: &Expr| {
        filter
            .column_refs()
            .iter()
            .any(|column| table.is_heavy(&column.name))
    };
    let (heavy, light): (Vec<Expr>, Vec<Expr>) = filters.iter().cloned().partition(is_heavy);
    conjunction(light)
        .into_iter()
        .chain(heavy)
        .map(|filter| compile(state, table, schema, filter))
        .collect()
}

fn compile(
    state: &dyn Session,
    table: Table,
    schema: &Schema,
    filter: Expr,
) -> Result<PushedFilter> {
    let names: BTreeSet<String> = filter
        .column_refs()
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .filter(|field| names.contains(field.name()))
        .cloned()
        .collect();
    let columns = fields.iter().map(|field| field.name().clone()).collect();
    let df_schema = DFSchema::try_from(Schema::new(fields))?;
    let (need, member) = match table {
        Table::Spans => (text_need(&filter), member_test(state, &df_schema, &filter)?),
        Table::Traces | Table::Assessments => (None, None),
    };
    Ok(PushedFilter {
        columns,
        expr: state.create_physical_expr(filter, &df_schema)?,
        need,
        member,
    })
}
