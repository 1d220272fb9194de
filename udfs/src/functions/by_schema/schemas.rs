//! Where the schemas of values come from.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result;

use super::schema::Schema;
use crate::functions::frame::SchemaId;

/// What describes the values of a source.
#[derive(Debug, Clone)]
pub enum ValueSchemas {
    /// The ID before each value, or in a header of its record, names its schema, which this registry knows.
    Registry(Arc<dyn SchemaRegistry>),
    /// All values have this schema, and no prefix.
    One(Schema),
}

/// The same for several sources, by their names.
pub type SourceSchemas = BTreeMap<String, ValueSchemas>;

impl PartialEq for ValueSchemas {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Registry(one), Self::Registry(other)) => one.is_same(&**other),
            (Self::One(one), Self::One(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for ValueSchemas {}

/// The schemas of a registry.
#[async_trait]
pub trait SchemaRegistry: Any + Debug + Send + Sync {
    /// Whether the other one always answers the same, to the same user.
    fn is_same(&self, other: &dyn SchemaRegistry) -> bool;

    /// The schema with an ID.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses to.
    async fn schema(&self, id: SchemaId) -> Result<RegisteredSchema>;
}

/// What a registry says of an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisteredSchema {
    /// A schema.
    Known(Schema),
    /// It has none with this ID.
    Unknown,
    /// Why values with this ID cannot be decoded: `schema ID 7 cannot be used: …`.
    Unusable(Arc<str>),
}
