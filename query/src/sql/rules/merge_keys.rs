//! A sort below a merge sorts by all keys of the merge.
//!
//! DataFusion leaves out a key that is constant within each input of a `UNION ALL`. The merge compares it all the
//! same, but a sort with a limit does not: its parts share the worst row that they still want, and rows of one
//! input are then given up for rows of another that come later. The last check of a plan knows less of constants than
//! the rule that leaves them out, and refuses some. Sorting by a constant costs nothing that could be measured.
//!
//! Unneeded once `keys_that_are_constant_in_parts_of_a_union_count` among the tests passes without it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// The rule that puts sorts and merges into a plan; this one comes right behind it.
pub(super) const BEHIND: &str = "EnsureRequirements";

/// The rule; see the head of this file.
#[derive(Debug)]
pub(super) struct MergeKeys;

impl PhysicalOptimizerRule for MergeKeys {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(merge) = node.downcast_ref::<SortPreservingMergeExec>() else {
                return Ok(Transformed::no(node));
            };
            let sort = match merge.input().downcast_ref::<SortExec>() {
                Some(sort) if sort.expr() == merge.expr() || !sort.preserve_partitioning() => {
                    return Ok(Transformed::no(node));
                }
                Some(sort) => SortExec::new(merge.expr().clone(), Arc::clone(sort.input()))
                    .with_fetch(sort.fetch()),
                None => {
                    let known = merge.input().equivalence_properties();
                    if known.ordering_satisfy(merge.expr().clone())? {
                        return Ok(Transformed::no(node));
                    }
                    SortExec::new(merge.expr().clone(), Arc::clone(merge.input()))
                        .with_fetch(merge.fetch())
                }
            };
            let sort = Arc::new(sort.with_preserve_partitioning(true));
            let merged =
                SortPreservingMergeExec::new(merge.expr().clone(), sort).with_fetch(merge.fetch());
            Ok(Transformed::yes(Arc::new(merged)))
        })
        .data()
    }

    fn name(&self) -> &str {
        "merge_keys"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
