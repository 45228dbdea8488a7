//! Large columns of a top-k's rows are read behind it: those of the rows that are left, not of all that matched.
//!
//! Told from the plan: which column of a scan each column of the top-k's output is, through operators that only pass
//! columns on. One that an operator on the way computes with is read in the scan, as are all columns beneath an operator
//! that is not known here. What is read late, and how, is in `late`.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

use crate::sql::late::LateColumnsExec;
use crate::sql::scan::ScanExec;

/// The rule. It comes behind those that move or add operators, none of which knows what a stand-in is.
#[derive(Debug)]
pub(super) struct LateColumns;

impl PhysicalOptimizerRule for LateColumns {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|node| {
            if !is_top_k(&node) {
                return Ok(Transformed::no(node));
            }
            Ok(match with_late_columns(&node)? {
                Some(late) => Transformed::new(late, true, TreeNodeRecursion::Jump),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "late_columns"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether only a number of rows leaves `node`, by a sort that it is or that it takes them from.
fn is_top_k(node: &Arc<dyn ExecutionPlan>) -> bool {
    if let Some(sort) = node.downcast_ref::<SortExec>() {
        return sort.fetch().is_some();
    }
    let passes_on = node.downcast_ref::<SortPreservingMergeExec>().is_some()
        || node.downcast_ref::<GlobalLimitExec>().is_some()
        || node
            .downcast_ref::<ProjectionExec>()
            .is_some_and(computes_nothing);
    passes_on && node.children().into_iter().any(is_top_k)
}

/// Whether only columns leave it. Beneath one that computes, more of them may be late.
fn computes_nothing(projection: &ProjectionExec) -> bool {
    let mut outputs = projection.expr().iter();
    outputs.all(|output| output.expr.downcast_ref::<Column>().is_some())
}

/// `top_k` with the large columns that nothing beneath it looks at read behind it, if there are any.
fn with_late_columns(top_k: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let mut scans = Scans::default();
    let columns = scans.columns_of(top_k);
    let mut tables = Vec::new();
    let mut late_scans: Vec<(Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>)> = Vec::new();
    for (number, (node, used)) in scans.0.iter().enumerate() {
        let Some(scan) = node.downcast_ref::<ScanExec>() else {
            continue;
        };
        let is_late = |index: usize| !used.contains(&index) && scan.can_be_late(index);
        let late: Vec<(usize, usize)> = columns
            .iter()
            .enumerate()
            .filter_map(|(at, origin)| {
                let origin = origin.filter(|origin| origin.scan == number)?;
                is_late(origin.column).then_some((at, origin.column))
            })
            .collect();
        if !late.is_empty() {
            let (scan, table) = scan.with_late(&late)?;
            tables.push(table);
            late_scans.push((node.clone(), Arc::new(scan)));
        }
    }
    if tables.is_empty() {
        return Ok(None);
    }
    let changed = top_k.clone().transform_down(|node| {
        let late = late_scans.iter().find(|(scan, _)| Arc::ptr_eq(scan, &node));
        Ok(match late {
            Some((_, late)) => Transformed::yes(late.clone()),
            None => Transformed::no(node),
        })
    })?;
    Ok(Some(Arc::new(LateColumnsExec::new(changed.data, tables))))
}

/// A column of a scan.
#[derive(Debug, Clone, Copy)]
struct Origin {
    /// Which of the scans.
    scan: usize,
    /// Which of its columns.
    column: usize,
}

/// Scans of a plan, and which columns of each an operator looks at.
#[derive(Default)]
struct Scans(Vec<(Arc<dyn ExecutionPlan>, Vec<usize>)>);

impl Scans {
    /// Where each column of `node` is from; `None` where it is computed, or not known.
    fn columns_of(&mut self, node: &Arc<dyn ExecutionPlan>) -> Vec<Option<Origin>> {
        let columns = self.known_columns(node);
        let count = node.schema().fields().len();
        match columns.filter(|columns| columns.len() == count) {
            Some(columns) => columns,
            None => vec![None; count],
        }
    }

    fn known_columns(&mut self, node: &Arc<dyn ExecutionPlan>) -> Option<Vec<Option<Origin>>> {
        if node.downcast_ref::<ScanExec>().is_some() {
            return Some(self.scanned(node));
        }
        if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            return Some(self.joined(join));
        }
        let [input] = node.children()[..] else {
            return None;
        };
        if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
            let columns = self.columns_of(input);
            let exprs = projection.expr().iter().map(|output| &output.expr);
            return Some(exprs.map(|expr| self.passed(expr, &columns)).collect());
        }
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            let columns = self.columns_of(input);
            self.look(filter.predicate(), &columns);
            return Some(projected(columns, filter.projection().as_deref()));
        }
        let looked_at: Vec<Arc<dyn PhysicalExpr>> = looked_at(node)?;
        let columns = self.columns_of(input);
        for expr in &looked_at {
            self.look(expr, &columns);
        }
        Some(columns)
    }

