//! Files by name: `from 'events.csv'`, `read_csv('…')`, and the target of `copy … to`. DataFusion reads and writes
//! them.
//!
//! - `call`: what a name says; a call becomes a name before its statement is planned.
//! - `format`: formats, by the end of a name; `paths`: the files of a path or a pattern.
//! - `marked`: files of JSON that begin with a byte order mark.
//! - `table`: the table of these files, rejecting what DataFusion would read wrongly.
//! - `target`: where `copy … to` writes.

mod call;
mod format;
mod marked;
mod paths;
mod table;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    DynamicFileSchemaProvider, MemorySchemaProvider, SchemaProvider, TableProvider, UrlTableFactory,
};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionConfig;

use super::FileAccess;
use call::Call;
use format::Format;

pub(super) use call::calls_as_names;
pub(super) use target::complete_target;

/// The table functions that read files.
pub(super) fn functions() -> impl Iterator<Item = &'static str> {
    Format::ALL.into_iter().map(Format::function)
}

/// The schema of names without a layer: it finds files, or refuses them.
pub(super) fn schema(access: FileAccess, config: &SessionConfig, runtime: &Arc<RuntimeEnv>) -> Arc<dyn SchemaProvider> {
    let files = FileTables {
        access,
        config: config.clone(),
        runtime: runtime.clone(),
    };
    let tables = Arc::new(MemorySchemaProvider::new());
    Arc::new(DynamicFileSchemaProvider::new(tables, Arc::new(files)))
}

#[derive(Debug)]
struct FileTables {
    access: FileAccess,
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
}

#[async_trait]
impl UrlTableFactory for FileTables {
    async fn try_new(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !call::is_files(name) {
            return Ok(None);
        }
        if let FileAccess::Refused(why) = self.access {
            return plan_err!("`{name}`: {why}");
        }
        // A state of its own: that of the session has this schema, and would never be freed.
        let state = SessionStateBuilder::new()
            .with_config(self.config.clone())
            .with_runtime_env(self.runtime.clone())
            .build();
        table::table(&state, &Call::of_name(name)?).await.map(Some)
    }
}
