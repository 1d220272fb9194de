use std::time::Duration;

/// What one request, and all of them together, may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// How long a client may take to send its head, and to send its body.
    pub client: Duration,
    /// How long an answer may take.
    pub answer: Duration,
    /// How many requests may be at work; further ones are turned away.
    pub requests: usize,
    /// How many queries over the lake may be at work; further ones wait.
    pub queries: usize,
    /// The most rows of an answer.
    pub rows: usize,
    /// The most memory of one query of `POST /api/v1/sql`, in bytes.
    pub sql_bytes: usize,
    /// How many connections may be open.
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
