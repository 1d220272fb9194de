//! The kind of source that reads topics: how it is opened, read by SQL, and sent to another process.

use std::sync::Arc;

use clickrec_udfs::ValueSchemas;
use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::{KafkaConfig, KafkaSource, KafkaTable, wire};
use crate::sources::{Layer, Source, SourceConfig, SourceError, SourceKind};

/// The layer in which SQL reads the current content of topics, and writes to them.
static LAYER: Layer = Layer {
    name: "kafka",
    table: "topic",
};

/// The kind of the Kafka source.
pub(crate) struct Kafka;

impl SourceKind for Kafka {
    fn layer(&self) -> Option<&'static Layer> {
        Some(&LAYER)
    }

    fn encode(&self, leaf: &dyn ExecutionPlan) -> Option<serde_json::Result<Vec<u8>>> {
        wire::to_wire(leaf)
    }

    fn decode(&self, bytes: &[u8], sources: &[Arc<dyn SourceConfig>]) -> Result<Arc<dyn ExecutionPlan>> {
        wire::from_wire(bytes, sources.iter().filter_map(|source| KafkaConfig::of(&**source)))
    }
}

impl SourceConfig for KafkaConfig {
    fn open(&self) -> Result<Arc<dyn Source>, SourceError> {
        Ok(Arc::new(KafkaSource::new(self.clone())))
    }

    fn description(&self) -> String {
        format!("Records of the Kafka {}.", self.topics)
    }

    fn reads_files(&self) -> bool {
        false
    }

    fn schemas(&self) -> Option<ValueSchemas> {
        self.schemas.clone()
    }

    fn table(&self) -> Option<(&'static Layer, Arc<dyn TableProvider>)> {
        Some((&LAYER, Arc::new(KafkaTable::new(self.clone()))))
    }
}
