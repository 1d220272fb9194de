//! A call as bytes, for executors of a cluster.

use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};

use super::{FunctionExec, RelationFunction};
use crate::wire;

/// A serialized call: the function's name, its operation as JSON, and the output columns.
#[derive(Serialize, Deserialize)]
struct Wire {
    function: String,
    arguments: String,
    operation: serde_json::Value,
    /// An Arrow IPC stream without rows.
    schema: Vec<u8>,
    spread: bool,
}

impl FunctionExec {
    /// Serializes the call without its inputs.
    ///
    /// # Errors
    /// When a setting cannot be serialized.
    pub fn to_wire(&self) -> Result<Vec<u8>> {
        let call = Wire {
            function: self.name.to_owned(),
            arguments: self.arguments.clone(),
            operation: self.operation.to_wire().map_err(failed)?,
            schema: wire::schema_to_bytes(&self.schema())?,
            spread: self.is_spread,
        };
        serde_json::to_vec(&call).map_err(failed)
    }

    /// Deserializes a call of one of these functions from [`FunctionExec::to_wire`].
    ///
    /// # Errors
    /// When it comes from another version.
    pub fn from_wire(
        bytes: &[u8],
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        functions: &[Arc<dyn RelationFunction>],
    ) -> Result<Self> {
        let call: Wire = serde_json::from_slice(bytes).map_err(failed)?;
        let function = functions.iter().find(|function| function.name() == call.function);
        let function = function.ok_or_else(|| {
            exec_datafusion_err!(
                "unknown function `{}`; run the same version of clickrec in all processes",
                call.function
            )
        })?;
        Ok(Self::new(
            function.name(),
            call.arguments,
            inputs,
            wire::schema_from_bytes(&call.schema)?,
            function.operation(call.operation).map_err(failed)?,
            call.spread,
        ))
    }
}

fn failed(error: serde_json::Error) -> datafusion::error::DataFusionError {
    exec_datafusion_err!("a call cannot be sent to another process: {error}")
}
