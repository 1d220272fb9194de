//! `clickrec init`: writes the files of a new project: `pipelines.yaml`, `sql/`, `sample_data/`, settings for editors.
//! With `--from`, the project reads a sample (`from`).

mod from;
mod scaffold;

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::global::Global;
use crate::inspect::preset_names;

pub(super) use scaffold::{CATALOG, Events, scaffold};

/// Create a project: pipelines.yaml, sql/ and sample_data/
///
/// The project is ready: `clickrec run` reads the sample data into a lake in the same folder. The command also writes a
/// JSON schema of pipelines.yaml for editors (.editor/), and a configuration for sqlfluff, an SQL linter.
///
/// With --from, the project reads events of your own. The command looks at a few thousand of them, and finds their
/// format and which fields hold the time, the session, the user, the item and the kind of event. It prints what it found
/// and why, and writes SQL with a comment on each choice, and a unit test made from real records.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec init shop && cd shop && clickrec run
  clickrec init --from clicks.json.gz shop
  clickrec init --from 'exports/*.parquet' shop
  clickrec init --from abfss://events@account.dfs.core.windows.net/2026/ shop
  clickrec init --from kafka://127.0.0.1:9092/clickstream shop
  clickrec init --from events.csv --preset retailrocket shop")]
pub(super) struct InitArgs {
    /// The folder; created if it does not exist
    #[arg(default_value = ".")]
    folder: PathBuf,

    /// Read these events: a file, a folder, a pattern, a URL in an object store, or kafka://HOST:PORT/TOPIC
    #[arg(long, value_name = "SAMPLE")]
    from: Option<String>,

    /// The schema of the events, if it is a known one; by default, it is recognized, or inferred
    #[arg(long, value_name = "NAME", requires = "from", value_parser = PossibleValuesParser::new(preset_names()))]
    preset: Option<String>,
}

pub(super) async fn run(args: &InitArgs, global: &Global) -> anyhow::Result<()> {
    match &args.from {
        Some(sample) => from::create(sample, &args.folder, args.preset.as_deref(), global).await?,
        None => scaffold(&args.folder, Events::Sample)?,
    }
    if !global.quiet {
        eprintln!("{}", created(&args.folder));
    }
    Ok(())
}

fn created(folder: &Path) -> String {
    format!(
        "created a project in {}\n  next: {}clickrec run",
        folder.display(),
        match folder.as_os_str() {
            here if here == "." => String::new(),
            _ => format!("cd {} && ", folder.display()),
        }
    )
}
