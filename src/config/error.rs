//! What is wrong with a project file: every problem with file, line, column and a way out.

use std::fmt;
use std::path::PathBuf;

use crate::settings::Problem;

/// What is wrong with a project file. Only the file and its SQL were read, and nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The project file.
    pub file: PathBuf,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// An error with a single problem and no location.
    pub(super) fn single(file: PathBuf, message: impl Into<String>, help: impl Into<String>) -> Self {
        let problem = Problem {
            at: None,
            message: message.into(),
            help: Some(help.into()),
        };
        Self {
            file,
            problems: vec![problem],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some((line, column)) = problem.at {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}", problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}
