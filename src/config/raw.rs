//! The file as written: every key of `pipelines.yaml`, none of them validated; unknown keys and wrong types are refused
//! here, with their line (`problem`). The JSON schema for editors comes from these types.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::{Error, Spanned};

use super::ordered_map::OrderedMap;
use super::raw_expectation::RawExpectation;
use super::raw_recommender::RawRecommender;
use super::{ConfigError, nearest};
pub(super) use crate::settings::Text;
use crate::settings::{Problem, RawOption};
use crate::sources::RawSource;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProject {
    /// A folder or a URL: `./lake`, `abfss://container@account.dfs.core.windows.net/lake`, `s3://bucket/lake`.
    #[schemars(with = "String")]
    pub lake: Text,
    /// Settings of the lake's store, with secrets from the environment: `azure_storage_sas_token: "${AZURE_SAS}"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub storage: BTreeMap<String, Text>,
    /// The shop's time zone, whose days and hours Gold, the page and the API count: `Europe/Berlin`; `UTC` by default.
    #[schemars(with = "Option<String>")]
    pub timezone: Option<Text>,
    /// Where steps run: `local`, or on a cluster: `{ ballista: "df://host:50050" }`.
    #[schemars(with = "Option<RawEngine>")]
    pub engine: Option<Spanned<RawEngine>>,
    /// Where events come from, by the name that `changes('…')` reads.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawSource>")]
    pub sources: BTreeMap<String, Spanned<RawSource>>,
    /// Other lakes, stores and sources, selected with `--target NAME`.
    #[serde(default)]
    pub targets: BTreeMap<String, RawTarget>,
    /// Values for `var('NAME', DEFAULT)` in SQL; `--var NAME=VALUE` overrides them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub vars: BTreeMap<String, Text>,
    /// When tables are compacted, checkpointed and vacuumed.
    #[serde(default)]
    pub maintenance: RawMaintenance,
    /// Which columns hold people, for `clickrec erase`.
    #[serde(default)]
    pub erasure: RawErasure,
    /// What the recommender consists of.
    pub recommender: Option<RawRecommender>,
    /// Steps, by the name of their pipeline.
    #[schemars(with = "BTreeMap<String, RawPipeline>")]
    pub pipelines: OrderedMap<RawPipeline>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMaintenance {
    /// The number of small files of similar size that triggers a compaction: `32`.
    #[schemars(with = "Option<RawOption>")]
    pub compact_after: Option<Text>,
    /// In tables that merges rewrite, compaction leaves files younger than this alone: `10m`.
    #[schemars(with = "Option<String>")]
    pub compact_min_age: Option<Text>,
    /// The size of new files: `128MiB`.
    #[schemars(with = "Option<String>")]
    pub target_file_size: Option<Text>,
    /// The number of commits after which a checkpoint is written: `50`.
    #[schemars(with = "Option<RawOption>")]
    pub checkpoint_after: Option<Text>,
    /// How long to keep files that are no longer part of a table: `7d`.
    #[schemars(with = "Option<String>")]
    pub retain: Option<Text>,
    /// How long to keep entries of the log: `1d`.
    #[schemars(with = "Option<String>")]
    pub log_retain: Option<Text>,
    /// How long Bronze and Silver keep events: `400d`. By default, for ever.
    #[schemars(with = "Option<String>")]
    pub retain_events: Option<Text>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawErasure {
    /// The columns of tables, and fields of records, that hold IDs of users: `[user_id, person_id]`.
    #[schemars(with = "Option<Vec<String>>")]
    pub users: Option<Vec<Text>>,
    /// Those that hold IDs of sessions, alone or in lists: `[session_id, given_session_id, sent_session_id,
    /// replaced_session_ids]`.
    #[schemars(with = "Option<Vec<String>>")]
    pub sessions: Option<Vec<Text>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    /// Another lake.
    #[schemars(with = "Option<String>")]
    pub lake: Option<Text>,
    /// Settings of that lake's store.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub storage: Option<BTreeMap<String, Text>>,
    /// Another time zone.
    #[schemars(with = "Option<String>")]
    pub timezone: Option<Text>,
    /// Another engine.
    #[schemars(with = "Option<RawEngine>")]
    pub engine: Option<Spanned<RawEngine>>,
    /// Other sources, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawSource>")]
    pub sources: BTreeMap<String, Spanned<RawSource>>,
}

/// `local`, or `{ ballista: "df://host:50050", partitions: 16 }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawEngine {
    #[schemars(with = "String")]
    Name(Text),
    Cluster(RawCluster),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCluster {
    /// The cluster's scheduler: `df://host:50050`.
    #[schemars(with = "String")]
    pub ballista: Text,
    /// The number of parts that work is split into: roughly the total number of cores of all executors.
    pub partitions: Option<u16>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPipeline {
    /// With `run --follow`: when a batch starts.
    #[schemars(with = "Option<RawTrigger>")]
    pub trigger: Option<Spanned<RawTrigger>>,
    /// The steps, in any order: their inputs determine the order in which they run.
    #[schemars(with = "Vec<RawStep>")]
    pub steps: Vec<Spanned<RawStep>>,
}

/// `10s`, or `{ every: 10s, records: 500000, bytes: 64MiB }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawTrigger {
    Every(String),
    Limits(RawLimits),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    /// Start a batch when this much time has passed since the last one started: `10s`.
    pub every: Option<String>,
    /// Start a batch when this many records are waiting.
    pub records: Option<u64>,
    /// Start a batch when this many bytes are waiting: `256MiB`.
    pub bytes: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    /// The name of the table, `LAYER.TABLE`.
    #[schemars(with = "String")]
    pub name: Text,
    /// The SQL file, which holds one query.
    #[schemars(with = "String")]
    pub sql: Text,
    /// How the result is written to the table: `append`, `merge`, `overwrite` or `view`.
    #[schemars(with = "String", extend("enum" = ["append", "overwrite", "merge", "view"]))]
    pub mode: Text,
    /// A description of the table, instead of the comment in its SQL file.
    #[schemars(with = "Option<String>")]
    pub description: Option<Text>,
    /// Descriptions of columns, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub columns: BTreeMap<String, Text>,
    /// For `merge`: the key columns; the result replaces all old rows of its keys.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub key: Vec<Text>,
    /// For `merge`: a predicate over the result; rows for which it is true only delete the old rows of their key.
    #[schemars(with = "Option<String>")]
    pub delete: Option<Text>,
    /// When the SQL changes: `rebuild` the table (the default), keep older rows (`forward`), or also `backfill` them.
    #[schemars(with = "Option<String>", extend("enum" = ["rebuild", "forward", "backfill", null]))]
    pub on_change: Option<Text>,
    /// For `overwrite`: recompute as soon as this share of the inputs' rows is new: `5%`.
    #[schemars(with = "Option<RawOption>")]
    pub refresh_after: Option<Text>,
    /// With `run --follow`: run the step alongside the batches, at most this often: `5m`.
    #[schemars(with = "Option<String>")]
    pub every: Option<Text>,
    /// For `merge`: compaction leaves files younger than this alone.
    #[schemars(with = "Option<String>")]
    pub compact_min_age: Option<Text>,
    /// Columns by which the table is partitioned into folders.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub partition_by: Vec<Text>,
    /// Columns by which compaction sorts the rows.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub cluster_by: Vec<Text>,
    /// Conditions for the rows that the step writes.
    #[serde(default)]
    #[schemars(with = "Vec<RawExpectation>")]
    pub expect: Vec<Spanned<RawExpectation>>,
}

impl RawProject {
    /// Parses the file. Returns its first error, with its location and the nearest known key.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        serde_yaml::from_str(text).map_err(|error| ConfigError {
            file: file.to_owned(),
            problems: vec![problem(error.without_snippet())],
        })
    }
}

