//! Runs a script (`-c`, `-f`, standard input, `\i`): statements and commands, one after another, up to the first that
//! fails.

use std::path::PathBuf;

use super::command::{Command, Limit, help};
use super::output::Output;
use super::print::Format;
use super::restrictions::refused;
use super::split::{Item, Placed, is_farewell, split};
use super::{Access, Shell, ShellError};
use crate::plural::counted;

/// A text to run, and its name in errors.
#[derive(Debug, Clone)]
pub struct Script {
    /// The file, `-c`, or `stdin`.
    pub name: String,
    /// The statements and commands.
    pub text: String,
}

/// Whether the session continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    GoOn,
    Leave,
}

impl Shell {
    /// Runs a script to its end, to `\q`, or to the first error. Returns whether the session continues.
    ///
    /// # Errors
    /// The first error, with its line.
    pub async fn run(&mut self, script: &Script) -> Result<bool, ShellError> {
        let flow = self.run_items(&script.text, Some(&script.name)).await?;
        Ok(flow == Flow::GoOn)
    }

    /// Runs a text. If it has a name, errors report the line.
    pub(super) async fn run_items(&mut self, text: &str, name: Option<&str>) -> Result<Flow, ShellError> {
        for Placed { item, line } in split(text).items {
            let done = match &item {
                farewell if is_farewell(farewell) => Ok(Flow::Leave),
                Item::Statement(sql) => self.statement(sql).await.map(|()| Flow::GoOn),
                Item::Command(line) => Box::pin(self.command(line)).await,
            };
            match (done, name) {
                (Ok(Flow::GoOn), _) => {}
                (Ok(Flow::Leave), _) => return Ok(Flow::Leave),
                (Err(error @ ShellError::InScript { .. }), _) | (Err(error), None) => return Err(error),
                (Err(error), Some(script)) => {
                    return Err(ShellError::InScript {
                        script: script.to_owned(),
                        line: line + error.line().map_or(0, |line| line - 1),
                        source: Box::new(error),
                    });
                }
            }
        }
        Ok(Flow::GoOn)
    }

    async fn command(&mut self, line: &str) -> Result<Flow, ShellError> {
        match Command::parse(line)? {
            Command::Describe(table) => self.describe(&table).await?,
            Command::Tables(text) => self.tables(text.as_deref()).await?,
            Command::Functions(text) => self.functions(text.as_deref()).await?,
            Command::Layers => self.layers().await?,
            Command::History(table) => self.history(&table).await?,
            Command::At(at) => self.travel(at).await?,
            Command::Run(step) => self.run_step(&step).await?,
            Command::Explain { analyze, statement } => self.explain(analyze, statement).await?,
            Command::Watch { every, times } => self.watch(every, times).await?,
            Command::Format(format) => self.set_format(format),
            Command::Expanded(on) => {
                self.expanded = on.unwrap_or(!self.expanded);
                self.tell_switch("one line per column", self.expanded);
            }
            Command::Timing(on) => {
                self.timing = on.unwrap_or(!self.timing);
                self.tell_switch("timing", self.timing);
            }
            Command::Limit(limit) => self.set_limit(limit),
            Command::Output(file) => self.set_output(file.as_deref())?,
            Command::Include(file) => return self.include(&file).await,
            Command::Help => self.print_text(&help())?,
            Command::Quit => return Ok(Flow::Leave),
        }
        Ok(Flow::GoOn)
    }

    /// At a prompt, shows the new setting; scripts need no confirmation.
    fn tell_switch(&self, what: &str, on: bool) {
        if self.options.interactive {
            self.tell(&format!("{what} is {}", if on { "on" } else { "off" }));
        }
    }

    fn set_format(&mut self, format: Option<Format>) {
        if let Some(format) = format {
            self.format = format;
            self.expanded = false;
        }
        if self.options.interactive {
            self.tell(&format!("rows are printed as {}", self.layout().format));
        }
    }

    fn set_limit(&mut self, limit: Option<Limit>) {
        self.limit = limit.unwrap_or(self.limit);
        if self.options.interactive {
            self.tell(&match self.limit {
                Limit::Rows(rows) => format!("at most {}", counted(rows as u64, "row is shown", "rows are shown")),
                Limit::Off => "all rows are shown".to_owned(),
            });
        }
    }

    fn set_output(&mut self, file: Option<&str>) -> Result<(), ShellError> {
        if self.options.access == Access::Safe {
            return Err(refused("\\o"));
        }
        self.output = match file {
            Some(file) => Output::file(file)?,
            None => Output::standard(),
        };
        Ok(())
    }

    async fn include(&mut self, file: &str) -> Result<Flow, ShellError> {
        if self.options.access == Access::Safe {
            return Err(refused("\\i"));
        }
        let text = std::fs::read_to_string(file).map_err(|error| ShellError::file("read", file, error))?;
        let path = PathBuf::from(file);
        let path = path.canonicalize().unwrap_or(path);
        if self.files.contains(&path) {
            return Err(ShellError::Command(format!("\\i: {file} includes itself")));
        }
        self.files.push(path);
        let done = self.run_items(&text, Some(file)).await;
        self.files.pop();
        done
    }

    /// Prints a text as a result.
    pub(super) fn print_text(&mut self, text: &str) -> Result<(), ShellError> {
        let out = self.output.writer();
        writeln!(out, "{}", text.trim_end())?;
        Ok(out.flush()?)
    }
}
