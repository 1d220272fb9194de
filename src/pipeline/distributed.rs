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
use datafusion::prelude::SessionContext;
use deltalake::kernel::Add;

use super::step::{DELETED, query_error};
use super::{Decision, Node, PipelineError, StepProgress};
use crate::cluster::Client;
use crate::config::Mode;
use crate::lake::write::{Layout, Written, discard};
use crate::lake::{self, CommitMode, LakeError, LakeTable, Merge, WriteExec, WriteTo};

/// What runs the plans of a step into files, and where these lie.
pub(super) struct Plans<'a> {
    /// The cluster that runs them; this process where there is none.
    pub client: Option<&'a Client>,
    pub node: &'a Node,
    /// Told what was read.
    pub progress: &'a StepProgress,
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
    ) -> Result<(Written, Vec<Add>), PipelineError> {
        let merge = (self.node.step.mode == Mode::Merge).then(|| {
            let deleted = self.node.step.delete.as_ref().map(|_| DELETED.to_owned());
            (self.node.step.key.clone(), deleted)
        });
        let (written, keys) = self.files(plan, self.layout, merge).await?;
        if *decision == Decision::Incremental {
            return Ok((written, keys));
        }
        // The whole table is replaced: nobody looks for keys.
        discard(self.table, &keys).await;
        Ok((written, vec![]))
    }

    /// Once the rows are written: finds the files that hold old rows of these keys, and writes what is left of them.
    ///
    /// # Errors
    /// When the cluster does not do it.
    pub async fn merge(&self, merge: &Merge, keys: &[Add]) -> Result<CommitMode, PipelineError> {
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
            Some(plan) => self.files(plan, self.layout, None).await?.0.files,
            None => vec![],
        };
        discard(self.table, keys).await;
        Ok(merge.replaced(self.table, kept, &touched))
    }

    /// Writes the rows of a plan; with the files of the keys of a merge.
    ///
    /// # Errors
    /// When the plan fails.
    pub async fn files(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        layout: &Layout,
        merge: Option<(Vec<String>, Option<String>)>,
    ) -> Result<(Written, Vec<Add>), PipelineError> {
        let to = WriteTo {
            table: self.table.clone(),
            layout: layout.clone(),
            merge,
        };
        let batches = self.run(Arc::new(WriteExec::new(plan, to))).await?;
        lake::written(&batches).map_err(|error| self.node.lake_error(LakeError::Query(error)))
    }

    /// Runs a plan whose result is small.
    ///
    /// # Errors
    /// When the plan fails.
    pub async fn run(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, PipelineError> {
        let Some(client) = self.client else {
            let collected = collect(plan, self.session.task_ctx()).await;
            return collected.map_err(|error| self.query_error(error));
        };
        // Its own stage, and the last one a single task: results of tasks that were repeated are told apart there.
        let plan = Arc::new(CoalescePartitionsExec::new(plan));
        let ran = client.run(plan, &self.session.copied_config()).await;
        let ran = ran.map_err(|source| PipelineError::Cluster {
            step: self.node.name().to_string(),
            source: Box::new(source),
        })?;
        self.progress.add_read_elsewhere(ran.rows_read);
        Ok(ran.batches)
    }

    /// A query of the step failed.
    pub fn query_error(&self, error: DataFusionError) -> PipelineError {
        query_error(self.node, error)
    }
}
