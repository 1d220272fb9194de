//! Options that every command takes (`--target`, `--var`, `--memory`, …), and what they result in: logging, the project
//! ([`Global::project`]), the engine, and the runner of its steps ([`Global::runner`]).

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::str::FromStr;

use bytesize::ByteSize;
use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args};
use tracing_subscriber::EnvFilter;

use super::exit::with_causes;
use crate::config::{BackendConfig, Environment, LoadOptions, Mode, Project, TableName, redact};
use crate::engine::{Engine, EngineOptions};
use crate::lake::LakeTable;
use crate::pipeline::Runner;
use crate::shell::has_colors;
use crate::sources::kafka::KafkaConfig;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The project file
    #[arg(
        long,
        global = true,
        env = "CLICKREC_CONFIG",
        default_value = "pipelines.yaml",
        value_name = "FILE"
    )]
    pub config: PathBuf,

    /// The target to use, by its name in the project file
    #[arg(long, global = true, env = "CLICKREC_TARGET", value_name = "NAME")]
    pub target: Option<String>,

    /// Set ${NAME} in the project file (overrides the environment) and var('NAME', …) in SQL
    #[arg(long = "var", global = true, value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,

    /// Memory limit that queries, sources and training share
    #[arg(
        long,
        global = true,
        env = "CLICKREC_MEMORY",
        default_value = "4GiB",
        value_name = "SIZE"
    )]
    pub memory: ByteSize,

    /// Where steps run: `local`, or on the cluster of the scheduler `df://HOST:PORT` [default: `engine` in the project
    /// file]
    #[arg(long, global = true, value_name = "ENGINE", value_parser = BackendConfig::from_str)]
    pub engine: Option<BackendConfig>,

    /// Number of threads to use [default: the number of cores]
    #[arg(long, global = true, env = "CLICKREC_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,

    /// Do not show progress
    #[arg(long, global = true, env = "CLICKREC_NO_PROGRESS", value_parser = FalseyValueParser::new())]
    pub no_progress: bool,

    /// Log more (-v: progress and decisions, -vv: everything)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Standard error without credentials: log lines may come from libraries, too.
struct Redacted;

impl Write for Redacted {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        std::io::stderr().write_all(redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl Global {
    /// Sends logs to standard error. The made-up rows of tests cause no warnings.
    pub fn start_logging(&self, is_test: bool) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => "error,buoyant_kernel=off",
            (_, 0) if is_test => "warn,clickrec_udfs=error,deltalake_core::writer::stats=error,buoyant_kernel=off",
            // Bronze's values are binary on purpose, without statistics. We report the kernel's failures as our own
            // errors.
            (_, 0) => "warn,deltalake_core::writer::stats=error,buoyant_kernel=off",
            (_, 1) => "clickrec=info,clickrec_udfs=info,warn,deltalake_core::writer::stats=error,buoyant_kernel=off",
            (_, 2) => "clickrec=debug,clickrec_udfs=debug,info",
            _ => "debug",
        };
        let filter = EnvFilter::try_from_env("CLICKREC_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(|| Redacted);
        logs.with_ansi(has_colors(&std::io::stderr())).init();
    }

    /// Whether to draw progress bars.
    pub fn progress(&self) -> bool {
        !self.no_progress && !self.quiet && std::io::stderr().is_terminal()
    }

    /// Reads and validates the project file.
    pub fn project(&self) -> anyhow::Result<Project> {
        let vars: BTreeMap<String, String> = self.vars.iter().cloned().collect();
        let options = LoadOptions {
            target: self.target.as_deref(),
            vars: &vars,
            env: &Environment::process(),
        };
        let mut project = Project::load(&self.config, &options)?;
        if let Some(engine) = &self.engine {
            let number = match &project.engine {
                BackendConfig::Ballista { partitions, .. } => Some(*partitions),
                BackendConfig::Local => None,
            };
            project.engine = engine.clone().with_partitions(number);
        }
        Ok(project)
    }

    /// The query engine, within the limits of the options.
    pub fn engine(&self) -> anyhow::Result<Engine> {
        if let Some(threads) = self.threads {
            // Fails only if there is a pool already, which then has the same size.
            _ = rayon::ThreadPoolBuilder::new()
                .num_threads(threads.into())
                .build_global();
        }
        let memory_bytes = usize::try_from(self.memory.as_u64())?;
        let threads = self.threads.map(usize::from);
        Ok(Engine::new(&EngineOptions {
            memory_bytes,
            spill_dir: None,
            threads,
        })?)
    }

    /// The project and a runner of its steps, checked.
    pub async fn runner(&self) -> anyhow::Result<(Project, Runner)> {
        let project = self.project()?;
        let runner = Runner::new(&project, self.engine()?).await?;
        Ok((project, runner))
    }

    /// The same for a command that reads the lake: it warns of steps whose SQL is broken, and continues.
    pub async fn reader(&self) -> anyhow::Result<(Project, Runner)> {
        let (project, runner) = self.runner().await?;
        warn_of_broken(&runner);
        Ok((project, runner))
    }

    /// The project's one Kafka source.
    pub fn kafka_source(&self) -> anyhow::Result<KafkaConfig> {
        let project = self.project()?;
        let mut found = project.sources.values().filter_map(|source| KafkaConfig::of(&**source));
        match (found.next(), found.next()) {
            (Some(kafka), None) => Ok(kafka.clone()),
            (None, _) => anyhow::bail!(
                "no Kafka source is configured\n  help: choose a target that has one (--target kafka), or write to a \
                 file (--to FILE)"
            ),
            (Some(_), Some(_)) => anyhow::bail!(
                "the project has several Kafka sources, but this command needs exactly one\n  help: choose a target \
                 in which only one source reads Kafka, or write to a file (--to FILE)"
            ),
        }
    }
}

/// Warns of steps that cannot run because their SQL is broken.
pub(super) fn warn_of_broken(runner: &Runner) {
    for node in runner.dag().nodes() {
        if let Some(error) = runner.broken(node.name()) {
            tracing::warn!(step = %node.name(), "cannot run: {}", with_causes(error));
        }
    }
}

/// Tables to work on.
#[derive(Debug, Clone, Args)]
pub(super) struct TableArgs {
    /// The tables, as LAYER.TABLE [default: every table of the project]
    #[arg(value_name = "TABLE")]
    names: Vec<TableName>,
}

impl TableArgs {
    /// The tables, opened. Without names, those of the project's tables that exist.
    pub async fn open(&self, runner: &Runner) -> anyhow::Result<Vec<LakeTable>> {
        let steps = runner.dag().nodes().iter().filter(|node| node.step.mode != Mode::View);
        let all: Vec<TableName> = steps.map(|node| node.name().clone()).collect();
        let names = if self.names.is_empty() { &all } else { &self.names };
        let mut tables = vec![];
        for name in names {
            let table = runner.lake().table(name).await?;
            if table.version().is_some() {
                tables.push(table);
            } else if !self.names.is_empty() {
                anyhow::bail!(
                    "the lake has no table `{name}`\n  help: `clickrec run` creates the tables of the project: {}",
                    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                );
            }
        }
        Ok(tables)
    }
}
