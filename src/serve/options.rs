//! The settings of a server (`clickrec serve`); refuses to serve an address that is not loopback without a token.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Limits, ServeError};
use crate::config::Secret;

/// The settings of a server.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The address to listen on, which is also an accepted host name.
    pub address: SocketAddr,
    /// Names by which clients may address it (`Host`), in addition to the address and, on loopback, `localhost`.
    pub hosts: Vec<String>,
    /// The token that clients must present; required unless the address is a loopback one.
    pub token: Option<Secret>,
    /// Whether `POST /api/v1/sql` is enabled.
    pub sql: bool,
    /// The maximum length of a list of recommendations.
    pub max_k: u32,
    /// How many of the newest events are kept in memory.
    pub recent_events: usize,
    /// How often the lake is polled.
    pub poll: Duration,
    /// Limits on requests.
    pub limits: Limits,
}

impl ServeOptions {
    /// Checks that the lake is not open to everyone.
    ///
    /// # Errors
    /// When the address is reachable from other machines and no token is set.
    pub fn check(&self) -> Result<(), ServeError> {
        match self.address.ip().is_loopback() || self.token.is_some() {
            true => Ok(()),
            false => Err(ServeError::NoToken { address: self.address }),
        }
    }
}