    fn scanned(&mut self, scan: &Arc<dyn ExecutionPlan>) -> Vec<Option<Origin>> {
        let number = self.0.len();
        self.0.push((scan.clone(), Vec::new()));
        let columns = 0..scan.schema().fields().len();
        let origin = |column| Origin {
            scan: number,
            column,
        };
        columns.map(|column| Some(origin(column))).collect()
    }

    fn joined(&mut self, join: &HashJoinExec) -> Vec<Option<Origin>> {
        let left = self.columns_of(join.left());
        let right = self.columns_of(join.right());
        for (of_left, of_right) in join.on() {
            self.look(of_left, &left);
            self.look(of_right, &right);
        }
        for column in join
            .filter()
            .iter()
            .flat_map(|filter| filter.column_indices())
        {
            let side = match column.side {
                JoinSide::Left => &left,
                JoinSide::Right => &right,
                JoinSide::None => continue,
            };
            self.mark(side.get(column.index).copied().flatten());
        }
        let columns = match join.join_type() {
            JoinType::LeftSemi | JoinType::LeftAnti => left,
            JoinType::RightSemi | JoinType::RightAnti => right,
            JoinType::LeftMark => [left, vec![None]].concat(),
            JoinType::RightMark => [right, vec![None]].concat(),
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                [left, right].concat()
            }
        };
        projected(columns, join.projection.as_deref())
    }

    /// Where an output is from that passes a column on; one that computes looks at its columns.
    fn passed(
        &mut self,
        expr: &Arc<dyn PhysicalExpr>,
        columns: &[Option<Origin>],
    ) -> Option<Origin> {
        if let Some(column) = expr.downcast_ref::<Column>() {
            return columns.get(column.index()).copied().flatten();
        }
        self.look(expr, columns);
        None
    }

    fn look(&mut self, expr: &Arc<dyn PhysicalExpr>, columns: &[Option<Origin>]) {
        for column in collect_columns(expr) {
            self.mark(columns.get(column.index()).copied().flatten());
        }
    }

    fn mark(&mut self, origin: Option<Origin>) {
        let used = origin.and_then(|origin| Some((origin, self.0.get_mut(origin.scan)?)));
        if let Some((origin, (_, used))) = used {
            used.push(origin.column);
        }
    }
}

/// What an operator that passes all its columns on looks at; `None` for any other.
fn looked_at(node: &Arc<dyn ExecutionPlan>) -> Option<Vec<Arc<dyn PhysicalExpr>>> {
    if let Some(sort) = node.downcast_ref::<SortExec>() {
        return Some(sort.expr().iter().map(|key| key.expr.clone()).collect());
    }
    if let Some(merge) = node.downcast_ref::<SortPreservingMergeExec>() {
        return Some(merge.expr().iter().map(|key| key.expr.clone()).collect());
    }
    if let Some(repartition) = node.downcast_ref::<RepartitionExec>() {
        return match repartition.partitioning() {
            Partitioning::Hash(keys, _) => Some(keys.clone()),
            Partitioning::RoundRobinBatch(_) | Partitioning::UnknownPartitioning(_) => {
                Some(Vec::new())
            }
            _ => None,
        };
    }
    let passes_on = node.downcast_ref::<CoalescePartitionsExec>().is_some()
        || node.downcast_ref::<CooperativeExec>().is_some()
        || node.downcast_ref::<GlobalLimitExec>().is_some()
        || node.downcast_ref::<LocalLimitExec>().is_some();
    passes_on.then(Vec::new)
}

fn projected(columns: Vec<Option<Origin>>, projection: Option<&[usize]>) -> Vec<Option<Origin>> {
    match projection {
        None => columns,
        Some(indices) => indices
            .iter()
            .map(|index| columns.get(*index).copied().flatten())
            .collect(),
    }
}
