use chrono::{DateTime, TimeZone, Utc};

/// The shop, its visitors and its stream.
#[derive(Debug, Clone)]
pub struct SimulationConfig {
    /// How many records in all.
    pub events: u64,
    /// About how many sessions they belong to; one for every eight events if none is given.
    pub sessions: Option<u64>,
    /// How many items the shop has.
    pub items: u32,
    /// How many categories they are in.
    pub categories: u32,
    /// Another seed is another shop of the same kind.
    pub seed: u64,
    /// Share of records, 0 to 1, that are broken, repeated, late or without a session.
    pub dirty: f64,
    /// When the first visit starts.
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
