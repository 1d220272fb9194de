//! `clickrec vacuum`: deletes data files that no version within the retention (`retain`) needs, or lists them
//! (`lake/vacuum.rs`); refuses less than a day without `--even-if-in-use`.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use comfy_table::CellAlignment;
use serde::Serialize;

use super::global::{Global, TableArgs};
use super::output::{table, thousands, write_all};
use crate::config::MIN_RETAIN;
use crate::lake::{UnusedFile, unused_files, vacuum};

/// Delete files that tables no longer need
///
/// These are files that merges and compactions have replaced, and files that a step wrote before it was killed. Older
/// versions that need them can no longer be read afterward. `clickrec run` vacuums tables by itself, at most once a
/// day.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec vacuum --dry-run
  clickrec vacuum silver.events --retain 30d")]
pub(super) struct VacuumArgs {
    #[command(flatten)]
    tables: TableArgs,

    /// How long to keep unneeded files [default: `retain` in the project file, or 7d]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    retain: Option<Duration>,

    /// Allow less than a day: this may delete files that a running step or a reader still uses
    #[arg(long, requires = "retain")]
    even_if_in_use: bool,

    /// List the files without deleting them
    #[arg(long)]
    dry_run: bool,

    /// Print the files as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    table: String,
    files: Vec<File>,
    deleted: bool,
}

#[derive(Serialize)]
struct File {
    path: String,
    bytes: u64,
}

pub(super) async fn run(args: &VacuumArgs, global: &Global) -> anyhow::Result<()> {
    let (project, runner) = global.reader().await?;
    let retain = args.retain.unwrap_or(project.maintenance.retain);
    if retain < MIN_RETAIN && !args.even_if_in_use {
        anyhow::bail!(
            "--retain {} is less than a day: a running step or a reader may still use the files\n  \
             help: if nothing else uses the lake, add --even-if-in-use",
            humantime::format_duration(retain)
        );
    }
    let mut rows = vec![];
    for table in args.tables.open(&runner).await? {
        let files = unused_files(&table, retain).await?;
        if !args.dry_run && !files.is_empty() {
            vacuum(&table, retain).await?;
        }
        rows.push(Row {
            table: table.name().to_string(),
            files: files.into_iter().map(File::from).collect(),
            deleted: !args.dry_run,
        });
    }
    if args.json {
        return write_all(&format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    let mut text = String::new();
    if args.dry_run {
        let mut list = table(["table", "file that would be deleted", "size"]);
        for row in &rows {
            for file in &row.files {
                list.add_row([row.table.clone(), file.path.clone(), ByteSize(file.bytes).to_string()]);
            }
        }
        if let Some(column) = list.column_mut(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        text = format!("{list}\n\n");
    }
    let mut summary = table(["table", if args.dry_run { "files" } else { "files deleted" }, "size"]);
    for row in &rows {
        let bytes = row.files.iter().map(|file| file.bytes).sum();
        summary.add_row([
            row.table.clone(),
            thousands(row.files.len() as u64),
            ByteSize(bytes).to_string(),
        ]);
    }
    for column in summary.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    write_all(&format!("{text}{summary}\n"))
}

impl From<UnusedFile> for File {
    fn from(file: UnusedFile) -> Self {
        Self {
            path: file.path,
            bytes: file.bytes,
        }
    }
}
