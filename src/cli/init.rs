//! `clickrec init`: writes the files of a new project: `pipelines.yaml`, `sql/`, `sample_data/`, settings for editors.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use include_dir::{Dir, include_dir};

use super::global::Global;
use super::schema::schema;

static SQL: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sql");
static SAMPLE_DATA: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sample_data");
const PIPELINES: &str = include_str!("../../pipelines.yaml");
const SQLFLUFF: &str = include_str!("../../.sqlfluff");
/// Neither tables nor secrets belong in a repository.
const GITIGNORE: &str = "/lake/\n.env\n";
/// Named by the first line of pipelines.yaml.
const SCHEMA: &str = ".editor/pipelines.schema.json";
/// Keeps an empty source folder in a repository. Sources skip hidden files.
const KEEP: &str = ".gitkeep";

/// The events that a new project starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Events {
    /// The sample data.
    Sample,
    /// None: the source folder is empty.
    Nothing,
}

/// Create a project: pipelines.yaml, sql/ and sample_data/
///
/// The project is ready: `clickrec run` reads the sample data into a lake in the same folder. The command also writes a
/// JSON schema of pipelines.yaml for editors (.editor/), and a configuration for sqlfluff, an SQL linter.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  clickrec init shop && cd shop && clickrec run")]
pub(super) struct InitArgs {
    /// The folder; created if it does not exist
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(args: &InitArgs, global: &Global) -> anyhow::Result<()> {
    scaffold(&args.folder, Events::Sample)?;
    if global.quiet {
        return Ok(());
    }
    eprintln!(
        "created a project in {}\n  next: {}clickrec run",
        args.folder.display(),
        match args.folder.as_os_str() {
            folder if folder == "." => String::new(),
            folder => format!("cd {} && ", Path::new(folder).display()),
        }
    );
    Ok(())
}

/// Writes the files of a new project; refuses to change an existing one.
pub(super) fn scaffold(folder: &Path, events: Events) -> anyhow::Result<()> {
    let config = folder.join("pipelines.yaml");
    for taken in [&config, &folder.join("sql"), &folder.join("sample_data")] {
        if taken.exists() {
            bail!("{} already exists\n  help: choose an empty folder", taken.display());
        }
    }
    let failed = |path: &Path| format!("cannot write {}", path.display());
    let (sql, samples) = (folder.join("sql"), folder.join("sample_data"));
    for target in [&sql, &samples] {
        std::fs::create_dir_all(target).with_context(|| failed(target))?;
    }
    SQL.extract(&sql).with_context(|| failed(&sql))?;
    match events {
        Events::Sample => SAMPLE_DATA.extract(&samples),
        Events::Nothing => std::fs::write(samples.join(KEEP), ""),
    }
    .with_context(|| failed(&samples))?;
    let schema = schema()?;
    for (name, text) in [(SCHEMA, schema.as_str()), (".sqlfluff", SQLFLUFF)] {
        let path = folder.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text))
            .with_context(|| failed(&path))?;
    }
    let ignored = folder.join(".gitignore");
    if !ignored.exists() {
        std::fs::write(&ignored, GITIGNORE).with_context(|| failed(&ignored))?;
    }
    std::fs::write(&config, PIPELINES).with_context(|| failed(&config))
}
