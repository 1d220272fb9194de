//! Reads what became of the records of a batch from the table that says so.

use std::sync::Arc;

use datafusion::error::DataFusionError;

use super::quarantine_table::as_json;
use super::step::Tools;
use super::step_error::query_error;
use super::{Node, PipelineError, Reconciled, chain};
use crate::engine::Bindings;
use crate::lake::{At, Changes, Version};

/// What the step says that tells what became of the records, once it has committed a version; warns of what somebody
/// should look at. `None` for other steps.
pub(super) async fn reconciled(tools: Tools<'_>, node: &Node, version: Version) -> Option<Reconciled> {
    if node.name().table != "reconciliation" {
        return None;
    }
    match read_reconciled(tools, node, version).await {
        Ok(reconciled) => {
            for warning in reconciled.warnings() {
                tracing::warn!(step = %node.name(), "{warning}");
            }
            Some(reconciled)
        }
        Err(error) => {
            tracing::warn!(
                step = %node.name(),
                error = chain(&error, ": "),
                "cannot read the counts of accepted, repeated and quarantined records"
            );
            None
        }
    }
}

async fn read_reconciled(tools: Tools<'_>, node: &Node, version: Version) -> Result<Reconciled, PipelineError> {
    let failed = |error| node.lake_error(error);
    let query = |error: DataFusionError| query_error(node, error);
    let table = tools
        .lake
        .table_at(node.name(), At::Version(version))
        .await
        .map_err(failed)?;
    let new = match version.checked_sub(1) {
        Some(before) => Changes::since(&table, before).await.map_err(failed)?.ok(),
        None => None,
    };
    let new = new.unwrap_or_else(|| Changes::all(&table));
    let session = tools.engine_here().session(&Bindings::default()).await?;
    table.register_store(&session.state()).map_err(failed)?;
    let rows = session
        .read_table(Arc::new(new.scan(&table).map_err(failed)?))
        .map_err(query)?;
    let mut all = Reconciled::default();
    for row in as_json(&rows.collect().await.map_err(query)?).map_err(query)? {
        let row = serde_json::from_str(&row).map_err(|error| query(DataFusionError::External(Box::new(error))))?;
        all.add(&row);
    }
    Ok(all)
}
