//! Chooses the backend of a project (`engine`, `--engine`): the only place that does.

use std::sync::Arc;

use super::cluster::ClusterBackend;
use super::{Backend, LocalBackend};
use crate::config::{BackendConfig, Project};
use crate::engine::Engine;
use crate::lake::Lake;

/// The backend that a project names. `engine` is that of this process.
pub fn open(project: &Project, engine: &Engine, lake: &Lake) -> Arc<dyn Backend> {
    match &project.engine {
        BackendConfig::Local => Arc::new(LocalBackend::new(engine.clone())),
        BackendConfig::Ballista { scheduler, partitions } => {
            let engine = engine.clone().distributed(*partitions);
            Arc::new(ClusterBackend::new(scheduler, project, lake, engine))
        }
    }
}
