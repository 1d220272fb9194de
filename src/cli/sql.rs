use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use datafusion::execution::context::SQLOptions;

use super::global::Global;
use super::output::{Format, print_batches};

/// Ask the lake in SQL
///
/// Every table of the project is there under its name, views too; `changes('…')` stands for all rows. Read-only.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec sql -c 'select event_type, count(*) from silver.events group by 1'
  clickrec sql -f report.sql --format csv
  echo 'select count(*) from bronze.clicks' | clickrec sql")]
pub(super) struct SqlArgs {
    /// The statement
    #[arg(short = 'c', long, value_name = "SQL", conflicts_with = "file")]
    command: Option<String>,

    /// A file with the statement; standard input where neither is given
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// How rows are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) async fn run(args: &SqlArgs, global: &Global) -> anyhow::Result<()> {
    let statement = statement(args)?;
    let (_, runner) = global.runner().await?;
    let session = runner.session().await?;
    let read_only = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    let result = session.sql_with_options(&statement, read_only).await?;
    print_batches(&result.collect().await?, args.format)
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
