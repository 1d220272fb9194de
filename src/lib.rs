//! clickrec: click-streams to recommendations, in SQL.
//!
//! A pipeline is a folder of `.sql` files that DataFusion runs over Delta tables; Kafka is a table, and so is the
//! recommender. Modules depend one way, downwards:
//!
//! ```text
//! main ─► cli ─► shell, serve, simulate, evaluate ─► recommender, docs ─► testing ─► pipeline ─► backend ─► cluster, engine ─► udfs (crate clickrec-udfs)
//!                                                                                │
//!                                                                                └─► lake ─► store ─► config ─► sources ─► settings
//! ```
//!
//! - [`settings`]: values of a configuration file: variables, secrets, and what is wrong with them.
//! - [`sources`]: where records come from: kinds of sources (Kafka, files) and formats of files.
//! - [`config`]: `pipelines.yaml`, validated.
//! - [`store`]: the object store of a lake, and who one is to it.
//! - [`lake`]: Delta tables: what changed in them, and one commit a step.
//! - [`engine`]: the one builder of a query session.
//! - [`cluster`]: the same plans on several machines.
//! - [`backend`]: where the plans of steps run: in this process, or on a cluster.
//! - [`lineage`]: where the columns of a query come from.
//! - [`pipeline`]: the DAG, what waits, and running a step.
//! - [`testing`]: unit tests of a project's SQL.
//! - [`docs`](mod@docs): a manual of a project.
//! - [`shell`]: statements and backslash commands, typed or from a script.
//! - [`recommender`]: answers for sessions, by the SQL that fills the table of recommendations; what it consists of is
//!   declared in the project file, and no model is known here.
//! - [`evaluate`]: how good the answers of the declared models are on sessions that they have not seen.
//! - [`serve`]: the dashboard and the JSON API.
//! - [`simulate`]: traffic of a shop that does not exist.
//! - [`cli`]: one thin file a subcommand.

pub mod backend;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod docs;
pub mod engine;
pub mod evaluate;
pub mod failpoint;
pub mod lake;
pub mod lineage;
pub mod pipeline;
pub mod recommender;
pub mod serve;
pub mod settings;
pub mod shell;
pub mod simulate;
pub mod sources;
pub mod store;
pub mod testing;
