//! Maintains the tables that were written: compaction, checkpoint, cleanup of the log, vacuum. `lake/maintain.rs`
//! decides what is due, by the project's and the step's settings.

use datafusion::prelude::SessionContext;

use super::{PipelineError, Runner};
use crate::config::{Mode, TableName};
use crate::engine::Bindings;
use crate::lake::{self, LakeTable, Maintained, Upkeep};

impl Runner {
    /// Does what is due for a table: compaction, checkpoint, clean-up of its log, vacuum. Looks at its log only where
    /// nothing is.
    ///
    /// # Errors
    /// When the table cannot be opened, or something that is due cannot be done.
    pub async fn maintain(&self, name: &TableName) -> Result<Maintained, PipelineError> {
        let failed = |source| PipelineError::Lake {
            step: name.to_string(),
            source,
        };
        let table = self.lake().table(name).await.map_err(failed)?;
        let session = self.upkeep_session().await?;
        let done = lake::maintain(&table, self.upkeep(&table), &session)
            .await
            .map_err(failed)?;
        if done.checkpoint.is_some() {
            self.lake().forget(name);
        }
        Ok(done)
    }

    /// How a table is to be kept: as the project and its step say.
    pub fn upkeep<'a>(&'a self, table: &LakeTable) -> Upkeep<'a> {
        let step = self.dag().get(table.name()).map(|node| &node.step);
        Upkeep {
            config: self.maintenance(),
            cluster_by: step.map_or(&[], |step| &step.cluster_by),
            min_age: step.and_then(|step| step.compact_min_age),
            merged: step.is_some_and(|step| step.mode == Mode::Merge),
        }
    }

    /// A session to rewrite files in.
    ///
    /// # Errors
    /// When the engine cannot make one.
    pub async fn upkeep_session(&self) -> Result<SessionContext, PipelineError> {
        Ok(self.engine().session(&Bindings::default()).await?)
    }
}
