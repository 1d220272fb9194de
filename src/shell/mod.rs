//! The SQL shell: statements and backslash commands, typed, from a file or from a pipe.
//!
//! - [`Shell`]: a session, which runs scripts.
//! - `split`, `tokens`: split a text into statements and commands.
//! - `command`: the commands; `describe` (`\d`, `\history`, …), `functions` (`\df`), `travel` (`\at`), `repeat`
//!   (`\watch`), `run_step` (`\run`): what they do. `query`: a statement; `output`: where results go (`\o`).
//! - `restrictions`: refuses what a session may not do; `copy`: where `copy … to` may write.
//! - [`print`](mod@print): rows as text; `progress`: the progress of a query.
//! - `interactive`, `editor`: the prompt; `known_names`, `complete`, `scope`, `highlight`: completion and colors;
//!   `file_names`: completion of files; `history_file`, `secrets`: the history, and what it leaves out.

mod access;
mod command;
mod complete;
mod copy;
mod describe;
mod editor;
mod error;
mod file_names;
mod functions;
mod highlight;
mod history_file;
mod interactive;
mod known_names;
mod output;
pub mod print;
mod progress;
mod query;
mod repeat;
mod restrictions;
mod run_step;
mod scope;
mod script;
mod secrets;
mod split;
mod tokens;
mod travel;

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use crate::config::{Mode, Project};
use crate::engine::FileAccess;
use crate::lake::At;
use crate::pipeline::Runner;

pub use access::Access;
pub use error::{QueryError, ShellError};
pub use interactive::interactive;
pub use output::{Out, has_colors, terminal_width};
pub use script::Script;

use command::Limit;
use known_names::KnownNames;
use output::Output;
use print::{Format, Layout};

/// The memory for key filters of steps that are run from here.
const KEY_FILTERS_BYTES: u64 = 1 << 20;
/// How many rows of a result are shown at a prompt.
const ROWS_SHOWN: usize = 40;

/// The options of a session.
#[derive(Debug, Clone, Copy)]
pub struct ShellOptions {
    /// What it may do.
    pub access: Access,
    /// How rows are printed.
    pub format: Format,
    /// Whether a person uses it at a terminal: large results are cut, and a line shows how many rows there are.
    pub interactive: bool,
    /// Whether to show the progress of a long query.
    pub progress: bool,
}

/// A session: the project, how results are shown, and at which point in time the lake is read.
#[derive(Debug)]
pub struct Shell {
    project: Project,
    runner: Runner,
    options: ShellOptions,
    format: Format,
    expanded: bool,
    limit: Limit,
    timing: bool,
    at: At,
    output: Output,
    /// For `\watch` and `\explain`.
    last: Option<String>,
    /// The files that are being run, to detect that `\i` includes one again.
    files: Vec<PathBuf>,
}

impl Shell {
    /// A new session.
    pub fn new(project: Project, runner: Runner, options: ShellOptions) -> Self {
        Self {
            project,
            // Each statement reads the current state of the lake, which needs only the new entries of the logs.
            runner: runner.with_memory(KEY_FILTERS_BYTES),
            options,
            format: options.format,
            expanded: false,
            limit: if options.interactive {
                Limit::Rows(ROWS_SHOWN)
            } else {
                Limit::Off
            },
            timing: false,
            at: At::Now,
            output: Output::standard(),
            last: None,
            files: vec![],
        }
    }

    /// The lake at the chosen point in time, and the topics.
    async fn session(&self) -> Result<SessionContext, ShellError> {
        let mut bindings = self.runner.bindings_at(self.at).await?;
        bindings.files = match self.options.access {
            Access::Safe => FileAccess::Refused("--safe does not allow files"),
            Access::Read | Access::Write => FileAccess::Read,
        };
        if self.options.access == Access::Safe {
            for (name, source) in &self.project.sources {
                if let (true, Some(table)) = (source.reads_files(), bindings.changes.get_mut(name)) {
                    let (name, schema) = (name.clone(), table.schema());
                    *table = Arc::new(restrictions::ShutOut { name, schema });
                }
            }
        }
        Ok(self.runner.engine().session(&bindings).await?)
    }

    /// The names that an input may contain.
    async fn known_names(&self) -> Result<KnownNames, ShellError> {
        let sources = self.project.sources.keys().cloned().collect();
        let nodes = self.runner.dag().nodes().iter();
        let steps = nodes
            .filter(|node| node.step.mode != Mode::View)
            .map(|node| node.name().to_string());
        let known = KnownNames::of(&self.session().await?, sources, steps.collect()).await;
        Ok(KnownNames {
            files: self.options.access != Access::Safe,
            ..known
        })
    }

    /// How results are currently printed.
    fn layout(&self) -> Layout {
        Layout {
            format: if self.expanded { Format::Vertical } else { self.format },
            limit: match self.limit {
                Limit::Rows(rows) => Some(rows),
                Limit::Off => None,
            },
            width: self.output.width(),
            // The result of a query is shown with all digits.
            decimals: None,
        }
    }

    /// Prints a note, which is not a result.
    fn tell(&self, message: &str) {
        eprintln!("{message}");
    }
}
