//! Optimized plans of statements asked lately. Planning a small statement takes as long as running it.
//!
//! A plan is kept without the rows it was made for, and put over those of the statement that uses it, so that
//! it pins no snapshot and its answer is that of a new plan.
//!
//! **Invariant**: only plans that are a function of the statement's text are kept: over the three versioned
//! tables alone, whose columns never change, and without functions of time or chance, which the optimizer
//! replaces by their values.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource, Volatility};
use lru::LruCache;
use tracehouse_storage::schema::Table;

use super::provider::SnapshotTable;
use super::views::Tables;
use crate::error::QueryError;

/// Plans kept.
const PLANS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(127);
/// Longest statement whose plan is kept, bytes.
const STATEMENT_BYTES_MAX: usize = 16 << 10;

/// Plans by statement, those used longest ago go first.
#[derive(Debug)]
pub(crate) struct Plans(Mutex<LruCache<String, LogicalPlan>>);

impl Default for Plans {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(PLANS_MAX)))
    }
}

impl Plans {
    fn kept(&self) -> MutexGuard<'_, LruCache<String, LogicalPlan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The optimized plan of a statement over these tables, if it is kept.
    ///
    /// # Errors
    /// `Internal` when a table is missing.
    pub(super) fn get(&self, statement: &str, tables: &Tables) -> Result<Option<LogicalPlan>> {
        let Some(plan) = self.kept().get(statement).cloned() else {
            return Ok(None);
        };
        with_sources(plan, |source| {
            let Some(NoRows(table)) = source.downcast_ref::<NoRows>() else {
                return Ok(source.clone());
            };
            match tables.get(table.name()) {
                Some(provider) => Ok(provider_as_source(provider.clone())),
                None => Err(QueryError::internal(format!("no table {}", table.name())).into()),
            }
        })
        .map(Some)
    }

    /// Keeps the optimized form of a statement's plan, unless another time may need another.
    ///
    /// # Errors
    /// None of its own.
    pub(super) fn put(
        &self,
        statement: &str,
        plan: &LogicalPlan,
        optimized: &LogicalPlan,
    ) -> Result<()> {
        if statement.len() > STATEMENT_BYTES_MAX
            || !is_stable(plan)?
            || !reads_versioned_tables(optimized)?
        {
            return Ok(());
        }
        let unbound = with_sources(optimized.clone(), |source| match table_of(source) {
            Some(table) => Ok(Arc::new(NoRows(table))),
            None => Ok(source.clone()),
        })?;
        self.kept().put(statement.to_string(), unbound);
        Ok(())
    }
}

/// A table of which only the columns are known.
#[derive(Debug)]
struct NoRows(Table);

impl TableSource for NoRows {
    fn schema(&self) -> SchemaRef {
        self.0.public_schema()
    }
}

fn table_of(source: &Arc<dyn TableSource>) -> Option<Table> {
    Some(
        source_as_provider(source)
            .ok()?
            .downcast_ref::<SnapshotTable>()?
            .table(),
    )
}

fn with_sources(
    plan: LogicalPlan,
    change: impl Fn(&Arc<dyn TableSource>) -> Result<Arc<dyn TableSource>>,
) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(mut scan) => {
            scan.source = change(&scan.source)?;
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(changed.data)
}

/// Whether a plan is a query that calls no function of time or chance.
fn is_stable(plan: &LogicalPlan) -> Result<bool> {
    let mut is_stable = true;
    plan.apply_with_subqueries(|node| {
        is_stable &= !matches!(
            node,
            LogicalPlan::Explain(_)
                | LogicalPlan::Analyze(_)
                | LogicalPlan::DescribeTable(_)
                | LogicalPlan::Statement(_)
                | LogicalPlan::Extension(_)
        );
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                is_stable &= match expr {
                    Expr::ScalarFunction(call) => {
                        call.func.signature().volatility == Volatility::Immutable
                    }
                    Expr::ScalarVariable(..) | Expr::Placeholder(_) => false,
                    _ => true,
                };
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(is_stable)
}

fn reads_versioned_tables(plan: &LogicalPlan) -> Result<bool> {
    let mut are_versioned = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            are_versioned &= table_of(&scan.source).is_some();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(are_versioned)
}
