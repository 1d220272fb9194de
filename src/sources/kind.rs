//! What a kind of source implements ([`SourceKind`], [`SourceConfig`]), and the macro that registers the kinds.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use clickrec_udfs::ValueSchemas;
use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::{Source, SourceError};
use crate::settings::{Text, Values};

/// A layer of a session, whose tables show the current content of the sources of one kind. `insert into` adds records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Its name in SQL.
    pub name: &'static str,
    /// What one of its tables is called.
    pub table: &'static str,
}

/// What all sources of a kind share.
pub(crate) trait SourceKind: Sync {
    /// The layer of such sources, if SQL may also read and write them as tables.
    fn layer(&self) -> Option<&'static Layer>;

    /// Serializes a plan leaf that reads such a source; `None` if it is not such a leaf. Leaves out credentials: the
    /// process that reads uses its own.
    fn encode(&self, leaf: &dyn ExecutionPlan) -> Option<serde_json::Result<Vec<u8>>>;

    /// Deserializes such a leaf, for a process with these sources.
    ///
    /// # Errors
    /// When none of the sources is the one that the leaf reads.
    fn decode(&self, bytes: &[u8], sources: &[Arc<dyn SourceConfig>]) -> Result<Arc<dyn ExecutionPlan>>;
}

/// The settings of a source as written.
pub(crate) trait RawSettings {
    /// Validates them; `None` if a problem prevents that.
    fn validate(&self, values: &mut Values) -> Option<Arc<dyn SourceConfig>>;

    /// Credentials, by the names of their keys. In the file, they may only be variables.
    fn credentials(&self) -> Vec<(&str, &Text)>;
}

/// The validated settings of a source.
pub trait SourceConfig: Any + Debug + Send + Sync {
    /// The source. Does not contact it yet.
    ///
    /// # Errors
    /// When it cannot be set up.
    fn open(&self) -> Result<Arc<dyn Source>, SourceError>;

    /// A sentence that describes its records.
    fn description(&self) -> String;

    /// Whether its newest state replaces what was read before, so that a step that reads it replaces its table.
    fn is_snapshot(&self) -> bool {
        false
    }

    /// Whether it reads files, which `clickrec sql --safe` does not allow.
    fn reads_files(&self) -> bool;

    /// What describes its values if they are Avro or Protobuf.
    fn schemas(&self) -> Option<ValueSchemas> {
        None
    }

    /// The source as a table of its kind's layer, if the kind has one.
    fn table(&self) -> Option<(&'static Layer, Arc<dyn TableProvider>)>;
}

/// Registers the kinds of sources: the key in `pipelines.yaml`, the type of the settings under it, and the kind.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident: $settings:ty => $kind:expr,)+) => {
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct RawSource {
            $($(#[doc = $doc])+ $name: Option<$settings>,)+
        }

        impl RawSource {
            /// The settings under each of the given keys.
            fn given(&self) -> Vec<&dyn RawSettings> {
                let mut given: Vec<&dyn RawSettings> = vec![];
                $(given.extend(self.$name.as_ref().map(|settings| settings as &dyn RawSettings));)+
                given
            }
        }

        /// Every kind, by its key.
        static KINDS: &[(&str, &dyn SourceKind)] = &[$((stringify!($name), &$kind)),+];
    };
}

pub(super) use kinds;
