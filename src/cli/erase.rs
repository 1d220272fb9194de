//! `clickrec erase`: takes people out of the lake for good (`src/erase/`), counts their rows, or searches for what is
//! left.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use bytesize::ByteSize;
use clap::Args;
use comfy_table::CellAlignment;
use serde::Serialize;

use super::global::Global;
use super::output::{table, thousands, write_all};
use crate::config::{Environment, Project};
use crate::erase::{Counted, Eraser, Erasure, Ids, Key, NOT_READABLE, Plan, Searched};
use crate::plural::counted;
use crate::settings::{Missing, VariableResolver};

/// Where the key of the receipts is.
const KEY: &str = "CLICKREC_ERASURE_KEY";
/// How many files with ids are listed.
const LISTED_MAX: usize = 20;

const OUTSIDE: &str = "Not part of the lake, and not touched: the sources (files, Kafka topics), from which `run \
                       --full-refresh` would read the records again, backups, and the memory of running servers and \
                       shells.";

/// Erase people: their records, what was made of them, and what old versions and logs hold
///
/// Takes the rows of the given users, and of their sessions, out of every table of the lake, computes counts again that
/// they were part of, and deletes old data files, checkpoints and log entries of the tables that hold people, whatever
/// `retain` says. Only files that hold the person are rewritten. Then it searches every byte below the lake.
///
/// Steps may run at the same time. If it is killed, run the same command again. The receipt in system.erasures holds no
/// id, only hashes with the secret key in CLICKREC_ERASURE_KEY. docs/erasure.md has the details.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec erase --user u4711 --dry-run
  clickrec erase --user u4711
  clickrec erase --file ids.txt            one user id a line, or CSV with the header kind,id
  clickrec erase --user u4711 --verify     only search the lake for what is left")]
pub(super) struct EraseArgs {
    #[command(flatten)]
    whom: Whom,

    /// Count the rows, without changing anything
    #[arg(long, conflicts_with = "verify")]
    dry_run: bool,

    /// Only search every byte below the lake for the ids
    #[arg(long)]
    verify: bool,

    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Whom {
    /// A user, with all of their sessions; may be repeated
    #[arg(long, value_name = "ID")]
    user: Vec<String>,

    /// A session, whoever it belongs to; may be repeated
    #[arg(long, value_name = "ID")]
    session: Vec<String>,

    /// A file of ids: one user a line, or CSV with the header kind,id; `-` is standard input
    #[arg(long, value_name = "IDS")]
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    found: bool,
    #[serde(flatten)]
    erasure: &'a Erasure,
}

pub(super) async fn run(args: &EraseArgs, global: &Global) -> anyhow::Result<()> {
    let ids = args.whom.ids()?;
    let (project, runner) = global.reader().await?;
    let eraser = Eraser {
        runner: &runner,
        names: &project.erasure,
        ids: &ids,
    };
    if args.dry_run {
        return print_plan(&eraser.plan().await?, args.json);
    }
    if args.verify {
        return print_erasure(&eraser.verify().await?, args);
    }
    let key = key(&project)?;
    let erasure = eraser.erase(&key).await?;
    print_erasure(&erasure, args)
}

impl Whom {
    fn ids(&self) -> anyhow::Result<Ids> {
        let mut ids = Ids::new(&self.user, &self.session);
        if let Some(file) = &self.file {
            let name = file.display().to_string();
            let mut text = String::new();
            let read = match name.as_str() {
                "-" => std::io::stdin().read_to_string(&mut text),
                _ => std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)),
            };
            read.with_context(|| format!("cannot read the ids in {name}"))?;
            ids.add_file(&name, &text)?;
        }
        match ids.is_empty() {
            true => Err(crate::erase::ErasureError::NoIds.into()),
            false => Ok(ids),
        }
    }
}

/// The key of the receipts, found as the values of the project file are: also in `.env`, a file, or by a command.
fn key(project: &Project) -> anyhow::Result<Key> {
    let resolver = VariableResolver::new(&project.variables(), &Environment::process(), &project.root);
    let secret = match resolver.get(KEY) {
        Ok(secret) => secret,
        Err(Missing::Unread(reason)) => anyhow::bail!("{reason}"),
        Err(_) => None,
    };
    Ok(Key::new(secret.as_deref())?)
}

