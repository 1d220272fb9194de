//! `clickrec history`: the commits of a table, newest first (`lake/history.rs` reads them), and since when its rows are
//! of the step's logic, where older rows were kept.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use comfy_table::CellAlignment;
use serde::Serialize;

use super::global::Global;
use super::output::{table, thousands, write_all};
use crate::config::TableName;
use crate::lake::{CommitSummary, Lake, LakeTable, history, positions};

const SECONDS_OF_A_DAY: i64 = 24 * 60 * 60;

/// Show the commits of a table, newest first: what each one did, and which program wrote it
///
/// If the SQL of its step has changed and older rows were kept, the column `logic` shows which commits began that and
/// which computed a day again, and the last line says where that stands. With -v, also show how far the inputs had been
/// read at each commit.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec history silver.events
  clickrec history bronze.clicks -n 1 -v")]
pub(super) struct HistoryArgs {
    /// The table, as LAYER.TABLE
    table: TableName,

    /// Maximum number of commits
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    limit: usize,

    /// Print the commits as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    version: u64,
    at: Option<String>,
    operation: Option<String>,
    mode: Option<String>,
    logic: Option<String>,
    engine: Option<String>,
    rows_added: Option<u64>,
    files_added: u64,
    files_removed: u64,
    bytes_added: u64,
    positions: BTreeMap<String, i64>,
}

pub(super) async fn run(args: &HistoryArgs, global: &Global) -> anyhow::Result<()> {
    let project = global.project()?;
    let table = Lake::new(&project.lake).table(&args.table).await?;
    if table.version().is_none() {
        anyhow::bail!(
            "the lake has no table `{}`\n  help: `clickrec run` creates the tables of the project",
            args.table
        );
    }
    let commits = history(&table, args.limit).await?;
    let rows: Vec<Row> = commits.into_iter().map(Row::from).collect();
    if args.json {
        return write_all(&format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    let since = since(&table).await?;
    write_all(&format!("{}\n{since}", shown(rows, global.verbose > 0)))
}

/// Since when the rows are of the step's logic, as a line; nothing where all are.
async fn since(table: &LakeTable) -> anyhow::Result<String> {
    let since = table.transaction(positions::SINCE).await?.unwrap_or(0);
    let Some(since) = DateTime::from_timestamp_millis(since).filter(|_| since != 0) else {
        return Ok(String::new());
    };
    let done = table.transaction(positions::BACKFILL).await?;
    let day = done.and_then(|days| DateTime::from_timestamp(days.checked_mul(SECONDS_OF_A_DAY)?, 0));
    let done = day.map(|day| format!(", except those of {} and later days of its input", day.date_naive()));
    Ok(format!(
        "rows written since {} are of the current SQL of `{}`; older rows are as they were{}\n",
        since.to_rfc3339_opts(SecondsFormat::Secs, true),
        table.name(),
        done.unwrap_or_default()
    ))
}

fn shown(rows: Vec<Row>, with_positions: bool) -> comfy_table::Table {
    let mut header = vec![
        "version",
        "at",
        "operation",
        "mode",
        "rows added",
        "files added",
        "files removed",
        "by",
    ];
    let with_logic = rows.iter().any(|row| row.logic.is_some());
    if with_logic {
        header.push("logic");
    }
    if with_positions {
        header.push("read up to");
    }
    let mut history = table(header);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for row in rows {
        let mut cells = vec![
            row.version.to_string(),
            or_none(row.at),
            or_none(row.operation),
            or_none(row.mode),
            or_none(row.rows_added.map(thousands)),
            thousands(row.files_added),
            thousands(row.files_removed),
            or_none(row.engine),
        ];
        if with_logic {
            cells.push(or_none(row.logic));
        }
        if with_positions {
            let positions = row.positions.iter().map(|(id, version)| format!("{id} {version}"));
            cells.push(positions.collect::<Vec<_>>().join("\n"));
        }
        history.add_row(cells);
    }
    for column in [0, 4, 5, 6] {
        if let Some(column) = history.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    history
}

impl From<CommitSummary> for Row {
    fn from(commit: CommitSummary) -> Self {
        let at = commit.at.and_then(DateTime::from_timestamp_millis);
        Self {
            version: commit.version,
            at: at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            operation: commit.operation,
            mode: commit.mode,
            logic: commit.logic,
            engine: commit.engine,
            rows_added: commit.rows_added,
            files_added: commit.files_added,
            files_removed: commit.files_removed,
            bytes_added: commit.bytes_added,
            positions: commit.positions,
        }
    }
}
