//! The validated settings of a token endpoint.

use crate::settings::Secret;

/// A token endpoint, and who one is to it.
#[derive(Debug, Clone)]
pub(super) struct OAuthConfig {
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// What is requested; some providers need it.
    pub scope: Option<String>,
    /// A PEM file of certificate authorities to trust, in addition to the system's.
    pub ca: Option<String>,
    /// What the broker gets together with the token (RFC 7628, section 3.1): names and values.
    pub extensions: Vec<(String, String)>,
}
