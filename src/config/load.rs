//! Reads `pipelines.yaml` and its SQL files, and validates them ([`Project::load`]).

use std::path::Path;

use super::raw::RawProject;
use super::validate::Validator;
use super::{ConfigError, LoadOptions, Project};

impl Project {
    /// Reads and validates a project file and its SQL files, but no data.
    ///
    /// # Errors
    /// All problems that were found, each with its location.
    pub fn load(file: &Path, options: &LoadOptions<'_>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let help = "`clickrec init` creates a project; --config selects another file";
            ConfigError::single(file.to_owned(), format!("cannot be read: {error}"), help)
        })?;
        let raw = RawProject::parse(file, &text)?;
        Validator::new(file, options).project(raw)
    }
}
