//! Whole-program tests: the real binary, real Delta tables, and brokers that speak Kafka's protocol.
//!
//! What they cost is above all starts of the program, which plan the whole project, and Gold. So a test begins with the
//! smallest project that shows what it asserts ([`Shop::up_to_silver`](support::Shop::up_to_silver)), copies a lake that
//! other tests need too ([`Shop::once`](support::Shop::once)), and asks several questions at once
//! ([`Shop::results`](support::Shop::results)).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod acl;
mod architecture;
mod avro;
mod backfill;
mod bad_input;
mod broken_steps;
mod broker;
mod browser;
mod canary;
mod catalog;
mod cli;
mod clocks;
mod cloud;
mod cluster;
mod clustering;
mod crash;
mod dashboard;
mod demo;
mod docs;
mod editor;
mod erase;
mod erase_people;
mod evaluate;
mod evaluate_files;
mod expectations;
mod failed_records;
mod faults;
mod files;
mod follow;
mod foreign_acts;
mod foreign_writers;
mod formats;
mod forward;
mod identity;
mod identity_provider;
mod init_from;
mod init_refused;
mod kafka;
mod kafka_data;
mod kafka_down;
mod kafka_identity;
mod kafka_login;
mod kafka_real;
mod kafka_replay;
mod kafka_security;
mod kafka_shop;
mod kafka_topic;
mod kafka_topics;
mod lake_damage;
mod lake_health;
mod lake_words;
mod local_days;
mod module_graph;
mod names_and_pictures;
mod object_store;
mod own_projects;
mod own_recommenders;
mod partial_projects;
mod people;
mod pipeline;
mod poison;
mod prices;
mod protobuf;
mod quarantine;
mod quarantine_races;
mod quarantined_rows;
mod recommender;
mod recommender_declared;
mod registry;
mod registry_real;
mod saved;
mod script;
mod selection;
mod serve;
mod serve_guard;
mod serving;
mod sessions;
mod shell;
mod shell_files;
mod shell_prompt;
mod snapshot_sources;
mod sql_logic;
mod sql_unit_tests;
mod support;
mod terminal;
mod weights;
