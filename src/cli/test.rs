//! `clickrec test`: runs the unit tests of the SQL in memory, or generates one from rows of the lake (`testing`);
//! `test_report` prints the outcome.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::global::Global;
use super::output::write_all;
use super::test_report::{self, Ended};
use crate::pipeline::{Node, Runner};
use crate::testing::generate::generate;
use crate::testing::{Diff, Failure, Test, TestingError, load};

/// Where a project's tests are.
pub(super) const FOLDER: &str = "sql/tests";

/// Test the SQL: feed rows to a step, and compare its result with the expected rows
///
/// Tests are YAML files in sql/tests. All tables are in memory. Only --generate reads the lake: it writes a test from a
/// few of its rows. docs/testing.md explains the files.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec test
  clickrec test sql/tests/silver_events.yaml
  clickrec test --select gold.sessions --json
  clickrec test --generate gold.sessions")]
pub(super) struct TestArgs {
    /// Files, or folders with .yaml files [default: sql/tests of the project]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Run only the tests of these steps
    #[arg(long, value_name = "STEP")]
    select: Vec<String>,

    /// Write a test of this step from rows of the lake, and run it
    #[arg(long, value_name = "STEP", conflicts_with_all = ["paths", "select"])]
    generate: Option<String>,

    /// The file to write [default: sql/tests/LAYER_TABLE.generated.yaml]
    #[arg(long, value_name = "FILE", requires = "generate")]
    out: Option<PathBuf>,

    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &TestArgs, global: &Global) -> anyhow::Result<()> {
    let started = Instant::now();
    let (project, runner) = global.runner().await?;
    let folder = from_here(project.root.join(FOLDER));
    let paths = match (&args.generate, args.paths.is_empty()) {
        (Some(step), _) => vec![written(step, args.out.as_deref(), &folder, &runner, global).await?],
        (None, false) => args.paths.clone(),
        (None, true) if folder.is_dir() => vec![folder],
        (None, true) => bail!(
            "{} does not exist\n  help: `clickrec test --generate STEP` writes a first test from rows of the lake",
            folder.display()
        ),
    };
    if let Some(unknown) = args.select.iter().find(|step| runner.dag().named(step).is_none()) {
        return Err(TestingError::unknown_step(unknown, runner.dag()).into());
    }
    match args.select.is_empty() {
        true => runner.check_all()?,
        false => {
            let selected: Vec<_> = args.select.iter().filter_map(|step| runner.dag().named(step)).collect();
            runner.check(selected.into_iter().map(Node::name))?;
        }
    }
    let mut tests = load(&paths, &runner).await?;
    tests.retain(|test| args.select.is_empty() || args.select.contains(&test.step.to_string()));
    if tests.is_empty() {
        bail!("there are no tests to run\n  help: `clickrec test --generate STEP` writes one from rows of the lake");
    }
    let ended = run_all(tests).await?;
    let took = started.elapsed();
    let failed = ended.iter().filter(|ended| !ended.passed()).count();
    let report = match args.json {
        true => format!("{}\n", serde_json::to_string_pretty(&report(&ended, took))?),
        false => test_report::text(&ended, took, global.verbose > 0),
    };
    write_all(&report)?;
    match failed {
        0 => Ok(()),
        1 => bail!("1 test failed"),
        _ => bail!("{failed} tests failed"),
    }
}

/// The path as short as the user would write it.
fn from_here(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).map(Path::to_owned).ok());
    short.unwrap_or(path)
}

/// Writes a test from rows of the lake, and returns its file.
async fn written(
    step: &str,
    out: Option<&Path>,
    folder: &Path,
    runner: &Runner,
    global: &Global,
) -> anyhow::Result<PathBuf> {
    let usual = || folder.join(format!("{}.generated.yaml", step.replace('.', "_")));
    let file = out.map_or_else(usual, Path::to_owned);
    generate(runner, step, &file).await?;
    if !global.quiet {
        eprintln!("wrote {}", file.display());
    }
    Ok(file)
}

/// Runs tests in parallel; returns their outcomes in the given order.
async fn run_all(tests: Vec<Test>) -> anyhow::Result<Vec<Ended>> {
    let mut running = JoinSet::new();
    for (index, test) in tests.into_iter().map(Arc::new).enumerate() {
        running.spawn(async move {
            let outcome = test.run().await;
            (index, Ended { test, outcome })
        });
    }
    let mut ended = vec![];
    while let Some(test) = running.join_next().await {
        ended.push(test?);
    }
    ended.sort_by_key(|(index, _)| *index);
    Ok(ended.into_iter().map(|(_, ended)| ended).collect())
}

#[derive(Serialize)]
struct Report<'a> {
    passed: usize,
    failed: usize,
    took_ms: f64,
    tests: Vec<TestReport<'a>>,
}

#[derive(Serialize)]
struct TestReport<'a> {
    name: &'a str,
    step: String,
    file: String,
    line: u64,
    passed: bool,
    took_ms: f64,
    failures: Vec<serde_json::Value>,
}

fn report(ended: &[Ended], took: Duration) -> Report<'_> {
    let failure = |failure: &Failure| match failure {
        Failure::Rows { of, diff } => json!({ "of": of, "diff": diff as &Diff }),
        Failure::Error(message) => json!({ "error": message }),
    };
    let passed = ended.iter().filter(|ended| ended.passed()).count();
    let tests = ended.iter().map(|ended| TestReport {
        name: &ended.test.name,
        step: ended.test.step.to_string(),
        file: ended.test.file.display().to_string(),
        line: ended.test.line,
        passed: ended.passed(),
        took_ms: test_report::milliseconds(ended.outcome.took),
        failures: ended.outcome.failures.iter().map(failure).collect(),
    });
    Report {
        passed,
        failed: ended.len() - passed,
        took_ms: test_report::milliseconds(took),
        tests: tests.collect(),
    }
}
