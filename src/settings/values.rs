//! Values of the file as written, with line and column, and all problems that are found in them: variables that are not
//! set, and what others report.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::{Location, Spanned};

use super::Secret;
use super::environment::VariableResolver;
use super::interpolate::interpolate;
use super::missing::Missing;

/// Text with its location, not yet interpolated.
pub type Text = Spanned<String>;

/// Text, a whole number, or true or false.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RawOption {
    Switch(bool),
    Number(i64),
    Text(String),
}

/// A single problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, both from 1, if known.
    pub at: Option<(u64, u64)>,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// Reads the values of a file, and collects its problems: a value with one is `None`.
pub(crate) struct Values {
    variables: VariableResolver,
    root: PathBuf,
    problems: Vec<Problem>,
}

impl Values {
    /// For a file in this folder.
    pub fn new(variables: VariableResolver, root: PathBuf) -> Self {
        Self {
            variables,
            root,
            problems: vec![],
        }
    }

    /// The folder of the file.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the values are interpolated with.
    pub fn variables(&self) -> &VariableResolver {
        &self.variables
    }

    /// The folder of the file, and the problems found.
    pub fn done(self) -> (PathBuf, Vec<Problem>) {
        (self.root, self.problems)
    }

    /// Adds a problem at a place in the file.
    pub fn problem(&mut self, at: Location, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem {
            at: Some((at.line(), at.column())),
            message: message.into(),
            help,
        });
    }

    /// Adds a problem of the file as a whole.
    pub fn problem_of_all(&mut self, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem {
            at: None,
            message: message.into(),
            help,
        });
    }

    /// The value with its variables replaced.
    pub fn text(&mut self, text: &Text) -> Option<String> {
        match interpolate(&text.value, &self.variables) {
            Ok(value) => Some(value),
            Err(Missing::Variable(name)) => {
                let help =
                    format!("export {name}=…, pass --var {name}=…, add it to .env, or write ${{{name}:-default}}");
                self.problem(
                    text.referenced,
                    format!("the environment does not define `{name}`"),
                    Some(help),
                );
                None
            }
            Err(Missing::Unread(reason)) => {
                self.problem(text.referenced, reason, None);
                None
            }
            Err(Missing::Unclosed) => {
                self.problem(
                    text.referenced,
                    "`${` without a closing `}`",
                    Some("write `$${` for a literal `${`".to_owned()),
                );
                None
            }
        }
    }

    /// The same for a value that may be left out.
    pub fn optional(&mut self, text: Option<&Text>) -> Option<String> {
        text.and_then(|text| self.text(text))
    }

    /// The value, never printed by itself.
    pub fn secret(&mut self, text: Option<&Text>) -> Option<Secret> {
        self.optional(text).map(Secret::new)
    }

    /// A secret that is hidden in all output.
    pub fn credential(&mut self, text: Option<&Text>) -> Option<Secret> {
        self.optional(text).map(Secret::credential)
    }

    /// A setting of another program, as text.
    pub fn option(&mut self, option: &Spanned<RawOption>) -> Option<String> {
        match &option.value {
            RawOption::Switch(value) => Some(value.to_string()),
            RawOption::Number(value) => Some(value.to_string()),
            RawOption::Text(value) => self.text(&Text::new(value.clone(), option.referenced, option.defined)),
        }
    }

    /// A URL, or a path from the folder of the file on.
    pub fn path(&mut self, text: &Text) -> Option<String> {
        let path = self.text(text)?;
        if path.contains("://") {
            return Some(path);
        }
        Some(normal(&self.root.join(path)).display().to_string())
    }
}

/// The path without `.` and `..`, which URLs and object stores do not support.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => _ = normal.pop(),
            other => normal.push(other),
        }
    }
    normal
}
