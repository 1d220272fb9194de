//! What the phases of a step share: what it works with ([`Tools`]), what they are called with ([`Attempt`]), and what
//! it did ([`Done`]). [`Tools::here`] runs what runs in this process wherever steps run: expectations, the quarantine,
//! the search for failed records, reconciliation. Nothing is tried again here: `pipeline/run_step.rs` makes another
//! attempt if another writer was faster.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::shape::Shape;
use crate::backend::{Backend, Job, LocalBackend, Target};
use crate::engine::Engine;
use crate::lake::{Lake, Version};
use crate::pipeline::{Checked, Inputs, Node, StepProgress};

/// What one step did.
#[derive(Debug, Clone)]
pub struct Done {
    /// Rows that its scans gave.
    pub read: u64,
    /// Rows in its new files.
    pub written: u64,
    /// Bytes of the records that its sources gave.
    pub bytes: u64,
    /// The version that holds them.
    pub version: Version,
    /// What its expectations found.
    pub checked: Vec<Checked>,
    /// Records of its input that the SQL fails on, and that were left out.
    pub failed: u64,
}

/// What a step works with.
#[derive(Debug, Clone, Copy)]
pub struct Tools<'a> {
    /// What runs the plans of the step.
    pub backend: &'a dyn Backend,
    /// What runs plans in this process.
    pub here: &'a LocalBackend,
    pub lake: &'a Lake,
}

impl<'a> Tools<'a> {
    /// For what runs in this process, wherever steps run.
    pub fn local(self) -> Self {
        Self {
            backend: self.here,
            ..self
        }
    }

    /// What plans queries that run in this process.
    pub fn engine_here(self) -> &'a Engine {
        self.here.engine()
    }
}

/// One attempt at a step, over inputs as they are now.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    pub tools: Tools<'a>,
    pub node: &'a Node,
    pub inputs: &'a Inputs,
    /// Where its SQL is planned: a session of the backend's engine.
    pub session: &'a SessionContext,
    pub progress: &'a Arc<StepProgress>,
}

impl<'a> Attempt<'a> {
    pub fn job(self) -> Job<'a> {
        Job {
            step: self.node.name(),
            session: self.session,
            progress: Some(self.progress),
        }
    }

    pub fn target<'s>(self, shape: &'s Shape) -> Target<'s>
    where
        'a: 's,
    {
        Target {
            table: &self.inputs.target,
            layout: &shape.layout,
            merge: shape.merge.as_ref(),
            keeps_rest: shape.keeps_rest,
        }
    }
}
