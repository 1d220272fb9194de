//! A validated project: lake, sources, pipelines, their steps (`mode`, `key`, `on_change`, `every`, `refresh_after`, …)
//! and when batches start (`trigger`, with its defaults).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clickrec_udfs::SourceSchemas;
use url::Url;

use super::{
    BackendConfig, ConfigError, ErasureConfig, Expectation, MaintenanceConfig, RecommenderConfig, Secret, Storage,
    TableName, TimeZone,
};
use crate::sources::SourceConfig;

/// A validated project: what `pipelines.yaml` says for the chosen target.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder of the file; relative paths start here.
    pub root: PathBuf,
    /// The project file.
    pub file: PathBuf,
    /// Where the tables are.
    pub lake: LakeConfig,
    /// The calendar of its days and hours; also `var('timezone', …)` in SQL, if the file or `--var` sets it.
    pub timezone: TimeZone,
    /// Where steps run.
    pub engine: BackendConfig,
    /// Where events come from, by name.
    pub sources: BTreeMap<String, Arc<dyn SourceConfig>>,
    /// How tables are maintained.
    pub maintenance: MaintenanceConfig,
    /// Which columns hold people.
    pub erasure: ErasureConfig,
    /// What the recommender consists of.
    pub recommender: RecommenderConfig,
    /// What runs, in the order of the file.
    pub pipelines: Vec<Pipeline>,
    /// Values for `var('NAME', …)` in SQL; they include those for `${NAME}`, and may be secret.
    pub vars: BTreeMap<String, Secret>,
}

/// A folder of Delta tables.
#[derive(Debug, Clone)]
pub struct LakeConfig {
    /// `file://`, `abfss://`, `az://`, `s3://`; the folder need not exist.
    pub url: Url,
    /// Settings of the object store.
    pub storage: Storage,
}

/// Steps that run together.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// When a batch starts while it follows its sources.
    pub trigger: Trigger,
    /// In the order of the file; they run in the order of their SQL's references.
    pub steps: Vec<Step>,
}

/// Starts a batch when any of these limits is reached; a batch takes at most about this much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// Time since the last batch started.
    pub every: Duration,
    /// The number of pending records.
    pub records: u64,
    /// The size of pending records in bytes, estimated from earlier records.
    pub bytes: u64,
}

impl Default for Trigger {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(10),
            records: 1_000_000,
            bytes: 256 << 20,
        }
    }
}

/// An SQL file and the table it writes.
#[derive(Debug, Clone)]
pub struct Step {
    /// The table.
    pub name: TableName,
    /// The SQL file as written, relative to the project's folder.
    pub file: PathBuf,
    /// Its text.
    pub sql: String,
    /// How the result is written to the table.
    pub mode: Mode,
    /// A description of the table, if its SQL file has none.
    pub description: Option<String>,
    /// Descriptions of columns, by name.
    pub columns: BTreeMap<String, String>,
    /// The columns whose rows a merge replaces.
    pub key: Vec<String>,
    /// A predicate over a merge's result: matching rows only delete the old rows of their key.
    pub delete: Option<String>,
    /// What becomes of its rows when its logic changes.
    pub on_change: OnChange,
    /// The share of the inputs, 0 to 1, that must have changed before an `overwrite` step is recomputed.
    pub refresh_after: Option<f64>,
    /// While a pipeline follows its sources, the step runs at most this often, in parallel with the others.
    pub every: Option<Duration>,
    /// Younger files are not compacted; defaults to the project's setting.
    pub compact_min_age: Option<Duration>,
    /// Columns the table is partitioned by.
    pub partition_by: Vec<String>,
    /// Columns by which compaction sorts the rows.
    pub cluster_by: Vec<String>,
    /// Conditions on the rows it writes.
    pub expect: Vec<Expectation>,
    /// Its line in the file, from 1.
    pub line: u64,
}

/// How a step's result is written to its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The result's rows are added.
    Append,
    /// The result's rows replace all others.
    Overwrite,
    /// The result's rows replace those of the same key.
    Merge,
    /// No table: reading the name runs the SQL.
    View,
}

impl Mode {
    /// All modes, by their names in the file.
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("append", Self::Append),
        ("overwrite", Self::Overwrite),
        ("merge", Self::Merge),
        ("view", Self::View),
    ];
}

/// What becomes of the rows of a step's table when the step's logic changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnChange {
    /// All are computed again.
    #[default]
    Rebuild,
    /// They stay as they are, and the new logic holds from then on.
    Forward,
    /// The same, and `run --follow` computes them again in the background, day by day.
    Backfill,
}

impl OnChange {
    /// All choices, by their names in the file.
    pub(super) const ALL: [(&'static str, Self); 3] = [
        ("rebuild", Self::Rebuild),
        ("forward", Self::Forward),
        ("backfill", Self::Backfill),
    ];
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::Overwrite => "overwrite",
            Self::Merge => "merge",
            Self::View => "view",
        })
    }
}

impl Project {
    /// The values for `var('NAME', …)` in SQL.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let revealed = |(name, value): (&String, &Secret)| (name.clone(), value.reveal().to_owned());
        self.vars.iter().map(revealed).collect()
    }

    /// What describes the Avro and Protobuf values of sources, for `from_avro` and `from_protobuf` in SQL.
    pub fn schemas(&self) -> SourceSchemas {
        let schemas = |(name, source): (&String, &Arc<dyn SourceConfig>)| Some((name.clone(), source.schemas()?));
        self.sources.iter().filter_map(schemas).collect()
    }

    /// The pipeline with a name, or the only one.
    ///
    /// # Errors
    /// When there is no such pipeline, or no name is given and there are several.
    pub fn pipeline(&self, name: Option<&str>) -> Result<&Pipeline, ConfigError> {
        let known = || {
            self.pipelines
                .iter()
                .map(|pipeline| pipeline.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let problem =
            |message: String| ConfigError::single(self.file.clone(), message, format!("the pipelines are {}", known()));
        match (name, &self.pipelines[..]) {
            (Some(name), pipelines) => pipelines
                .iter()
                .find(|pipeline| pipeline.name == name)
                .ok_or_else(|| problem(format!("there is no pipeline `{name}`"))),
            (None, [only]) => Ok(only),
            (None, []) => Err(ConfigError::single(
                self.file.clone(),
                "there are no pipelines",
                "add one under `pipelines`",
            )),
            (None, _) => Err(problem("there are several pipelines; name one of them".to_owned())),
        }
    }
}
