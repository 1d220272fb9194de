//! Runs the plans of steps in this process. `pipeline/step` calls it as a [`Backend`]; it writes with `lake/write.rs`
//! and merges with `lake/merge.rs`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect};
use datafusion::prelude::SessionContext;
use deltalake::kernel::Add;
use futures::TryStreamExt;

use super::{Backend, BackendError, Job, MergeKeys, StepProgress, Target, merge_keys};
use crate::engine::Engine;
use crate::lake::write::{Written, write_streams};
use crate::lake::{CommitMode, Merge};

/// Runs plans in this process. The keys of a merge stay in memory.
#[derive(Debug)]
pub struct LocalBackend {
    engine: Engine,
}

impl LocalBackend {
    /// Of an engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The rows of a plan that would be written, one stream a partition: counted, and without those that only delete.
    ///
    /// # Errors
    /// When the plan does not start, or lacks a column of the merge.
    pub fn streams(
        &self,
        job: Job<'_>,
        plan: &Arc<dyn ExecutionPlan>,
        merge: Option<&Merge>,
    ) -> Result<Vec<SendableRecordBatchStream>, DataFusionError> {
        let partitions = 0..plan.output_partitioning().partition_count();
        let stream = |partition| {
            let stream = plan.execute(partition, job.session.task_ctx())?;
            let stream = match merge {
                Some(merge) => merge.pass(stream)?,
                None => stream,
            };
            Ok::<_, DataFusionError>(match job.progress {
                Some(progress) => counted(stream, progress.clone()),
                None => stream,
            })
        };
        partitions.map(stream).collect()
    }
}

#[async_trait]
impl Backend for LocalBackend {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    async fn collect(&self, job: Job<'_>, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, BackendError> {
        Ok(collect(plan, job.session.task_ctx()).await?)
    }

    async fn write(
        &self,
        job: Job<'_>,
        plan: Arc<dyn ExecutionPlan>,
        to: Target<'_>,
    ) -> Result<(Written, MergeKeys), BackendError> {
        if let Some(progress) = job.progress {
            progress.watch(plan.clone());
        }
        let kept = to.merge.filter(|_| to.keeps_rest).map(|merge| {
            let task = job.session.task_ctx();
            merge.clone().keeping_keys(task.memory_pool())
        });
        let streams = self.streams(job, &plan, kept.as_ref().or(to.merge))?;
        let written = write_streams(to.table, streams, to.layout).await?;
        Ok((written, kept.map(MergeKeys::in_memory).unwrap_or_default()))
    }

    async fn keys_of(
        &self,
        to: Target<'_>,
        here: &SessionContext,
        files: &[Add],
        keys: MergeKeys,
    ) -> Result<MergeKeys, BackendError> {
        if !keys.are_kept() {
            merge_keys::check(to, here, files).await?;
            return Ok(keys);
        }
        let merge = keys.into_memory()?;
        merge.keep_keys_of(to.table, here, to.layout, files).await?;
        Ok(MergeKeys::in_memory(merge))
    }

    async fn merge(&self, job: Job<'_>, to: Target<'_>, keys: MergeKeys) -> Result<CommitMode, BackendError> {
        Ok(keys.into_memory()?.finish(to.table, job.session, to.layout).await?)
    }
}

fn counted(stream: SendableRecordBatchStream, progress: Arc<StepProgress>) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let stream = stream.inspect_ok(move |batch| {
        progress.add_written(batch.num_rows());
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, stream))
}
