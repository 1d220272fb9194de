//! The size of the simulated shop and its stream, and the seed.

use chrono::{DateTime, TimeZone, Utc};

/// The shop, its visitors and its stream.
#[derive(Debug, Clone)]
pub struct SimulationConfig {
    /// The total number of records.
    pub events: u64,
    /// The approximate number of sessions; by default, one for every eight events.
    pub sessions: Option<u64>,
    /// The number of items in the shop.
    pub items: u32,
    /// The number of item categories.
    pub categories: u32,
    /// The seed; another one gives another shop of the same kind.
    pub seed: u64,
    /// The share of records, 0 to 1, that are broken, repeated, late or without a session.
    pub dirty: f64,
    /// The start of the first visit.
    pub start: DateTime<Utc>,
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self {
            events: 10_000,
            sessions: None,
            items: 2_000,
            categories: 20,
            seed: 42,
            dirty: 0.0,
            start: Utc.timestamp_opt(1_752_364_800, 0).single().unwrap_or_default(),
        }
    }
}
