//! Schema registries with Confluent's API: Confluent's own, Apicurio (`/apis/ccompat/v7`), Karapace, Redpanda.
//!
//! - `settings`: a registry in `pipelines.yaml`, or one schema in a file; [`RegistryConfig`] (`config`): validated.
//! - [`Registry`] (`registry`): schemas by ID, each requested once, with those that they refer to.
//! - `client`: requests, repeated while there is no answer, and their errors.
//!
//! A registry that does not answer is a source that does not answer: a run fails, and `run --follow` tries again. A
//! schema that is not there, or cannot be used, is a matter of the records that name it: `udfs/src/functions/by_schema`
//! gives them a reason.

mod client;
mod config;
mod registry;
mod settings;
#[cfg(test)]
mod tests;

pub use config::RegistryConfig;
pub use registry::Registry;
pub(crate) use settings::{RawRegistry, schemas};
