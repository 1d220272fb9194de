//! The validated settings of a registry.

use crate::settings::Secret;

/// A registry and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryConfig {
    /// Its addresses, each perhaps with a path, without a slash at the end. If one does not answer, the next one is
    /// asked.
    pub urls: Vec<String>,
    /// The user name, or API key.
    pub username: Option<Secret>,
    /// The password, or API secret.
    pub password: Option<Secret>,
    /// The bearer token, instead of a user name.
    pub token: Option<Secret>,
    /// A PEM file of certificate authorities to trust, in addition to the system's.
    pub ca: Option<String>,
}
