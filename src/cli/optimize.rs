//! `clickrec optimize`: compacts small files on request (`lake/compact.rs`); what a run does by itself is
//! `lake/maintain.rs`.

use std::time::Instant;

use bytesize::ByteSize;
use clap::Args;
use comfy_table::CellAlignment;
use serde::Serialize;

use super::global::{Global, TableArgs};
use super::output::{table, thousands, write_all};
use crate::lake::{Compacted, compact, compactable};

/// Compact the small files of tables
///
/// Rows do not change, and `changes('…')` does not return them again. A pipeline may run at the same time: whichever
/// commits first wins, and the other plans again. `clickrec run` compacts tables by itself when they have many
/// small files (`maintenance` in the project file).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec optimize
  clickrec optimize silver.events --dry-run")]
pub(super) struct OptimizeArgs {
    #[command(flatten)]
    tables: TableArgs,

    /// Show what would be compacted, from the log alone
    #[arg(long)]
    dry_run: bool,

    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    table: String,
    files_before: usize,
    files_after: usize,
    bytes_before: u64,
    bytes_after: Option<u64>,
    version: Option<u64>,
    seconds: f64,
}

pub(super) async fn run(args: &OptimizeArgs, global: &Global) -> anyhow::Result<()> {
    let (_, runner) = global.reader().await?;
    let session = runner.upkeep_session().await?;
    let mut rows = vec![];
    for table in args.tables.open(&runner).await? {
        let started = Instant::now();
        let compaction = runner.upkeep(&table).on_demand();
        let compacted = if args.dry_run {
            compactable(&table, &compaction)
        } else {
            compact(&table, &compaction, &session).await?
        };
        rows.push(row(table.name().to_string(), compacted, started));
    }
    if args.json {
        return write_all(&format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    let mut summary = table([
        "table",
        "small files",
        "into files",
        "size before",
        "size after",
        "version",
        "seconds",
    ]);
    let none = || "-".to_owned();
    for row in rows {
        summary.add_row([
            row.table,
            thousands(row.files_before as u64),
            thousands(row.files_after as u64),
            ByteSize(row.bytes_before).to_string(),
            row.bytes_after.map_or_else(none, |bytes| ByteSize(bytes).to_string()),
            row.version.map_or_else(none, |version| version.to_string()),
            format!("{:.2}", row.seconds),
        ]);
    }
    for column in summary.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    write_all(&format!("{summary}\n"))
}

fn row(table: String, compacted: Compacted, started: Instant) -> Row {
    Row {
        table,
        files_before: compacted.files_before,
        files_after: compacted.files_after,
        bytes_before: compacted.bytes_before,
        bytes_after: compacted.version.map(|_| compacted.bytes_after),
        version: compacted.version,
        seconds: started.elapsed().as_secs_f64(),
    }
}
