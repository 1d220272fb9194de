//! What a backend is called with: the step that plans belong to, and where their rows go.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::StepProgress;
use crate::config::TableName;
use crate::lake::write::Layout;
use crate::lake::{LakeTable, Merge};

/// What plans are run for.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The step.
    pub step: &'a TableName,
    /// Where its plans were made: a session of [`Backend::engine`](super::Backend::engine).
    pub session: &'a SessionContext,
    /// What counts the rows that are read and written, if they count.
    pub progress: Option<&'a Arc<StepProgress>>,
}

/// Where the rows of a plan go.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The table, as it was opened.
    pub table: &'a LakeTable,
    /// How the rows are laid out in it.
    pub layout: &'a Layout,
    /// Set if the rows replace those of the same keys.
    pub merge: Option<&'a Merge>,
    /// Whether rows of other keys stay, so that the keys are needed later.
    pub keeps_rest: bool,
}
