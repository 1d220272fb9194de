//! The files of a new project, as shipped.

use std::path::Path;

use anyhow::{Context, bail};
use include_dir::{Dir, include_dir};

use super::super::schema::schema;
use crate::inspect::{Files, Shipped};

static SQL: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sql");
static SAMPLE_DATA: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sample_data");
const PIPELINES: &str = include_str!("../../../pipelines.yaml");
const SQLFLUFF: &str = include_str!("../../../.sqlfluff");
/// Neither tables nor secrets belong in a repository.
const GITIGNORE: &str = "/lake/\n.env\n";
/// Named by the first line of pipelines.yaml.
const SCHEMA: &str = ".editor/pipelines.schema.json";
/// Keeps an empty source folder in a repository. Sources skip hidden files.
const KEEP: &str = ".gitkeep";

/// The shipped files that a project with other events adapts.
pub(super) const SHIPPED: Shipped = Shipped {
    pipelines: PIPELINES,
    sql,
};

fn sql(path: &str) -> &'static str {
    let file = SQL.get_file(path);
    file.and_then(|file| file.contents_utf8()).unwrap_or_default()
}

/// The catalog of the shipped project. The source of events skips folders whose names begin with `_`.
pub(in crate::cli) const CATALOG: &str = "sample_data/_catalog/items.csv";

/// The events that a new project starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Events {
    /// The sample data.
    Sample,
    /// None: the source folder is empty, and the caller writes the catalog ([`CATALOG`]).
    Nothing,
}

/// Writes the files of a new project; refuses to change an existing one.
pub(in crate::cli) fn scaffold(folder: &Path, events: Events) -> anyhow::Result<()> {
    check_free(folder, &["pipelines.yaml", "sql", "sample_data"])?;
    let samples = folder.join("sample_data");
    std::fs::create_dir_all(&samples).with_context(|| failed(&samples))?;
    match events {
        Events::Sample => SAMPLE_DATA.extract(&samples),
        Events::Nothing => std::fs::write(samples.join(KEEP), ""),
    }
    .with_context(|| failed(&samples))?;
    write(folder, vec![("pipelines.yaml".to_owned(), PIPELINES.to_owned())])
}

/// Refuses a folder that already has one of these.
pub(super) fn check_free(folder: &Path, names: &[&str]) -> anyhow::Result<()> {
    for name in names {
        let taken = folder.join(name);
        if taken.exists() {
            bail!("{} already exists\n  help: choose an empty folder", taken.display());
        }
    }
    Ok(())
}

/// Writes the files of a project without events; these replace those that are shipped.
pub(super) fn write(folder: &Path, files: Files) -> anyhow::Result<()> {
    let sql = folder.join("sql");
    std::fs::create_dir_all(&sql).with_context(|| failed(&sql))?;
    SQL.extract(&sql).with_context(|| failed(&sql))?;
    let fixed = [
        (SCHEMA.to_owned(), schema()?),
        (".sqlfluff".to_owned(), SQLFLUFF.to_owned()),
    ];
    // The last one is pipelines.yaml, without which there is no project.
    let (last, others): (Files, Files) = files.into_iter().partition(|(name, _)| name == "pipelines.yaml");
    for (name, text) in fixed.into_iter().chain(others) {
        let path = folder.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text))
            .with_context(|| failed(&path))?;
    }
    let ignored = folder.join(".gitignore");
    if !ignored.exists() {
        std::fs::write(&ignored, GITIGNORE).with_context(|| failed(&ignored))?;
    }
    for (name, text) in last {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| failed(&path))?;
    }
    Ok(())
}

fn failed(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
