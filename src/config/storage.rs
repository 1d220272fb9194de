//! `storage`: the settings of the lake's object store, all of them secret; reads them again where a token may have been
//! replaced (`store/renewed.rs` asks).

use std::collections::BTreeMap;
use std::fmt;

use crate::settings::{Missing, Secret, VariableResolver, as_secret, interpolate};

/// Settings of an object store, under its own names; all of them are treated as secret.
#[derive(Clone, Default)]
pub struct Storage {
    settings: BTreeMap<String, Secret>,
    /// The settings as written, and their variables.
    written: Option<(BTreeMap<String, String>, VariableResolver)>,
}

impl Storage {
    pub(super) fn new(
        settings: BTreeMap<String, Secret>,
        written: BTreeMap<String, String>,
        variables: VariableResolver,
    ) -> Self {
        Self {
            settings,
            written: Some((written, variables)),
        }
    }

    /// The settings as of when the project was read.
    pub fn settings(&self) -> &BTreeMap<String, Secret> {
        &self.settings
    }

    /// The current settings: a credential may have been replaced in its file, or by its command. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read, or a command fails.
    pub fn renewed(&self) -> Result<BTreeMap<String, Secret>, String> {
        let Some((written, variables)) = &self.written else {
            return Ok(self.settings.clone());
        };
        let value = |(name, text): (&String, &String)| match interpolate(text, variables) {
            Ok(value) => Ok((name.clone(), as_secret(name, value))),
            Err(Missing::Variable(variable)) => Err(format!("the environment does not define `{variable}`")),
            Err(Missing::Unread(reason)) => Err(reason),
            Err(Missing::Unclosed) => Err(format!("`${{` without a closing `}}` in {name}")),
        };
        written.iter().map(value).collect()
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Storage").field(&self.settings).finish()
    }
}
