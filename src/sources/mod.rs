//! Where events come from. A kind of source is one module and one line below; so is a format of files, in [`formats`].
//!
//! A source is stateless. The pipeline stores how far each place was read in the same Delta commit as the rows, and
//! passes those positions back the next time. A Kafka partition and a file are both a "place".
//!
//! - [`Source`]: what is pending since a position, what was lost, and the positions to commit; or only a look at some
//!   records.
//! - [`record_schema`]: the columns of a record, which all sources share; `dropped_headers`: what an insert would lose.
//! - [`SourceConfig`]: the settings of a source, and what the program needs to know of them; `kind`: how to register
//!   one.
//! - [`named_records`]: what `changes('SOURCE')` returns: records with the name of their source; [`SourceTable`]: all
//!   of them, outside a step.
//! - [`Unproven`]: files that were trusted and not read to their end.
//! - `wire`: the plan leaf of any source as bytes, for another process.
//! - `http`: requests to the services that a source needs.
//! - [`schema_registry`]: where the schemas of values are.
//! - [`kafka`], [`files`]: the kinds.

mod dropped_headers;
pub mod files;
pub mod formats;
mod http;
pub mod kafka;
mod kind;
mod record;
pub mod schema_registry;
mod source;
mod table;
mod unproven;
mod wire;

pub use dropped_headers::dropped_by_headers;
pub use files::{is_pattern, is_read_from_folders};
pub use kind::{Layer, SourceConfig};
pub(crate) use kind::{RawSettings, SourceKind};
pub use record::{RecordBatchBuilder, RecordRef, record_schema, values};
pub use source::{
    BYTES_READ, Committed, FromTheStart, Head, OnLoss, Pending, Positions, ReadOptions, Source, SourceError,
};
pub use table::{SourceTable, named_record_schema, named_records};
pub use unproven::Unproven;
pub use wire::{from_wire, to_wire};

use crate::settings::Text;
use kind::kinds;

kinds! {
    /// Topics.
    kafka: kafka::RawKafka => kafka::Kafka,
    /// Files of records.
    files: files::RawFiles => files::Files,
}

impl RawSource {
    /// The settings of the given kind.
    ///
    /// # Errors
    /// The kinds to choose from, when there is not exactly one.
    pub fn settings(&self) -> Result<&dyn RawSettings, String> {
        match self.given()[..] {
            [only] => Ok(only),
            _ => {
                let names: Vec<String> = KINDS.iter().map(|(name, _)| format!("`{name}`")).collect();
                Err(names.join(" or "))
            }
        }
    }

    /// Credentials, by the names of their keys.
    pub fn credentials(&self) -> impl Iterator<Item = (&str, &Text)> {
        self.given().into_iter().flat_map(RawSettings::credentials)
    }
}

/// The layers of the kinds whose sources SQL may also read and write as tables.
pub fn layers() -> impl Iterator<Item = &'static Layer> {
    KINDS.iter().filter_map(|(_, kind)| kind.layer())
}

/// The layer of a name, if its tables are sources.
pub fn layer(name: &str) -> Option<&'static Layer> {
    layers().find(|layer| layer.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn written(yaml: &str) -> Result<RawSource, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn a_source_is_of_exactly_one_kind() {
        assert!(written("files: { path: a }").unwrap().settings().is_ok());
        for yaml in ["{}", "{ files: { path: a }, kafka: { brokers: b, topic: t } }"] {
            let refused = written(yaml).unwrap().settings().map(drop);
            assert_eq!(refused, Err("`kafka` or `files`".to_owned()), "{yaml}");
        }
        assert!(written("socket: { path: a }").unwrap_err().contains("socket"));
    }

    #[test]
    fn the_tables_of_a_layer_have_a_name() {
        assert_eq!(layer("kafka").map(|layer| layer.table), Some("topic"));
        assert_eq!(layer("files"), None);
    }
}
