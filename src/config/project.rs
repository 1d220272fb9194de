use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::raw::RawProject;
use super::validate::Validator;
use super::{
    ConfigError, EngineConfig, Environment, Expectation, MaintenanceConfig, Secret, SourceConfig, Storage, TableName,
};

/// A project, validated: what `pipelines.yaml` says for the chosen target.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder of the file; relative paths start here.
    pub root: PathBuf,
    /// The file.
    pub file: PathBuf,
    /// Where the tables are.
    pub lake: LakeConfig,
    /// Where steps run.
    pub engine: EngineConfig,
    /// Where events come from, by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// How tables are kept in shape.
    pub maintenance: MaintenanceConfig,
    /// What runs, in the file's order.
    pub pipelines: Vec<Pipeline>,
    /// Values for `var('NAME', …)` in SQL; those for `${NAME}` are among them, and may be secret.
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
    /// When a batch begins while it follows its sources.
    pub trigger: Trigger,
    /// In the file's order; they run in the order of their SQL's references.
    pub steps: Vec<Step>,
}

/// A batch begins when any of these is reached, and takes about so much at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// Time since the last batch began.
    pub every: Duration,
    /// Records that wait.
    pub records: u64,
    /// Bytes of records that wait, as far as the records before tell.
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

/// One SQL file and the table it makes.
#[derive(Debug, Clone)]
pub struct Step {
    /// The table.
    pub name: TableName,
    /// The SQL file as written, relative to the project's folder.
    pub file: PathBuf,
    /// Its text.
    pub sql: String,
    /// How the result becomes the table.
    pub mode: Mode,
    /// What the table is, where its SQL file does not say it.
    pub description: Option<String>,
    /// What columns mean, by their names.
    pub columns: BTreeMap<String, String>,
    /// The columns whose rows a merge replaces.
    pub key: Vec<String>,
    /// A predicate over a merge's result: such rows only take old rows of their key away.
    pub delete: Option<String>,
    /// Share of the inputs, 0 to 1, that must have changed before an `overwrite` step is computed anew.
    pub refresh_after: Option<f64>,
    /// While a pipeline follows its sources, the step runs at most so often, beside the others.
    pub every: Option<Duration>,
    /// Compaction leaves younger files alone; of the project where none is given.
    pub compact_min_age: Option<Duration>,
    /// Columns that split the table into folders.
    pub partition_by: Vec<String>,
    /// Columns by which compaction sorts the rows.
    pub cluster_by: Vec<String>,
    /// What has to hold for the rows that it writes.
    pub expect: Vec<Expectation>,
    /// Where the step is in the file, from 1.
    pub line: u64,
}

/// How a step's result becomes its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The result's rows are added.
    Append,
    /// The result's rows replace all others.
    Overwrite,
    /// The result's rows replace those of the same key.
    Merge,
    /// No table: whoever reads the name runs the SQL.
    View,
}

impl Mode {
    /// All of them, by the name they have in the file.
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("append", Self::Append),
        ("overwrite", Self::Overwrite),
        ("merge", Self::Merge),
        ("view", Self::View),
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

/// What [`Project::load`] goes by, besides the file.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// The target to use, of those that the file names.
    pub target: Option<&'a str>,
    /// Values for `${NAME}` that win over the environment, and for `var('NAME', …)` in SQL.
    pub vars: &'a BTreeMap<String, String>,
    /// The environment.
    pub env: &'a Environment,
}

impl fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment and the variables may hold secrets.
        f.debug_struct("LoadOptions")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Project {
    /// Reads and validates a project file and the SQL files it names. Touches no data.
    ///
    /// # Errors
    /// All problems that could be found, each with its place.
    pub fn load(file: &Path, options: &LoadOptions<'_>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let help = "`clickrec init` starts a project; --config names another file";
            ConfigError::single(file.to_owned(), format!("cannot be read: {error}"), help)
        })?;
        let raw = RawProject::parse(file, &text)?;
        Validator::new(file, options).project(raw)
    }

    /// The values for `var('NAME', …)` in SQL.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let revealed = |(name, value): (&String, &Secret)| (name.clone(), value.reveal().to_owned());
        self.vars.iter().map(revealed).collect()
    }

    /// The pipeline of a name, or the only one.
    ///
    /// # Errors
    /// When there is none of the name, or no name and several pipelines.
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
            (None, _) => Err(problem("there are several pipelines: say which".to_owned())),
        }
    }
}
