//! The validated settings of a registry.

use crate::settings::Secret;

/// A registry and how to reach it.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// Its address, perhaps with a path, without a slash at the end.
    pub url: String,
    /// The user name, or API key.
    pub username: Option<Secret>,
    /// The password, or API secret.
    pub password: Option<Secret>,
    /// A PEM file of certificate authorities to trust, in addition to the system's.
    pub ca: Option<String>,
}