fn print_plan(plan: &Plan, json: bool) -> anyhow::Result<()> {
    if json {
        return write_all(&format!("{}\n", serde_json::to_string_pretty(plan)?));
    }
    if plan.tables.is_empty() {
        return write_all(
            "nothing found in the current versions of the tables; `--verify` also searches old versions and logs\n",
        );
    }
    let mut list = table(["table", "rows", "files to rewrite", "of files"]);
    for row in &plan.tables {
        list.add_row([
            row.table.clone(),
            thousands(row.rows),
            thousands(row.files),
            thousands(row.files_of_table),
        ]);
    }
    align(&mut list);
    let sessions = counted(plan.sessions as u64, "session", "sessions");
    write_all(&format!("{list}\n\n{sessions}. Nothing was changed.\n{OUTSIDE}\n"))
}

fn print_erasure(erasure: &Erasure, args: &EraseArgs) -> anyhow::Result<()> {
    let searched = &erasure.searched;
    if args.json {
        let found = erasure.receipt.is_some();
        let outcome = Outcome { found, erasure };
        write_all(&format!("{}\n", serde_json::to_string_pretty(&outcome)?))?;
    } else {
        write_all(&told(erasure, args.verify))?;
    }
    match searched.found.is_empty() {
        true => Ok(()),
        false => anyhow::bail!(
            "the ids are, or may be, still in {}:{}\n  help: {}",
            counted(searched.found.len() as u64, "file", "files"),
            listed(searched),
            match args.verify {
                true => "erase them: the same command without --verify",
                false =>
                    "a value may mention an id without saying whose row it is: name its column under `erasure` in \
                     pipelines.yaml, or correct the row; then run the same command again",
            }
        ),
    }
}

/// The outcome for people.
fn told(erasure: &Erasure, verify: bool) -> String {
    if erasure.receipt.is_none() && !verify {
        return format!("nothing found\n{}{OUTSIDE}\n", proof(erasure));
    }
    let mut text = String::new();
    if !erasure.tables.is_empty() {
        text = format!("{}\n\n", erased_tables(&erasure.tables));
    }
    if !erasure.recomputed.is_empty() {
        text.push_str(&format!("computed again: {}\n", erasure.recomputed.join(", ")));
    }
    text.push_str(&proof(erasure));
    if let Some(receipt) = &erasure.receipt {
        text.push_str(&format!("receipt in system.erasures: {receipt}\n"));
    }
    text.push_str(OUTSIDE);
    text.push('\n');
    text
}

fn erased_tables(tables: &[Counted]) -> String {
    let mut list = table([
        "table",
        "rows erased",
        "files rewritten",
        "of files",
        "old files deleted",
        "log files deleted",
    ]);
    for row in tables {
        list.add_row([
            row.table.clone(),
            thousands(row.rows),
            thousands(row.files),
            thousands(row.files_of_table),
            thousands(row.files_deleted),
            thousands(row.log_files_deleted),
        ]);
    }
    align(&mut list);
    list.to_string()
}

/// What the search of all bytes says.
fn proof(erasure: &Erasure) -> String {
    let Searched { files, bytes, found } = &erasure.searched;
    let mut text = format!(
        "searched {} below the lake ({}), also within compressed values: {}\n",
        counted(*files, "file", "files"),
        ByteSize(*bytes),
        match found.len() {
            0 => "no id is left".to_owned(),
            number => format!("ids are left in {number}"),
        }
    );
    if erasure.not_searched > 0 {
        text.push_str(&format!(
            "not searched for, because they are too short to stand for one person: {}; the columns that hold people were\n",
            counted(erasure.not_searched as u64, "id", "ids")
        ));
    }
    text
}

fn listed(searched: &Searched) -> String {
    let mut text = String::new();
    for found in searched.found.iter().take(LISTED_MAX) {
        let column = found.column.as_ref().map(|column| match column.as_str() {
            NOT_READABLE => format!(" {NOT_READABLE}: repair the file or delete it"),
            column => format!(" (column `{column}`)"),
        });
        text.push_str(&format!("\n  {}{}", found.file, column.unwrap_or_default()));
    }
    if searched.found.len() > LISTED_MAX {
        text.push_str("\n  …");
    }
    text
}

fn align(list: &mut comfy_table::Table) {
    for column in list.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
