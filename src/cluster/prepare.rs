//! Rewrites a plan so that several tasks may share a stage without doubling or losing rows: scattered leaves
//! (`scattered`), unions, nested-loop joins.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, replace_children_if_necessary};

use super::codec::is_source;
use super::scattered::ScatteredExec;

/// Rewrites a plan so that it returns the same rows when several tasks share its stages.
///
/// - A leaf that reads a source is scattered: see [`ScatteredExec`].
/// - A branch of a union with a cross or nested-loop join gets a stage of its own: Ballista 55 may swap the join's
///   sides once its inputs are known, after deciding to run the branch in the union's stage; every task of that stage
///   would then return all of its rows.
/// - A nested-loop join that returns unmatched rows of its left side reads its right side as a whole: otherwise each
///   task would return the rows without a match in its own part.
///
/// # Errors
/// When a node rejects its new inputs.
pub(super) fn prepare(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        if is_source(node.as_ref()) {
            return Ok(Transformed::yes(Arc::new(ScatteredExec::all(node)?)));
        }
        let inputs = || node.children().into_iter().cloned();
        let changed: Vec<_> = if node.is::<UnionExec>() {
            inputs()
                .map(|input| if may_swap(&input) { whole(input) } else { input })
                .collect()
        } else if node
            .downcast_ref::<NestedLoopJoinExec>()
            .is_some_and(gives_unmatched_left)
        {
            inputs()
                .enumerate()
                .map(|(side, input)| if side == 1 { whole(input) } else { input })
                .collect()
        } else {
            return Ok(Transformed::no(node));
        };
        Ok(Transformed::yes(replace_children_if_necessary(node, changed)?))
    })
    .data()
}

/// Merges a plan into one partition. The limit, which limits nothing, requires that: otherwise the scheduler would
/// remove a node that merges partitions as unnecessary.
fn whole(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(GlobalLimitExec::new(
        Arc::new(CoalescePartitionsExec::new(plan)),
        0,
        None,
    ))
}

/// Whether it contains a join whose sides may be swapped.
fn may_swap(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut found = false;
    // The closure never fails.
    _ = plan.apply(|node| {
        found |= node.is::<CrossJoinExec>() || node.is::<NestedLoopJoinExec>();
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    found
}

fn gives_unmatched_left(join: &NestedLoopJoinExec) -> bool {
    let of_left = [
        JoinType::Left,
        JoinType::LeftSemi,
        JoinType::LeftAnti,
        JoinType::LeftMark,
        JoinType::Full,
    ];
    of_left.contains(join.join_type()) && join.right().output_partitioning().partition_count() > 1
}
