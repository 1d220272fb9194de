//! Where a merge's keys are until their old rows are found: in this process's memory (`lake/merge.rs`), or in files
//! that executors read (`lake/merge_plans.rs`), depending on the backend. How keys are taken out of rows, and what
//! happens to a NULL key, is `lake/merge_keys.rs`.

use datafusion::common::internal_datafusion_err;
use datafusion::prelude::SessionContext;
use deltalake::kernel::Add;

use super::{BackendError, Target};
use crate::lake::{KeyFiles, Merge};

/// The keys of a merge's result, from when they are written until their old rows are found. Only the backend that made
/// it can use it.
#[derive(Debug, Default)]
pub struct MergeKeys(Kept);

#[derive(Debug, Default)]
enum Kept {
    /// Nobody will look for old rows.
    #[default]
    Nowhere,
    /// In the memory of this process.
    InMemory(Merge),
    /// In files that are never committed.
    InFiles(KeyFiles),
}

impl MergeKeys {
    pub(super) fn in_memory(merge: Merge) -> Self {
        Self(Kept::InMemory(merge))
    }

    pub(super) fn in_files(files: KeyFiles) -> Self {
        Self(Kept::InFiles(files))
    }

    pub(super) fn are_kept(&self) -> bool {
        !matches!(self.0, Kept::Nowhere)
    }

    pub(super) fn into_memory(self) -> Result<Merge, BackendError> {
        match self.0 {
            Kept::InMemory(merge) => Ok(merge),
            other => Err(elsewhere("in memory", &other)),
        }
    }

    pub(super) fn into_files(self) -> Result<KeyFiles, BackendError> {
        match self.0 {
            Kept::InFiles(files) => Ok(files),
            other => Err(elsewhere("in files", &other)),
        }
    }
}

fn elsewhere(expected: &str, kept: &Kept) -> BackendError {
    internal_datafusion_err!("the keys of a merge should be {expected}: {kept:?}").into()
}

/// Where keys are not kept, all that matters is that none is NULL.
pub(super) async fn check(to: Target<'_>, here: &SessionContext, files: &[Add]) -> Result<(), BackendError> {
    match to.merge {
        Some(merge) => Ok(merge.keep_keys_of(to.table, here, to.layout, files).await?),
        None => Ok(()),
    }
}
