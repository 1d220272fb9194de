use clap::Args;
use futures::TryStreamExt;
use serde::Serialize;

use super::global::Global;
use super::output::{table, write_all};
use crate::config::TableName;
use crate::lake::{Lake, MODE_KEY};

/// Show the commits of a table, newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:
  clickrec history silver.events")]
pub(super) struct HistoryArgs {
    /// The table, as LAYER.TABLE
    table: TableName,

    /// At most this many commits
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    limit: usize,

    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    version: u64,
    at: Option<String>,
    operation: String,
    mode: Option<String>,
}

pub(super) async fn run(args: &HistoryArgs, global: &Global) -> anyhow::Result<()> {
    let project = global.project()?;
    let table = Lake::new(&project.lake).table(&args.table).await?;
    let Some(newest) = table.version() else {
        anyhow::bail!(
            "the lake has no table `{}`\n  help: `clickrec run` makes the tables of the project",
            args.table
        );
    };
    let commits: Vec<_> = table.delta().history(Some(args.limit)).try_collect().await?;
    let rows = commits
        .into_iter()
        .zip((0..=newest).rev())
        .map(|(commit, version)| Row {
            version,
            at: commit
                .timestamp
                .and_then(chrono::DateTime::from_timestamp_millis)
                .map(|at| at.to_rfc3339()),
            operation: commit.operation.unwrap_or_default(),
            mode: commit
                .info
                .get(MODE_KEY)
                .and_then(|mode| mode.as_str())
                .map(str::to_owned),
        });
    if args.json {
        return write_all(&format!(
            "{}\n",
            serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?
        ));
    }
    let mut history = self::table(["version", "at", "operation", "mode"]);
    for row in rows {
        let empty = || "-".to_owned();
        history.add_row([
            row.version.to_string(),
            row.at.unwrap_or_else(empty),
            row.operation,
            row.mode.unwrap_or_else(empty),
        ]);
    }
    write_all(&format!("{history}\n"))
}