/// Converts an error of the YAML parser, with its location and the nearest known key.
pub fn problem(error: &Error) -> Problem {
    let at = error
        .location()
        .map(|location| (location.line(), location.column()))
        .filter(|at| at.0 > 0);
    let (message, help) = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let help = nearest(field, expected.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            (
                format!("unknown key `{field}`; the valid keys are {}", expected.join(", ")),
                help,
            )
        }
        Error::SerdeMissingField { field, .. } => (format!("`{field}` is missing"), None),
        Error::DuplicateMappingKey { key: Some(key), .. } => (format!("duplicate key `{key}`"), None),
        Error::SerdeInvalidType {
            unexpected, expected, ..
        } => (format!("expected {expected}, found {unexpected}"), None),
        Error::Unexpected {
            expected: "string scalar",
            ..
        } => {
            let help = "a variable with several values is one text with commas, such as `test_ids: 'a,b'`";
            (
                "expected a single value, found a list or a mapping".to_owned(),
                Some(help.to_owned()),
            )
        }
        other => {
            // The library's own message repeats the location; its first line is the message itself.
            let text = other.to_string();
            (
                text.lines()
                    .next()
                    .unwrap_or("this is not YAML")
                    .trim_start_matches("error: ")
                    .to_owned(),
                None,
            )
        }
    };
    Problem { at, message, help }
}
