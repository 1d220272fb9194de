//! What a step reads now, and what there is to do: looks, decides, binds.
//! [`Runner::inspect`](crate::pipeline::Runner::inspect) calls it before every run of a step, and then
//! `deleted_tables::check`.

use super::found::Found;
use super::{Inputs, Lookup, World};
use crate::pipeline::decide::decide;
use crate::pipeline::{Node, PipelineError, on_change};

impl Inputs {
    /// Finds what a step reads, what of it is new, and so what there is to do. Reads the log and the sources' ends,
    /// and no row of a table; a source of files also reads their new text, to count its records.
    ///
    /// # Errors
    /// When the lake or a source does not answer, a source has lost records that were not read yet, or changed logic
    /// cannot hold for new rows alone as was asked for.
    pub async fn find(node: &Node, world: World<'_>, lookup: Lookup) -> Result<Self, PipelineError> {
        let found = Found::look(node, world, lookup).await?;
        let decision = decide(&found.facts).map_err(|reason| on_change::not_forward(node, reason))?;
        found.bind(decision).await
    }
}
