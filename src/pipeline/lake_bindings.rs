//! What names stand for outside a step (the shell, the server, `recommend`): the whole lake, now or as it was
//! (`\at`). For a step it is `inputs/step_bindings.rs`; both fill the `Bindings` of `engine`.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use futures::future::try_join_all;

use super::{Node, PipelineError, Runner, system};
use crate::config::{Mode, TableName};
use crate::engine::{Bindings, View};
use crate::lake::{At, LakeTable};
use crate::sources::{SourceTable, named_records};

impl Runner {
    /// A session over the whole lake as of now: every table by its name, every view, `changes('…')` as all rows, and
    /// the sources that are tables too, as `LAYER.SOURCE` (`kafka.clicks`).
    ///
    /// # Errors
    /// When the lake does not answer.
    pub async fn session(&self) -> Result<SessionContext, PipelineError> {
        Ok(self.engine().session(&self.bindings().await?).await?)
    }

    /// What names stand for in [`Runner::session`].
    ///
    /// # Errors
    /// When the lake does not answer.
    pub async fn bindings(&self) -> Result<Bindings, PipelineError> {
        self.bindings_at(At::Now).await
    }

    /// The same with the lake's tables as they were; those that did not exist yet are empty. Sources have no past.
    ///
    /// # Errors
    /// When the lake does not answer, or a table's log does not reach so far back.
    pub async fn bindings_at(&self, at: At) -> Result<Bindings, PipelineError> {
        let mut bindings = Bindings::default();
        for (name, source) in &self.sources {
            let everything = Arc::new(SourceTable::new(source.clone()));
            bindings.changes.insert(name.clone(), named_records(name, everything)?);
        }
        for (name, topic) in &self.topics {
            bindings.tables.insert(name.clone(), topic.clone());
        }
        let is_usable = |node: &&Node| node.step.mode == Mode::View && self.broken(node.name()).is_none();
        for node in self.dag().nodes().iter().filter(is_usable) {
            bindings.views.push(View {
                name: node.name().clone(),
                sql: node.step.sql.clone(),
            });
        }
        for table in self.tables_at(at).await? {
            let name = table.name();
            let provider = match (table.version(), self.schemas().get(name)) {
                (None, schema) => {
                    let schema = schema.cloned().unwrap_or_else(|| Arc::new(Schema::empty()));
                    Arc::new(EmptyTable::new(schema)) as _
                }
                _ => table
                    .provider(&self.session)
                    .await
                    .map_err(|source| PipelineError::Lake {
                        step: name.to_string(),
                        source,
                    })?,
            };
            bindings
                .versions
                .extend(table.version().map(|version| (name.to_string(), version)));
            bindings.changes.insert(name.to_string(), provider.clone());
            bindings.latest.insert(name.to_string(), provider.clone());
            bindings.tables.insert(name.clone(), provider);
        }
        Ok(bindings)
    }

    /// The lake's tables as they were: those that steps make, in order, those that steps read, and those of the
    /// system where there are any.
    ///
    /// # Errors
    /// When the lake does not answer, or a table's log does not reach so far back.
    pub async fn tables_at(&self, at: At) -> Result<Vec<LakeTable>, PipelineError> {
        let steps = self.dag().nodes().iter().filter(|node| node.step.mode != Mode::View);
        let names: Vec<&TableName> = steps.map(Node::name).chain(self.foreign()).collect();
        let open = names.into_iter().map(async |name| {
            let table = self.lake().table_at(name, at).await;
            table.map_err(|source| PipelineError::Lake {
                step: name.to_string(),
                source,
            })
        });
        let mut tables = try_join_all(open).await?;
        for name in system::tables().filter(|name| !self.foreign().contains(name)) {
            // One that cannot be opened is not a reason to refuse all others.
            let kept = self.lake().table_at(&name, at).await;
            tables.extend(kept.ok().filter(|table| table.version().is_some()));
        }
        Ok(tables)
    }
}
