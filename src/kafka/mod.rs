//! Kafka as a table: reading a topic up to where it ends now, and writing to it.
//!
//! - [`KafkaSource`]: what waits in a topic after the committed offsets.
//! - `scan`: the plan leaf: one plan partition a Kafka partition, its range pinned when it was planned.
//! - `reader`: one partition into record batches.
//! - [`KafkaTable`]: a whole topic for SQL: `select` and `insert into`.
//! - [`Producer`]: records into a topic, for the simulator and the sink.
//! - `outgoing`: rows that are inserted, as records.
//! - [`EmbeddedBroker`]: a broker inside the process, for the demo and the tests.
//! - `client`, `cause`: settings of librdkafka, and its errors in our words.
//! - `times`: which offset a time has, and whether a topic keeps times.
//! - [`wire`]: the plan leaf as bytes, for another process.
//! - `native`: the few calls of librdkafka that its crate does not offer.
//!
//! There are no consumer groups here, and no commits to Kafka: how far a topic was read is part of the Delta commit
//! that holds its records.

mod cause;
mod client;
mod embedded;
mod filters;
mod native;
mod outgoing;
mod producer;
mod reader;
mod scan;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod times;
pub mod wire;

pub use embedded::EmbeddedBroker;
pub use outgoing::dropped_by_headers;
pub use producer::{Producer, ProducerRecord};
pub use scan::{KafkaScan, Range};
pub use sink::KafkaTable;
pub use source::KafkaSource;
