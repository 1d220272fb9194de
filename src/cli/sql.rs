//! `clickrec sql`: statements, a script or the interactive shell over the lake (`shell`); `--write` and `--safe` say
//! what it may do.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::global::{Global, warn_of_broken};
use super::output::Format;
use crate::pipeline::Runner;
use crate::shell::{Access, Script, Shell, ShellOptions, interactive};

/// Query the lake in SQL: a statement, a script, or a shell
///
/// Every table and view of the project is available under its name. `changes('…')` returns all rows, and `kafka.SOURCE`
/// is the current content of a source's topics. `from 'events.csv'` reads a file, and `copy (select …) to 'FILE'` writes one. At
/// a terminal, without a statement or a file, a shell starts: it completes names, keeps a history, and has commands
/// like \d (`\?` lists them). Scripts may use the commands, too. The first statement that fails ends a script with exit
/// code 1.
///
/// The lake and topics are read-only, unless --write lets `insert into kafka.SOURCE` send records and `\run` run steps.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  clickrec sql
  clickrec sql -c 'select event_type, count(*) from silver.events group by 1'
  clickrec sql -c '\\d silver.events'
  clickrec sql -f report.sql --format csv
  clickrec sql -c \"select * from 'exports/*.csv.gz' limit 10\"
  clickrec sql -c \"copy (select * from gold.sessions) to 'sessions.parquet'\"
  echo 'select count(*) from bronze.clicks' | clickrec sql
  clickrec sql -c '\\at 3' -c 'select count(*) from silver.events'
  clickrec sql --target kafka -c 'select partition, max(\"offset\") from kafka.clicks group by partition'")]
pub(super) struct SqlArgs {
    /// Statements and commands; repeat the option for several
    #[arg(
        short = 'c',
        long,
        value_name = "SQL",
        allow_hyphen_values = true,
        conflicts_with = "file"
    )]
    command: Vec<String>,

    /// A file with statements and commands [default: standard input]
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Let `insert into kafka.SOURCE (key, value) …` send records, and `\run STEP` write tables; everything else in the
    /// lake and the topics stays read-only
    #[arg(long)]
    write: bool,

    /// Read only the lake and topics: no files, no \i, \o, \run or copy, no var('…', …)
    #[arg(long, conflicts_with = "write")]
    safe: bool,

    /// The format in which to print rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl SqlArgs {
    /// Whether a person types the statements. Ctrl-C then cancels a query and does not end the program.
    pub fn is_interactive(&self) -> bool {
        let terminals = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        self.command.is_empty() && self.file.is_none() && terminals
    }

    fn scripts(&self) -> anyhow::Result<Vec<Script>> {
        let script = |name: &str, text: String| Script {
            name: name.to_owned(),
            text,
        };
        if let Some(file) = &self.file {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
            return Ok(vec![script(&name, text)]);
        }
        if !self.command.is_empty() {
            return Ok(self.command.iter().map(|text| script("-c", text.clone())).collect());
        }
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        Ok(vec![script("stdin", text)])
    }
}

pub(super) async fn run(args: &SqlArgs, global: &Global) -> anyhow::Result<()> {
    let options = ShellOptions {
        access: match (args.write, args.safe) {
            (true, _) => Access::Write,
            (_, true) => Access::Safe,
            _ => Access::Read,
        },
        format: args.format,
        interactive: args.is_interactive(),
        progress: global.progress(),
    };
    let project = global.project()?;
    let engine = global.engine()?;
    let shell = async {
        let runner = Runner::new(&project, engine).await?;
        warn_of_broken(&runner);
        anyhow::Ok(Shell::new(project.clone(), runner, options))
    };
    if options.interactive {
        return interactive(shell).await;
    }
    let source = args.clone();
    let scripts = tokio::task::spawn_blocking(move || source.scripts()).await??;
    let mut shell = shell.await?;
    for script in &scripts {
        if !shell.run(script).await? {
            break;
        }
    }
    Ok(())
}
