//! The numbers of the server's limits: sizes, times, concurrent requests, queries and connections, rows of an answer.
//! `guard`, `listen`, `shop` (turns to query) and the handlers keep them.

use std::time::Duration;

/// Limits per request, and for all requests together.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The maximum body size in bytes.
    pub body_bytes: usize,
    /// How long a client may take to send the headers, and to send the body.
    pub client: Duration,
    /// How long an answer may take; then the client gets a 503.
    pub answer: Duration,
    /// The maximum number of active requests; more are rejected (503).
    pub requests: usize,
    /// The maximum number of concurrent queries over the lake; more have to wait, until `answer` is over (503).
    pub queries: usize,
    /// The maximum number of rows in an answer.
    pub rows: usize,
    /// The maximum memory for one query of `POST /api/v1/sql`, in bytes.
    pub sql_bytes: usize,
    /// The maximum number of open connections.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 10,
            client: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            requests: 1024,
            queries: 4,
            rows: 1_000,
            sql_bytes: 256 << 20,
            connections: 4096,
        }
    }
}
