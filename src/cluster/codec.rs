//! Plans as bytes for a cluster: encodes and decodes our own plan nodes and functions, without credentials, and leaves
//! all others to Ballista.

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use clickrec_udfs::{FunctionExec, als_sql, call_from_wire};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::scattered::ScatteredExec;
use crate::config::Project;
use crate::lake::{Lake, WriteExec};
use crate::sources::{self, SourceConfig};

/// The prefix of our nodes, which distinguishes them from Ballista's; the last byte is the format version.
const MAGIC: &[u8] = b"clickrec\x04";
const SOURCE: u8 = b's';
const FUNCTION: u8 = b'c';
const WRITE: u8 = b'w';

/// Encodes and decodes our plan nodes, and leaves all others to Ballista's codec.
#[derive(Debug)]
pub struct Codec {
    sources: Vec<Arc<dyn SourceConfig>>,
    lake: Lake,
    inner: BallistaPhysicalExtensionCodec,
}

/// Whether a node is a leaf that reads a source.
pub(super) fn is_source(node: &dyn ExecutionPlan) -> bool {
    sources::to_wire(node).is_some()
}

impl Codec {
    /// For the sources of a project and its lake.
    pub fn new(project: &Project, lake: &Lake) -> Self {
        Self {
            sources: project.sources.values().cloned().collect(),
            lake: lake.clone(),
            inner: BallistaPhysicalExtensionCodec::default(),
        }
    }

    /// The tag and the bytes of a node, if it is ours.
    fn wire(node: &dyn ExecutionPlan) -> Result<Option<(u8, Vec<u8>)>> {
        let json = |error| DataFusionError::External(Box::new(error));
        if let Some(scattered) = node.downcast_ref::<ScatteredExec>() {
            let bytes = sources::to_wire(scattered.leaf.as_ref()).transpose().map_err(json)?;
            return Ok(bytes.map(|bytes| (SOURCE, bytes)));
        }
        if let Some(function) = node.downcast_ref::<FunctionExec>() {
            return Ok(Some((FUNCTION, function.to_wire()?)));
        }
        match node.downcast_ref::<WriteExec>() {
            Some(write) => Ok(Some((WRITE, write.to_wire()?))),
            None => Ok(None),
        }
    }

    fn node(&self, kind: u8, bytes: &[u8], inputs: &[Arc<dyn ExecutionPlan>]) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match (kind, inputs) {
            (SOURCE, [numbers]) => {
                let leaf = sources::from_wire(bytes, &self.sources)?;
                Arc::new(ScatteredExec::new(leaf, numbers.clone()))
            }
            (FUNCTION, inputs) => Arc::new(call_from_wire(bytes, inputs.to_vec())?),
            (WRITE, [input]) => Arc::new(WriteExec::from_wire(bytes, input.clone(), &self.lake)?),
            _ => return exec_err!("unknown plan node; run the same version of clickrec in all processes"),
        })
    }
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match bytes.strip_prefix(MAGIC) {
            Some([kind, bytes @ ..]) => self.node(*kind, bytes, inputs),
            _ => self.inner.try_decode(bytes, inputs, context, converter),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        match Self::wire(node.as_ref())? {
            Some((kind, wire)) => {
                bytes.extend_from_slice(MAGIC);
                bytes.push(kind);
                bytes.extend(wire);
                Ok(())
            }
            None => self.inner.try_encode(node, bytes, converter),
        }
    }

    // Functions with state beyond their name; all others are looked up by name.
    fn try_encode_udf(&self, function: &ScalarUDF, bytes: &mut Vec<u8>) -> Result<()> {
        if let Some(wire) = als_sql::scalar_to_wire(function) {
            bytes.extend(wire?);
        }
        Ok(())
    }

    fn try_decode_udf(&self, name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        match name {
            "als_start" | "als_error" | "als_weight" => als_sql::scalar_from_wire(name, bytes),
            _ => exec_err!("unknown function `{name}`; run the same version of clickrec in all processes"),
        }
    }

    fn try_encode_udaf(&self, function: &AggregateUDF, bytes: &mut Vec<u8>) -> Result<()> {
        if let Some(wire) = als_sql::aggregate_to_wire(function) {
            bytes.extend(wire?);
        }
        Ok(())
    }

    fn try_decode_udaf(&self, name: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
        match name {
            "als_solve" | "als_gramian" => als_sql::aggregate_from_wire(name, bytes),
            _ => exec_err!("unknown function `{name}`; run the same version of clickrec in all processes"),
        }
    }
}
