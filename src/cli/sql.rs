use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;

use super::global::Global;
use super::output::{Format, print_rows};
use crate::engine::plan;
use crate::pipeline::KAFKA_LAYER;

/// Ask the lake in SQL
///
/// Every table of the project is there under its name, views too; `changes('…')` stands for all rows, and
/// `kafka.SOURCE` for a topic as it is now. Read-only, unless --write lets `insert into kafka.SOURCE` send records.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  clickrec sql -c 'select event_type, count(*) from silver.events group by 1'
  clickrec sql -f report.sql --format csv
  echo 'select count(*) from bronze.clicks' | clickrec sql
  clickrec sql --target kafka -c 'select partition, max(\"offset\") from kafka.clicks group by partition'")]
pub(super) struct SqlArgs {
    /// The statement
    #[arg(short = 'c', long, value_name = "SQL", conflicts_with = "file")]
    command: Option<String>,

    /// A file with the statement; standard input where neither is given
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Let `insert into kafka.SOURCE (key, value) …` send records; tables of the lake are written by steps alone
    #[arg(long)]
    write: bool,

    /// How rows are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) async fn run(args: &SqlArgs, global: &Global) -> anyhow::Result<()> {
    let source = args.clone();
    let statement = tokio::task::spawn_blocking(move || statement(&source)).await??;
    let (_, runner) = global.runner().await?;
    let session = runner.session().await?;
    let allowed = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(args.write)
        .with_allow_statements(false);
    let plan = plan(&session, &statement).await?;
    allowed.verify_plan(&plan)?;
    topics_only(&plan)?;
    let result = session.execute_logical_plan(plan).await?;
    print_rows(result, args.format).await
}

/// A write that no step makes would have no input positions: the lake's tables are not for it.
fn topics_only(plan: &LogicalPlan) -> anyhow::Result<()> {
    // `explain analyze` has the write below it.
    let mut refused = None;
    plan.apply(|node| {
        match node {
            LogicalPlan::Dml(write) if write.table_name.schema() != Some(KAFKA_LAYER) => {
                refused = Some(format!(
                    "`{}` is not a topic\n  help: only `insert into kafka.SOURCE` writes; tables of the lake come from \
                     the steps of pipelines.yaml",
                    write.table_name
                ));
            }
            LogicalPlan::Copy(_) => {
                refused = Some("`copy` is not available\n  help: redirect --format csv or ndjson to a file".to_owned());
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    refused.map_or(Ok(()), |message| bail!(message))
}

fn statement(args: &SqlArgs) -> anyhow::Result<String> {
    match (&args.command, &args.file) {
        (Some(statement), _) => Ok(statement.clone()),
        (None, Some(file)) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display())),
        (None, None) => {
            let mut statement = String::new();
            std::io::stdin()
                .read_to_string(&mut statement)
                .context("cannot read standard input")?;
            Ok(statement)
        }
    }
}
