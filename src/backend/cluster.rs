//! A step on a cluster: its plan is made here; its rows are read, computed and written there, and the names of the
//! files come back for the one commit. `cluster/client.rs` sends the plan, and runs it again if it lost an executor.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::kernel::Add;

use super::{Backend, BackendError, BackendStatus, Job, MergeKeys, SplitIntoStages, Target, merge_keys};
use crate::cluster::{Client, Codec, Ran, stages};
use crate::config::Project;
use crate::engine::Engine;
use crate::lake::write::{Written, discard};
use crate::lake::{self, CommitMode, KeyFiles, Lake, Merge, WriteExec, WriteTo};

/// Runs plans on the executors of a cluster. The keys of a merge are written to files, next to its rows.
#[derive(Debug)]
pub(super) struct ClusterBackend {
    client: Client,
    /// What plans for it.
    engine: Engine,
}

impl ClusterBackend {
    /// For the cluster with the scheduler at `host:port`. Connects when a plan is run.
    pub fn new(scheduler: &str, project: &Project, lake: &Lake, engine: Engine) -> Self {
        Self {
            client: Client::new(scheduler, Codec::new(project, lake)),
            engine,
        }
    }

    async fn run(
        &self,
        job: Job<'_>,
        plan: Arc<dyn ExecutionPlan>,
        config: &SessionConfig,
    ) -> Result<Ran, BackendError> {
        Ok(self.client.run(&job.step.to_string(), whole(plan), config).await?)
    }

    /// What is left of each touched file into a file of its own, as in the merge of one process.
    async fn file_by_file(
        &self,
        job: Job<'_>,
        plan: Arc<dyn ExecutionPlan>,
        to: Target<'_>,
    ) -> Result<Vec<Add>, BackendError> {
        let mut config = job.session.copied_config();
        // Else the scheduler would deal out pieces of large files.
        config.options_mut().optimizer.repartition_file_scans = false;
        let rest = Target { merge: None, ..to };
        let ran = self.run(job, writing(plan, rest), &config).await?;
        Ok(lake::written(&ran.batches)?.0.files)
    }

    /// The names of the files that hold old rows of these keys.
    async fn touched(
        &self,
        job: Job<'_>,
        to: Target<'_>,
        merge: &Merge,
        keys: &[Add],
    ) -> Result<HashSet<String>, BackendError> {
        let Some(plan) = merge.plan_to_find(to.table, job.session, keys).await? else {
            return Ok(HashSet::new());
        };
        let mut names = HashSet::new();
        for batch in self.collect(job, plan).await? {
            let column = cast(batch.column(0), &DataType::Utf8).map_err(DataFusionError::from)?;
            names.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(names)
    }
}

#[async_trait]
impl Backend for ClusterBackend {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    async fn collect(&self, job: Job<'_>, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, BackendError> {
        Ok(self.run(job, plan, &job.session.copied_config()).await?.batches)
    }

    async fn write(
        &self,
        job: Job<'_>,
        plan: Arc<dyn ExecutionPlan>,
        to: Target<'_>,
    ) -> Result<(Written, MergeKeys), BackendError> {
        let ran = self.run(job, writing(plan, to), &job.session.copied_config()).await?;
        if let Some(progress) = job.progress {
            progress.add_read_elsewhere(ran.rows_read, ran.bytes_read);
        }
        let (written, keys) = lake::written(&ran.batches)?;
        if to.keeps_rest {
            return Ok((written, MergeKeys::in_files(keys)));
        }
        // The whole table is replaced, so no keys are needed.
        discard(to.table, &keys.all()).await;
        Ok((written, MergeKeys::default()))
    }

    async fn keys_of(
        &self,
        to: Target<'_>,
        here: &SessionContext,
        files: &[Add],
        keys: MergeKeys,
    ) -> Result<MergeKeys, BackendError> {
        let Some(merge) = to.merge.filter(|_| keys.are_kept()) else {
            merge_keys::check(to, here, files).await?;
            return Ok(keys);
        };
        let keys = keys.into_files()?;
        let of_rows = merge.write_keys_of(to.table, here, to.layout, files).await?;
        discard(to.table, &keys.of_rows).await;
        Ok(MergeKeys::in_files(KeyFiles { of_rows, ..keys }))
    }

    async fn merge(&self, job: Job<'_>, to: Target<'_>, keys: MergeKeys) -> Result<CommitMode, BackendError> {
        let Some(merge) = to.merge else {
            return Ok(CommitMode::Append);
        };
        let keys = keys.into_files()?.all();
        let touched = merge.touched_of(to.table, &self.touched(job, to, merge, &keys).await?);
        let kept = match merge.plan_of_rest(to.table, &touched, &keys)? {
            Some(plan) => self.file_by_file(job, plan, to).await?,
            None => vec![],
        };
        discard(to.table, &keys).await;
        Ok(merge.replaced(to.table, kept, &touched))
    }

    fn stages(&self) -> Option<SplitIntoStages> {
        Some(split)
    }

    async fn status(&self) -> Option<BackendStatus> {
        Some(BackendStatus {
            scheduler: self.client.address().to_owned(),
            state: self.client.state().await,
        })
    }
}

/// A stage of its own, and the last one a single task: the results of repeated tasks are separated there.
fn whole(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(CoalescePartitionsExec::new(plan))
}

fn split(plan: Arc<dyn ExecutionPlan>, config: &SessionConfig) -> Result<Vec<usize>, BackendError> {
    Ok(stages(whole(plan), config)?)
}

fn writing(plan: Arc<dyn ExecutionPlan>, to: Target<'_>) -> Arc<dyn ExecutionPlan> {
    let to = WriteTo {
        table: to.table.clone(),
        layout: to.layout.clone(),
        merge: to.merge.map(Merge::by_key),
    };
    Arc::new(WriteExec::new(plan, to))
}
