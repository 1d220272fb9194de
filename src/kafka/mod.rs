//! Kafka as a table: reading a topic up to where it ends now, and writing to it.
//!
//! - [`KafkaSource`]: what waits in a topic after the committed offsets.
//! - `scan`: the plan leaf: one plan partition a Kafka partition, its range pinned when it was planned.
//! - `reader`: one partition into record batches.
//! - [`KafkaTable`]: a whole topic for SQL: `select` and `insert into`.
//! - [`Producer`]: records into a topic, for the simulator and the sink.
//! - [`EmbeddedBroker`]: a broker inside the process, for the demo and the tests.
//! - `client`: settings of librdkafka, and its errors in our words.
//!
//! There are no consumer groups here, and no commits to Kafka: how far a topic was read is part of the Delta commit
//! that holds its records.

mod client;
mod embedded;
mod filters;
mod producer;
mod reader;
mod scan;
mod sink;
mod source;
#[cfg(test)]
mod tests;

pub use embedded::EmbeddedBroker;
pub use producer::Producer;
pub use scan::{KafkaScan, Range};
pub use sink::KafkaTable;
pub use source::KafkaSource;
