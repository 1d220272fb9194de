//! clickrec: click-streams to recommendations, in SQL.
//!
//! A pipeline is a folder of `.sql` files that DataFusion runs over Delta tables; Kafka is a table, and so is the
//! recommender. Modules depend one way: each uses only those below it (`tests/it/architecture.rs` has this order, and
//! checks it). Modules on one line do not use each other:
//!
//! ```text
//! main ─► cli
//!         simulate (uses none of the others), serve
//!         evaluate
//!         recommender, shell, docs
//!         testing
//!         pipeline, lineage
//!         backend
//!         cluster, engine
//!         lake
//!         store, failpoint
//!         config
//!         sources
//!         settings, plural
//!         clickrec-udfs (the crate of SQL functions; any of them may use it)
//! ```
//!
//! # How a record becomes a row of a table
//!
//! 1. `cli/run.rs` loads the project (`config/load.rs`) and starts [`pipeline::Runner`] (`pipeline/runner.rs`,
//!    `run_once`), which runs one step after another.
//! 2. `pipeline/inputs/` finds what a step reads (`find`, `found`). For files, `sources/files/source.rs` (`pending`)
//!    finds what is new: `listing`, `waiting`, `look`, `pass`; [`sources::formats`] says where a record ends.
//! 3. `pipeline/decide` decides what to do about it; `inputs/bound` says what the names in the step's SQL stand for.
//! 4. `pipeline/leaving_out.rs` runs the step: `pipeline/step/mod.rs` and its phases `plan`, `write`, `check`, `merge`,
//!    `commit`. While it writes, the plan reads the records (`sources/files/scan.rs`).
//! 5. `backend/local.rs` runs the plan; `lake/write.rs` writes its rows to files, `lake/commit.rs` makes them visible.
//!
//! Silver goes the same way, from what changed in Bronze (`lake/changes.rs`); it replaces the rows of the same keys
//! (`lake/merge.rs`).
//!
//! # How a request becomes JSON
//!
//! 1. `cli/serve.rs` starts [`serve`] (`serve/mod.rs`): the state of the server (`shop`), connections (`listen`),
//!    checks of every request (`guard`), and what follows new commits (`watch`).
//! 2. `serve/api/recommendations.rs` answers from the cache of the shop, or finds the session's events: in memory
//!    (`serve/clicks.rs`), or in the lake (`serve/snapshot.rs`).
//! 3. It takes the planned statement (`serve/statements.rs`); `serve/answers.rs` runs it for several requests at once.
//! 4. `recommender/requests.rs` turns the events into rows of `gold.requests`; `recommender/planned.rs` runs
//!    `sql/gold/recommendations.sql` over them.
//! 5. `recommender/lists.rs` makes lists of the rows, and `serve/api/recommendations.rs` JSON.
//!
//! # Modules
//!
//! - [`plural`]: numbers with their nouns, for messages: `1 row`, `2 rows`.
//! - [`settings`]: values of a configuration file: variables, secrets, and what is wrong with them.
//! - [`sources`]: where records come from: kinds of sources (Kafka, files) and formats of files.
//! - [`config`]: `pipelines.yaml`, validated.
//! - [`failpoint`]: moments at which a test can make the program die.
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
pub mod plural;
pub mod recommender;
pub mod serve;
pub mod settings;
pub mod shell;
pub mod simulate;
pub mod sources;
pub mod store;
pub mod testing;
