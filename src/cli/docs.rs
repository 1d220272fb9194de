//! `clickrec docs`: writes the manual of a project as HTML, Markdown or JSON (`docs` makes it).

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::global::Global;
use super::output::write_all;
use crate::docs::{html, manual, markdown};
use crate::testing::load;

/// Write a manual of the project: every table, its columns and where they come from, its SQL and tests
///
/// Writes one self-contained HTML page, or Markdown. Its content comes from the comments of the SQL files, from
/// `description` and `columns` in pipelines.yaml, and from the plans of the statements; no data is read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec docs --out docs.html
  clickrec docs --markdown > TABLES.md
  clickrec docs --json | jq '.tables[] | {name, predicates}'")]
pub(super) struct DocsArgs {
    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write Markdown instead of HTML
    #[arg(long, conflicts_with = "json")]
    markdown: bool,

    /// Write the content of the manual as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &DocsArgs, global: &Global) -> anyhow::Result<()> {
    let (project, runner) = global.runner().await?;
    runner.check_all()?;
    let folder = project.root.join(super::test::FOLDER);
    let tests = match folder.is_dir() {
        true => load(&[folder], &runner).await?,
        false => vec![],
    };
    let manual = manual(&project, &runner, &tests).await?;
    let text = match (args.json, args.markdown) {
        (true, _) => format!("{}\n", serde_json::to_string_pretty(&manual)?),
        (_, true) => markdown(&manual),
        _ => html(&manual),
    };
    let Some(file) = &args.out else {
        return write_all(&text);
    };
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    if !global.quiet {
        eprintln!("wrote {}", file.display());
    }
    Ok(())
}
