//! The plan leaf that reads files as bytes, for executors of a cluster.

use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};

use super::FilesConfig;
use super::FilesSource;
use super::file_range::FileRange;
use super::scan::FilesExec;
use crate::sources::formats::FormatOptions;

/// The plan leaf for another process, which has its own access to the files.
#[derive(Serialize, Deserialize)]
struct Wire {
    source: String,
    format: String,
    options: FormatOptions,
    groups: Vec<Vec<FileRange>>,
    projection: Option<Vec<usize>>,
    limit: Option<usize>,
}

/// Serializes a plan leaf that reads records of files; `None` if it is not such a leaf.
pub fn to_wire(plan: &dyn ExecutionPlan) -> Option<serde_json::Result<Vec<u8>>> {
    let scan = plan.downcast_ref::<FilesExec>()?;
    let wire = Wire {
        source: scan.source.to_string(),
        format: scan.format.name().to_owned(),
        options: scan.options.clone(),
        groups: scan.groups.clone(),
        projection: scan.projection.clone(),
        limit: scan.limit,
    };
    Some(serde_json::to_vec(&wire))
}

/// Deserializes a leaf from [`to_wire`].
///
/// # Errors
/// When this process's project has no such source.
pub fn from_wire<'a>(
    bytes: &[u8],
    mut sources: impl Iterator<Item = &'a FilesConfig>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let wire: Wire = serde_json::from_slice(bytes).map_err(|error| {
        exec_datafusion_err!(
            "cannot decode a plan that reads files; it may come from another version of clickrec: {error}"
        )
    })?;
    let is_meant = |config: &&FilesConfig| {
        (&*config.path, config.format.name(), &config.options) == (&*wire.source, &*wire.format, &wire.options)
    };
    let config = sources.find(is_meant);
    let config = config.cloned().ok_or_else(|| {
        exec_datafusion_err!(
            "this process has no source with the files {} ({})\n  help: start this process with the same \
             pipelines.yaml and target, in a folder with the same path",
            wire.source,
            wire.format
        )
    })?;
    let source = FilesSource::new(config).map_err(|error| exec_datafusion_err!("{error}"))?;
    let scan = source.scan(vec![]);
    Ok(Arc::new(FilesExec::new(
        &scan,
        wire.groups,
        wire.projection,
        wire.limit,
    )))
}
