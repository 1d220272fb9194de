//! Splits the rows that a join holds back until its end into batches of the usual size.
//!
//! A hash join that returns rows of its build side (an anti join of new rows with a table) returns the remaining ones
//! at its end in one batch, however many there are. A sort above takes a batch only as a whole, and fails if its share
//! of the memory is smaller, although it could spill.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{TryStreamExt, stream};

/// Puts a [`SplitExec`] above each hash join that returns rows at its end. Runs last, because it changes neither order
/// nor partitioning.
#[derive(Debug)]
pub(super) struct SplitJoined;

impl PhysicalOptimizerRule for SplitJoined {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let above_joins = |plan: Arc<dyn ExecutionPlan>| match plan.downcast_ref::<HashJoinExec>() {
            Some(join) if gives_rows_at_its_end(*join.join_type()) => {
                Ok(Transformed::yes(
                    Arc::new(SplitExec { input: plan }) as Arc<dyn ExecutionPlan>
                ))
            }
            _ => Ok(Transformed::no(plan)),
        };
        plan.transform_up(above_joins).data()
    }

    fn name(&self) -> &str {
        "split_joined"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn gives_rows_at_its_end(join: JoinType) -> bool {
    use JoinType::{Full, Left, LeftAnti, LeftMark, LeftSemi};
    matches!(join, Left | LeftAnti | LeftSemi | LeftMark | Full)
}

/// Its input, with batches larger than the session's batch size split up.
#[derive(Debug)]
struct SplitExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for SplitExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SplitExec")
    }
}

impl ExecutionPlan for SplitExec {
    fn name(&self) -> &str {
        "SplitExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self { input })),
            Err(others) => internal_err!("SplitExec has one input, not {}", others.len()),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows_max = context.session_config().batch_size();
        let batches = self.input.execute(partition, context)?;
        let batches = batches
            .map_ok(move |batch| stream::iter(split(batch, rows_max)))
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// Splits a batch into parts of at most this many rows. The parts are copies: each slice would count, and keep in
/// memory, the whole batch.
fn split(batch: RecordBatch, rows_max: usize) -> impl Iterator<Item = Result<RecordBatch>> {
    let rows = batch.num_rows();
    let is_small = rows <= rows_max;
    let starts = (0..rows.max(1)).step_by(rows_max.max(1));
    starts.map(move |start| {
        if is_small {
            return Ok(batch.clone());
        }
        let part = UInt64Array::from_iter_values((start..rows.min(start + rows_max)).map(|row| row as u64));
        Ok(take_record_batch(&batch, &part)?)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{RecordBatch, StringArray};
    use datafusion::datasource::MemTable;
    use futures::TryStreamExt;

    use crate::engine::test_session::session;
    use crate::engine::{Bindings, query};

    #[tokio::test]
    async fn rows_that_a_join_gives_at_its_end_come_in_batches_of_the_usual_size() {
        let mut bindings = Bindings::default();
        for (name, ids) in [("bronze.few", 0..50_000), ("bronze.more", 30_000..100_000)] {
            let ids: StringArray = ids.map(|id| Some(format!("item-{id}"))).collect();
            let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as _)]).unwrap();
            let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
            bindings.tables.insert(name.parse().unwrap(), Arc::new(table));
        }
        let session = session(&bindings).await;
        for (join, expected) in [
            ("left anti", 30_000),
            ("left semi", 20_000),
            ("left", 50_000),
            ("full", 100_000),
        ] {
            let sql = format!("select few.id from bronze.few {join} join bronze.more on few.id = more.id");
            let rows = query(&session, &sql).await.unwrap();
            let mut batches = rows.execute_stream().await.unwrap();
            let mut rows = 0;
            while let Some(batch) = batches.try_next().await.unwrap() {
                assert!(batch.num_rows() <= session.copied_config().batch_size(), "{join}");
                // A copy, not a slice of the whole.
                assert!(batch.get_array_memory_size() < 1 << 20, "{join}");
                rows += batch.num_rows();
            }
            assert_eq!(rows, expected, "{join}");
        }
    }
}
