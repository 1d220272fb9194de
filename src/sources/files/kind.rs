//! The kind of source that is files: how it is opened, and sent to another process.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::{FilesConfig, FilesSource, wire};
use crate::sources::{Layer, Source, SourceConfig, SourceError, SourceKind};

/// The kind of the files source.
pub(crate) struct Files;

impl SourceKind for Files {
    fn layer(&self) -> Option<&'static Layer> {
        None
    }

    fn encode(&self, leaf: &dyn ExecutionPlan) -> Option<serde_json::Result<Vec<u8>>> {
        wire::to_wire(leaf)
    }

    fn decode(&self, bytes: &[u8], sources: &[Arc<dyn SourceConfig>]) -> Result<Arc<dyn ExecutionPlan>> {
        wire::from_wire(bytes, sources.iter().filter_map(|source| FilesConfig::of(&**source)))
    }
}

impl SourceConfig for FilesConfig {
    fn open(&self) -> Result<Arc<dyn Source>, SourceError> {
        Ok(Arc::new(FilesSource::new(self.clone())?))
    }

    fn description(&self) -> String {
        let root = self.root.to_string_lossy();
        let path = self.path.strip_prefix(&*root).unwrap_or(&self.path);
        let path = path.trim_start_matches('/');
        match self.is_snapshot {
            true => format!("All records of the files in {path}, as they are now."),
            false => format!("Records of the files in {path}."),
        }
    }

    fn is_snapshot(&self) -> bool {
        self.is_snapshot
    }

    fn reads_files(&self) -> bool {
        true
    }

    fn table(&self) -> Option<(&'static Layer, Arc<dyn TableProvider>)> {
        None
    }
}
