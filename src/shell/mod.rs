//! The SQL shell: statements and backslash commands, typed, from a file or from a pipe.
//!
//! - [`Shell`]: what a session knows, and running one script in it.
//! - `split`, `tokens`: a text as statements and commands.
//! - `command`: the commands; `describe`, `functions`, `travel`, `repeat`: what they do.
//! - `restrictions`: what a session may not do.
//! - [`print`](mod@print): rows as text; `progress`: how far a query is.
//! - `interactive`, `editor`: the prompt; `catalog`, `complete`, `scope`, `highlight`: what it helps with; `history`,
//!   `secrets`: what it remembers.

mod access;
mod catalog;
mod command;
mod complete;
mod describe;
mod editor;
mod error;
mod functions;
mod highlight;
mod history;
mod interactive;
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
use crate::lake::At;
use crate::pipeline::Runner;

pub use access::Access;
pub use error::{QueryError, ShellError};
pub use interactive::interactive;
pub use output::{Out, terminal_width};
pub use script::Script;

use catalog::Catalog;
use command::Limit;
use output::Output;
use print::{Format, Layout};

/// What a step that is run from here may remember of the keys in its tables.
const KEY_FILTERS_BYTES: u64 = 1 << 20;
/// Rows of a result that are shown at a prompt.
const ROWS_SHOWN: usize = 40;

/// How a session begins.
#[derive(Debug, Clone, Copy)]
pub struct ShellOptions {
    /// What it may do.
    pub access: Access,
    /// How rows are printed.
    pub format: Format,
    /// Somebody sits at a terminal: large results are cut short, and a line tells how many rows there are.
    pub interactive: bool,
    /// Draw how far a long query is.
    pub progress: bool,
}

/// A session: the project, how results are shown, and as of when the lake is read.
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
    /// Files that are being run, for `\i` in them.
    files: Vec<PathBuf>,
}

impl Shell {
    /// A session that has run nothing yet.
    pub fn new(project: Project, runner: Runner, options: ShellOptions) -> Self {
        Self {
            project,
            // Each statement reads the lake as it then is; only what is new of the logs has to be read for that.
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

    /// The lake, as of the moment that was chosen, and the topics.
    async fn session(&self) -> Result<SessionContext, ShellError> {
        let mut bindings = self.runner.bindings_at(self.at).await?;
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

    /// The names that an input may hold.
    async fn catalog(&self) -> Result<Catalog, ShellError> {
        let sources = self.project.sources.keys().cloned().collect();
        let nodes = self.runner.dag().nodes().iter();
        let steps = nodes
            .filter(|node| node.step.mode != Mode::View)
            .map(|node| node.name().to_string());
        Ok(Catalog::of(&self.session().await?, sources, steps.collect()).await)
    }

    /// How results are printed now.
    fn layout(&self) -> Layout {
        Layout {
            format: if self.expanded { Format::Vertical } else { self.format },
            limit: match self.limit {
                Limit::Rows(rows) => Some(rows),
                Limit::Off => None,
            },
            width: self.output.width(),
            // A query's result is shown exactly.
            decimals: None,
        }
    }

    /// Tells something that is no result.
    fn tell(&self, message: &str) {
        eprintln!("{message}");
    }
}
