//! Schemas by ID. An ID stands for the same schema for ever, so each schema is requested once and kept.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clickrec_udfs::{RegisteredSchema, SchemaRegistry, check_avro_schema};
use datafusion::error::{DataFusionError, Result};
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::RegistryConfig;
use super::client::Client;
use crate::sources::SourceError;

/// How many IDs are remembered.
const KNOWN_MAX: usize = 10_000;
/// An ID that the registry does not know is not requested again for this long. It may be registered later.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// A registry, with the schemas that it has returned so far.
pub struct Registry {
    client: Client,
    known: Cache<u32, Known>,
}

/// What is known about an ID.
#[derive(Clone)]
struct Known {
    schema: RegisteredSchema,
    /// Until when; `None` for ever.
    until: Option<Instant>,
}

/// What a registry returns for an ID.
#[derive(Deserialize)]
struct Found {
    schema: String,
    /// `AVRO` if it is missing.
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    references: Option<Vec<IgnoredAny>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Connects on the first request.
    pub fn new(config: RegistryConfig) -> Self {
        Self::of(Client::new(config))
    }

    pub(super) fn of(client: Client) -> Self {
        Self {
            client,
            known: Cache::new(KNOWN_MAX),
        }
    }

    async fn request(&self, id: u32) -> Result<Known, SourceError> {
        let Some(answer) = self.client.get(&format!("/schemas/ids/{id}")).await? else {
            return Ok(Known {
                schema: RegisteredSchema::Unusable(format!("schema ID {id} is not in the registry").into()),
                until: Some(Instant::now() + UNKNOWN_FOR),
            });
        };
        let found: Found = self.client.parsed(&answer)?;
        Ok(Known {
            schema: usable(id, found),
            until: None,
        })
    }
}

#[async_trait]
impl SchemaRegistry for Registry {
    fn url(&self) -> &str {
        self.client.url()
    }

    async fn schema(&self, id: u32) -> Result<RegisteredSchema> {
        let is_over = |known: &Known| known.until.is_some_and(|until| until <= Instant::now());
        self.known.remove_if(&id, is_over);
        match self.known.get_or_insert_async(&id, self.request(id)).await {
            Ok(known) => Ok(known.schema),
            Err(error) => Err(DataFusionError::External(Box::new(error))),
        }
    }
}

/// The schema, if values can be decoded with it.
fn usable(id: u32, found: Found) -> RegisteredSchema {
    let reason = match found.schema_type.as_deref() {
        Some("JSON") => format!("schema ID {id} is JSON, not AVRO: read it with from_json"),
        Some(other) if other != "AVRO" => format!("schema ID {id} is {other}, not AVRO"),
        _ if found.references.is_some_and(|references| !references.is_empty()) => {
            format!("schema ID {id} refers to other schemas, which from_avro does not read")
        }
        _ => match check_avro_schema(&found.schema) {
            Ok(()) => return RegisteredSchema::Avro(found.schema.into()),
            Err(error) => format!("schema ID {id} cannot be used: {error}"),
        },
    };
    RegisteredSchema::Unusable(reason.into())
}
