//! The optimizer rule that puts a tap and a scan to work where a hash join looks up keys in a table: [`PruneByKeys`].

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
use super::times::is_time;

/// If a hash join probes a [`KeyScanExec`] by a column and drops its unmatched rows, the scan waits for the join's keys
/// and skips the files that hold none of them. Must run last.
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

/// Whether unmatched rows of the probe (right) side are dropped from the result.
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
    let probe_schema = join.right().schema();
    let columns = join.on().iter().filter_map(|(build_key, probe_key)| {
        let index = probe_key.downcast_ref::<Column>()?.index();
        Some((build_key, index, is_time(probe_schema.field(index).data_type())))
    });
    let (times, keys): (Vec<_>, Vec<_>) = columns.partition(|(_, _, is_time)| *is_time);
    let time = times.first();
    for (build_key, index, _) in keys {
        let tap = KeyTapExec::new(
            join.left().clone(),
            build_key.clone(),
            time.map(|(time, ..)| (*time).clone()),
        );
        let wanted = Wanted {
            key: index,
            time: time.map(|(_, index, _)| *index),
        };
        if let Some(probe) = attach(join.right(), wanted, &tap)? {
            return join
                .builder()
                .with_new_children(vec![Arc::new(tap), probe])?
                .build_exec()
                .map(Some);
        }
    }
    Ok(None)
}

/// The columns of the probe side to compare with what the tap collects.
#[derive(Clone, Copy)]
struct Wanted {
    key: usize,
    time: Option<usize>,
}

/// The plan with the scan that a key comes from waiting for the tap; `None` if the key comes from no such scan.
fn attach(plan: &Arc<dyn ExecutionPlan>, wanted: Wanted, tap: &KeyTapExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = plan.downcast_ref::<KeyScanExec>() {
        let scan = scan.with_keys(wanted.key, wanted.time, tap.keys());
        return Ok(scan.map(|scan| Arc::new(scan) as _));
    }
    let Some(key) = column_of_child(plan.as_ref(), wanted.key) else {
        return Ok(None);
    };
    let time = wanted.time.and_then(|time| column_of_child(plan.as_ref(), time));
    let [child] = plan.children()[..] else { return Ok(None) };
    let Some(child) = attach(child, Wanted { key, time }, tap)? else {
        return Ok(None);
    };
    replace_children_if_necessary(plan.clone(), vec![child]).map(Some)
}

/// The child column that a node passes through unchanged, if the node does nothing but drop rows.
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
