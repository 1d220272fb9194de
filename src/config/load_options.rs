//! What a project is loaded with besides its file: the target, `--var`, the environment.

use std::collections::BTreeMap;
use std::fmt;

use super::Environment;

/// The inputs of [`Project::load`](super::Project::load) in addition to the file.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// The target to use, one of those in the file.
    pub target: Option<&'a str>,
    /// Values for `var('NAME', …)` in SQL, and for `${NAME}`, where they override the environment.
    pub vars: &'a BTreeMap<String, String>,
    /// The environment.
    pub env: &'a Environment,
}

impl fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment and the variables may contain secrets.
        f.debug_struct("LoadOptions")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
