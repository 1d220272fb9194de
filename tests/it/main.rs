//! Whole-program tests: the real binary, real Delta tables, a broker that speaks Kafka's protocol.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod architecture;
mod bad_input;
mod cli;
mod crash;
mod evaluate;
mod kafka;
mod lake_damage;
mod lake_health;
mod pipeline;
mod poison;
mod quarantine;
mod recommender;
mod sql_logic;
mod support;
