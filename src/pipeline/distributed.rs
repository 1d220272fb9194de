//! A step on a cluster: its plan is made here, its rows are read, computed and written there, and the names of the files
//! come back for the one commit.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::kernel::Add;

use super::step::{DELETED, of_query, query_error};
use super::{Decision, Node, PipelineError, StepProgress, expectations};
use crate::cluster::{Client, Ran};
use crate::config::Mode;
use crate::lake::write::{Layout, Written, discard};
use crate::lake::{self, CommitMode, KeyFiles, LakeTable, Merge, MergeKey, WriteExec, WriteTo};

/// What runs the plans of a step into files, and where these lie.
#[derive(Clone, Copy)]
pub(super) struct Plans<'a> {
    /// The cluster that runs them; this process where there is none.
    pub client: Option<&'a Client>,
    pub node: &'a Node,
    /// Told what was read.
    pub progress: &'a Arc<StepProgress>,
    pub session: &'a SessionContext,
    pub table: &'a LakeTable,
    pub layout: &'a Layout,
}

impl Plans<'_> {
    /// Writes the rows of a plan; with the files that hold the keys of a merge that keeps old rows.
    ///
    /// # Errors
    /// When the cluster does not do it.
    pub async fn write(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        decision: &Decision,
    ) -> Result<(Written, KeyFiles), PipelineError> {
        let merge = (self.node.step.mode == Mode::Merge).then(|| MergeKey {
            columns: self.node.step.key.clone(),
            deleted: self.node.step.delete.as_ref().map(|_| DELETED.to_owned()),
            nulls: expectations::null_keys(self.node),
        });
        let ran = self
            .ran(self.writing(plan, self.layout, merge), &self.session.copied_config())
            .await?;
        self.progress.add_read_elsewhere(ran.rows_read, ran.bytes_read);
        let (written, keys) = lake::written(&ran.batches).map_err(|error| self.query_error(error))?;
        if *decision == Decision::Incremental {
            return Ok((written, keys));
        }
        // The whole table is replaced: nobody looks for keys.
        discard(self.table, &keys.all()).await;
        Ok((written, KeyFiles::default()))
    }

    /// The keys of a merge anew, once rows have been left out of what was written: these files hold the others.
    ///
    /// # Errors
    /// When a key is NULL, or a file cannot be read.
    pub async fn keys_of(
        &self,
        merge: &Merge,
        here: &SessionContext,
        files: &[Add],
        keys: KeyFiles,
    ) -> Result<KeyFiles, PipelineError> {
        let of_rows = merge.write_keys_of(self.table, here, self.layout, files).await;
        let of_rows = of_rows.map_err(|error| of_query(self.node, error))?;
        discard(self.table, &keys.of_rows).await;
        Ok(KeyFiles { of_rows, ..keys })
    }

    /// Once the rows are written: finds the files that hold old rows of these keys, and writes what is left of them.
    ///
    /// # Errors
    /// When the cluster does not do it.
    pub async fn merge(&self, merge: &Merge, keys: &KeyFiles) -> Result<CommitMode, PipelineError> {
        let keys = &keys.all();
        let failed = |error| self.node.lake_error(error);
        let find = merge
            .plan_to_find(self.table, self.session, keys)
            .await
            .map_err(failed)?;
        let found = match find {
            Some(plan) => self.run(plan).await?,
            None => vec![],
        };
        let mut names = HashSet::new();
        for batch in &found {
            let column = cast(batch.column(0), &DataType::Utf8).map_err(|error| self.query_error(error.into()))?;
            names.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        let touched = merge.touched_of(self.table, &names);
        let plan = merge.plan_of_rest(self.table, &touched, keys).map_err(failed)?;
        let kept = match plan {
            Some(plan) => self.file_by_file(plan).await?,
            None => vec![],
        };
        discard(self.table, keys).await;
        Ok(merge.replaced(self.table, kept, &touched))
    }

    /// Writes the rows of a plan.
    ///
    /// # Errors
    /// When the plan fails.
    pub async fn files(&self, plan: Arc<dyn ExecutionPlan>, layout: &Layout) -> Result<Written, PipelineError> {
        let batches = self.run(self.writing(plan, layout, None)).await?;
        let written = lake::written(&batches).map_err(|error| self.query_error(error))?;
        Ok(written.0)
    }

    fn writing(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        layout: &Layout,
        merge: Option<MergeKey>,
    ) -> Arc<dyn ExecutionPlan> {
        let to = WriteTo {
            table: self.table.clone(),
            layout: layout.clone(),
            merge,
        };
        Arc::new(WriteExec::new(plan, to))
    }

    /// What is left of each touched file into a file of its own, as the merge here does it.
    async fn file_by_file(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<Add>, PipelineError> {
        let mut config = self.session.copied_config();
        // Else the scheduler would deal out pieces of large files.
        config.options_mut().optimizer.repartition_file_scans = false;
        let ran = self.ran(self.writing(plan, self.layout, None), &config).await?;
        let written = lake::written(&ran.batches).map_err(|error| self.query_error(error))?;
        Ok(written.0.files)
    }

    /// Runs a plan whose result is small.
    ///
    /// # Errors
    /// When the plan fails.
    pub async fn run(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, PipelineError> {
        Ok(self.ran(plan, &self.session.copied_config()).await?.batches)
    }

    async fn ran(&self, plan: Arc<dyn ExecutionPlan>, config: &SessionConfig) -> Result<Ran, PipelineError> {
        let Some(client) = self.client else {
            let batches = collect(plan, self.session.task_ctx()).await;
            return Ok(Ran {
                batches: batches.map_err(|error| self.query_error(error))?,
                ..Ran::default()
            });
        };
        // Its own stage, and the last one a single task: results of tasks that were repeated are told apart there.
        let plan = Arc::new(CoalescePartitionsExec::new(plan));
        let step = self.node.name().to_string();
        let ran = client.run(&step, plan, config).await;
        ran.map_err(|source| PipelineError::Cluster {
            step,
            source: Box::new(source),
        })
    }

    /// A query of the step failed.
    pub fn query_error(&self, error: DataFusionError) -> PipelineError {
        query_error(self.node, error)
    }
}
