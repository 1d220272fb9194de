//! Which settings are credentials, by their names; where the file may not hold them is
//! `config/validate_credentials.rs`.

use super::Secret;

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
/// Names with these parts are IDs all the same, or only locate the credential.
const NOT_CREDENTIALS: [&str; 3] = ["access_key_id", "_file", "_endpoint"];

/// Whether a setting with this name is a credential.
pub fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('.', "_");
    CREDENTIALS.iter().any(|part| name.contains(part)) && !NOT_CREDENTIALS.iter().any(|part| name.contains(part))
}

/// Whether a value as written contains a credential itself, and not just the name of a variable.
pub fn is_literal(written: &str) -> bool {
    let defaults = written.split(":-").skip(1);
    !written.contains("${") || written.contains("$${") || defaults.into_iter().any(|rest| !rest.starts_with('}'))
}

/// Wraps a setting; a credential is hidden in all output.
pub fn as_secret(name: &str, value: String) -> Secret {
    match is_credential(name) {
        true => Secret::credential(value),
        false => Secret::new(value),
    }
}
