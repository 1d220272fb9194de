//! Where the schemas of Avro values come from.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result;

/// What describes the Avro values of a source.
#[derive(Debug, Clone)]
pub enum AvroSchemas {
    /// Each value begins with the ID of its schema, which this registry knows.
    Registry(Arc<dyn SchemaRegistry>),
    /// Values are records of this schema, a JSON text, and nothing stands before them.
    One(Arc<str>),
}

/// The same for several sources, by their names.
pub type SourceSchemas = BTreeMap<String, AvroSchemas>;

impl PartialEq for AvroSchemas {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Registry(one), Self::Registry(other)) => one.url() == other.url(),
            (Self::One(one), Self::One(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for AvroSchemas {}

/// The schemas of a registry.
#[async_trait]
pub trait SchemaRegistry: Debug + Send + Sync {
    /// Where it answers. Registries with the same URL know the same schemas.
    fn url(&self) -> &str;

    /// The schema with an ID.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses to.
    async fn schema(&self, id: u32) -> Result<RegisteredSchema>;
}

/// What a registry says of an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisteredSchema {
    /// An Avro schema, a JSON text that [`check_avro_schema`](super::check_avro_schema) accepts.
    Avro(Arc<str>),
    /// Why values with this ID cannot be decoded: `schema ID 7 is not in the registry`.
    Unusable(Arc<str>),
}
