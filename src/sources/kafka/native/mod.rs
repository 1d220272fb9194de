//! Features of librdkafka that the `rdkafka` crate does not offer: only calls into the C library.
//!
//! - `topic_id`: fetches Kafka's identity of a topic, by which `kafka/recreated.rs` tells a recreated one.
//! - `certificate`: why a broker's certificate is rejected. librdkafka's own error says only that it is.
//! - `messages`: takes a consumer's messages in batches, and reports where a partition ends.
//! - `token`: gives a client the token for its logins.

#![allow(unsafe_code)]

mod certificate;
mod messages;
mod token;
mod topic_id;

pub(super) use certificate::{Verdict, judge};
pub(super) use messages::{Messages, Received};
pub(super) use token::set_token;
pub(super) use topic_id::topic_id;
