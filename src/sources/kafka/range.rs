//! Which offsets of a partition are read, and what all readers of a scan share.

use std::sync::Arc;

use super::KafkaConfig;

/// Offsets of one partition; `end` is exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// Kafka's partition number.
    pub partition: i32,
    /// The first offset to read.
    pub start: i64,
    /// The offset after the last one to read.
    pub end: i64,
}

/// What all readers of a scan share.
#[derive(Debug)]
pub(super) struct Task {
    pub config: Arc<KafkaConfig>,
    /// The identity of the topic that the offsets belong to.
    pub topic_id: Option<i64>,
    pub projection: Option<Vec<usize>>,
    pub limit: Option<usize>,
}
