//! Schemas by ID, with those that they refer to. An ID stands for the same schema forever, so each schema is requested
//! once and kept.

use std::any::Any;
use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clickrec_udfs::{Reference, RegisteredSchema, Schema, SchemaId, SchemaRegistry};
use datafusion::error::{DataFusionError, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use quick_cache::sync::Cache;
use serde::Deserialize;

use super::RegistryConfig;
use super::client::Client;
use crate::sources::SourceError;

/// How many schemas are remembered.
const KNOWN_MAX: usize = 10_000;
/// How many IDs are remembered that the registry does not know.
const UNKNOWN_MAX: usize = 10_000;
/// An ID that the registry does not know is not requested again for this long. It may be registered later.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// To how many others a schema may refer, directly or through them.
const REFERENCES_MAX: usize = 100;

/// A registry, with the schemas that it has returned so far.
pub struct Registry {
    client: Client,
    known: Cache<SchemaId, RegisteredSchema>,
    /// Until when each is not requested again. Values that are not messages have random IDs, so these must not
    /// displace schemas.
    unknown: Cache<SchemaId, Instant>,
}

/// What a registry returns for an ID, or for a version of a subject.
#[derive(Deserialize)]
struct Found {
    schema: String,
    /// `AVRO` if it is missing.
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    references: Option<Vec<FoundReference>>,
}

/// A reference to a version of a subject, by the name that the schema has for it.
#[derive(Deserialize)]
struct FoundReference {
    name: String,
    subject: String,
    version: i64,
}

/// Why there is no schema.
enum Missing {
    /// The registry does not know the ID.
    Unknown,
    /// Why it cannot be used.
    Unusable(String),
    /// The registry does not say.
    NoAnswer(SourceError),
}

impl From<SourceError> for Missing {
    fn from(error: SourceError) -> Self {
        Self::NoAnswer(error)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("urls", &self.client.config().urls)
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
            unknown: Cache::new(UNKNOWN_MAX),
        }
    }

    /// What is to be kept of an ID; or why nothing is: an error, or nothing is known of it.
    async fn request(&self, id: SchemaId) -> Result<RegisteredSchema, Option<SourceError>> {
        if self.unknown.get(&id).is_some_and(|until| until > Instant::now()) {
            return Err(None);
        }
        match self.requested(id).await {
            Ok(schema) => Ok(RegisteredSchema::Known(schema)),
            Err(Missing::Unusable(reason)) => Ok(RegisteredSchema::Unusable(reason.into())),
            Err(Missing::Unknown) => {
                self.unknown.insert(id, Instant::now() + UNKNOWN_FOR);
                Err(None)
            }
            Err(Missing::NoAnswer(error)) => Err(Some(error)),
        }
    }

    async fn requested(&self, id: SchemaId) -> Result<Schema, Missing> {
        let path = match id {
            SchemaId::Number(number) => format!("/schemas/ids/{number}"),
            SchemaId::Guid(guid) => format!("/schemas/guids/{guid}"),
        };
        let answer = self.client.get(&path).await?.ok_or(Missing::Unknown)?;
        let found: Found = self.client.parsed(&answer)?;
        let mut references = vec![];
        let direct = found.references.unwrap_or_default();
        self.collect(direct, &mut vec![], &mut references)
            .await
            .map_err(|missing| missing.of(id))?;
        let schema_type = found.schema_type.as_deref().unwrap_or("AVRO");
        Schema::registered(schema_type, &found.schema, &references).map_err(|reason| Missing::Unusable(reason).of(id))
    }

    /// Adds schemas that are referred to, each after those that it refers to itself. `path` has the names that lead
    /// here.
    fn collect<'a>(
        &'a self,
        references: Vec<FoundReference>,
        path: &'a mut Vec<String>,
        found: &'a mut Vec<Reference>,
    ) -> BoxFuture<'a, Result<(), Missing>> {
        async move {
            for FoundReference { name, subject, version } in references {
                if path.contains(&name) {
                    return Err(Missing::Unusable(format!("`{name}` refers to itself")));
                }
                if found.iter().any(|known| known.name == name) {
                    continue;
                }
                if found.len() + path.len() >= REFERENCES_MAX {
                    return Err(Missing::Unusable(format!(
                        "it refers to more than {REFERENCES_MAX} others"
                    )));
                }
                let subject_path = utf8_percent_encode(&subject, NON_ALPHANUMERIC);
                let answer = self
                    .client
                    .get(&format!("/subjects/{subject_path}/versions/{version}"))
                    .await?;
                let Some(answer) = answer else {
                    let missing =
                        format!("version {version} of `{subject}`, which it refers to, is not in the registry");
                    return Err(Missing::Unusable(missing));
                };
                let schema: Found = self.client.parsed(&answer)?;
                path.push(name.clone());
                self.collect(schema.references.unwrap_or_default(), &mut *path, &mut *found)
                    .await?;
                path.pop();
                found.push(Reference {
                    name,
                    schema: schema.schema,
                });
            }
            Ok(())
        }
        .boxed()
    }
}

impl Missing {
    /// Of the schema with an ID.
    fn of(self, id: SchemaId) -> Self {
        match self {
            Self::Unusable(reason) => Self::Unusable(format!("{id} cannot be used: {reason}")),
            other => other,
        }
    }
}

#[async_trait]
impl SchemaRegistry for Registry {
    fn is_same(&self, other: &dyn SchemaRegistry) -> bool {
        let other = (other as &dyn Any).downcast_ref::<Self>();
        other.is_some_and(|other| self.client.config() == other.client.config())
    }

    async fn schema(&self, id: SchemaId) -> Result<RegisteredSchema> {
        match self.known.get_or_insert_async(&id, self.request(id)).await {
            Ok(schema) => Ok(schema),
            Err(None) => Ok(RegisteredSchema::Unknown),
            Err(Some(error)) => Err(DataFusionError::External(Box::new(error))),
        }
    }
}
