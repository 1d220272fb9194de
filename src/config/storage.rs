use std::collections::BTreeMap;
use std::fmt;

use super::Secret;
use super::interpolate::{Missing, interpolate};
use super::variables::Variables;

/// Parts of names whose values are credentials.
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
/// Such names are ids all the same, or say where the credential is.
const NOT_CREDENTIALS: [&str; 3] = ["access_key_id", "_file", "_endpoint"];

/// Whether the value of a setting of this name is a credential.
pub(super) fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('.', "_");
    CREDENTIALS.iter().any(|part| name.contains(part)) && !NOT_CREDENTIALS.iter().any(|part| name.contains(part))
}

/// Whether a value as written holds a credential itself, and not only the name of its variable.
pub(super) fn is_literal(written: &str) -> bool {
    let defaults = written.split(":-").skip(1);
    !written.contains("${") || written.contains("$${") || defaults.into_iter().any(|rest| !rest.starts_with('}'))
}

/// Settings of an object store, in its own words; all of them count as secret.
#[derive(Clone, Default)]
pub struct Storage {
    settings: BTreeMap<String, Secret>,
    /// As written, and what its variables stand for.
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

    /// The settings, as they were when the project was read.
    pub fn settings(&self) -> &BTreeMap<String, Secret> {
        &self.settings
    }

    /// The settings as of now: a credential may have been replaced in its file, or where its command finds it. Blocks.
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

/// A setting; one that is a credential is kept out of all that is printed.
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
