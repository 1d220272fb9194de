use std::collections::BTreeMap;
use std::fmt;

use super::Secret;
use super::interpolate::{Missing, interpolate};
use super::variables::Variables;

/// Parts of the names of credentials.
const CREDENTIALS: [&str; 11] = [
    "sas",
    "secret",
    "token",
    "password",
    "account_key",
    "access_key",
    "connection_string",
    "master_key",
    "customer_key",
    "key_pem",
    "oauthbearer_config",
];
/// Names with these parts are IDs nevertheless, or only locate the credential.
const NOT_CREDENTIALS: [&str; 3] = ["access_key_id", "_file", "_endpoint"];

/// Whether a setting with this name is a credential.
pub(super) fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('.', "_");
    CREDENTIALS.iter().any(|part| name.contains(part)) && !NOT_CREDENTIALS.iter().any(|part| name.contains(part))
}

/// Whether a value as written contains a credential itself, and not just the name of a variable.
pub(super) fn is_literal(written: &str) -> bool {
    let defaults = written.split(":-").skip(1);
    !written.contains("${") || written.contains("$${") || defaults.into_iter().any(|rest| !rest.starts_with('}'))
}

/// Settings of an object store, under its own names; all of them are treated as secret.
#[derive(Clone, Default)]
pub struct Storage {
    settings: BTreeMap<String, Secret>,
    /// The settings as written, and their variables.
    written: Option<(BTreeMap<String, String>, Variables)>,
}

impl Storage {
    pub(super) fn new(
        settings: BTreeMap<String, Secret>,
        written: BTreeMap<String, String>,
        variables: Variables,
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
            Err(Missing::Variable(variable)) => Err(format!("the environment has no `{variable}`")),
            Err(Missing::Unread(reason)) => Err(reason),
            Err(Missing::Unclosed) => Err(format!("`${{` without `}}` in {name}")),
        };
        written.iter().map(value).collect()
    }
}

/// Wraps a setting; a credential is hidden in all output.
pub(super) fn as_secret(name: &str, value: String) -> Secret {
    match is_credential(name) {
        true => Secret::credential(value),
        false => Secret::new(value),
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Storage").field(&self.settings).finish()
    }
}
