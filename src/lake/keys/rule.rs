use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, NullEquality, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use super::KeyScanExec;
use super::tap::KeyTapExec;

/// Where a hash join looks up the rows of a [`KeyScanExec`] by a column, and has no use for those without a match, the
/// scan waits for the join's keys and skips the files that hold none of them. To run last.
#[derive(Debug)]
pub struct PruneByKeys;

impl PhysicalOptimizerRule for PruneByKeys {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let pruned = plan.transform_up(|node| {
            let join = node.downcast_ref::<HashJoinExec>().filter(|join| drops_unmatched(join));
            match join.map(prune).transpose()?.flatten() {
                Some(pruned) => Ok(Transformed::yes(pruned)),
                None => Ok(Transformed::no(node)),
            }
        });
        pruned.map(|pruned| pruned.data)
    }

    fn name(&self) -> &str {
        "prune_by_keys"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether rows of the probe side (the right one) without a match have no part in the result.
fn drops_unmatched(join: &HashJoinExec) -> bool {
    let drops = matches!(
        join.join_type(),
        JoinType::Inner
            | JoinType::Left
            | JoinType::LeftSemi
            | JoinType::LeftAnti
            | JoinType::LeftMark
            | JoinType::RightSemi
    );
    drops && !join.null_aware && join.null_equality() == NullEquality::NullEqualsNothing
}

fn prune(join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    for (build_key, probe_key) in join.on() {
        let Some(probe_key) = probe_key.downcast_ref::<Column>() else {
            continue;
        };
        let tap = KeyTapExec::new(join.left().clone(), build_key.clone());
        if let Some(probe) = attach(join.right(), probe_key.index(), &tap)? {
            return join
                .builder()
                .with_new_children(vec![Arc::new(tap), probe])?
                .build_exec()
                .map(Some);
        }
    }
    Ok(None)
}

/// The plan in which the scan that a column comes from waits for the tap; `None` where it comes from none.
fn attach(plan: &Arc<dyn ExecutionPlan>, column: usize, tap: &KeyTapExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = plan.downcast_ref::<KeyScanExec>() {
        return Ok(scan.with_keys(column, tap.keys()).map(|scan| Arc::new(scan) as _));
    }
    let Some(column) = column_of_child(plan.as_ref(), column) else {
        return Ok(None);
    };
    let [child] = plan.children()[..] else { return Ok(None) };
    let Some(child) = attach(child, column, tap)? else {
        return Ok(None);
    };
    replace_children_if_necessary(plan.clone(), vec![child]).map(Some)
}

/// Which column of its child a node hands on as its own, where it does no more to the rows than leave some out.
fn column_of_child(plan: &dyn ExecutionPlan, column: usize) -> Option<usize> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let expression = &projection.expr().get(column)?.expr;
        return expression.downcast_ref::<Column>().map(Column::index);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return match filter.projection() {
            Some(projection) => projection.get(column).copied(),
            None => Some(column),
        };
    }
    let passes = plan.is::<RepartitionExec>() || plan.is::<CoalescePartitionsExec>() || plan.is::<CooperativeExec>();
    passes.then_some(column)
}
