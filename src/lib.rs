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
//! 1. `cli/run.rs` takes the project and a runner of its steps from `cli/global.rs` (`runner`; `config/load.rs` reads
//!    the file), and calls [`pipeline::Runner`] (`pipeline/runner.rs`, `run_once`), which runs one step after another.
//!    `pipeline/dag.rs` orders the steps by the names in their SQL (`pipeline/references.rs`).
//! 2. `pipeline/inputs/` finds what a step reads (`find`, `found`, `sources`). For files, `sources/files/pending.rs`
//!    finds what is new: `listing`, `new_lines`, `compare`, `rotation`, `pass`, `tables`; [`sources::formats`]
//!    says where a record ends. For a topic, it is `sources/kafka/source.rs`, with `lost_records`.
//! 3. `pipeline/decide` decides what to do about it; `inputs/step_bindings` says what the names in the step's SQL stand
//!    for.
//! 4. `pipeline/leave_out_failed_records.rs` runs the step: `pipeline/step/mod.rs` and its phases `plan`, `write`,
//!    `expectations`, `merge`, `commit`. `engine` plans the SQL; `engine/functions.rs` is where `changes('…')` becomes
//!    what `inputs/step_bindings` bound. While the step writes, the plan reads the records (`sources/files/scan.rs`,
//!    `sources/kafka/reader.rs`).
//! 5. `backend/local.rs` runs the plan; `lake/write.rs` writes its rows to files, `lake/commit.rs` makes them visible.
//!    A commit that loses a race: `lake/commit.rs` goes on top where only files moved; otherwise
//!    `pipeline/lost_race.rs` plans the step again.
//!
//! Silver goes the same way, from what changed in Bronze (`lake/changes.rs`); it replaces the rows of the same keys
//! (`lake/merge.rs`).
//!
//! So does Gold: `sql/gold/requests.sql` (a view) names the sessions; `sql/gold/recommendations.sql` calls
//! `session_knn` and `recommend`: `udfs/src/functions/`, over `udfs/src/sessions` and `udfs/src/als`;
//! `udfs/src/relation` makes tables arguments.
//!
//! `run --follow` repeats all of this: `pipeline/follow`.
//!
//! # How a request becomes JSON
//!
//! 1. `cli/serve.rs` starts [`serve`] (`serve/mod.rs`): the state of the server (`shop`), connections (`listen`),
//!    checks of every request (`guard`), and what follows new commits (`watch`).
//! 2. `serve/api/recommendations.rs` validates the request and takes the planned statements (`serve/statements.rs`).
//!    Then it answers from the cache (`serve/answer_cache.rs`), or finds the session's events: in memory
//!    (`serve/clicks.rs`), or by a query of the snapshot (`serve/snapshot.rs`; the query is in
//!    `recommender/events.rs`).
//! 3. The statements were planned before, in the background (`serve/watch.rs`): `recommender/length.rs` (`of_length`)
//!    picks the SQL, `recommender/mod.rs` (`over`) puts the request's rows in place of the view (`request_table`), and
//!    `recommender/planned.rs` plans it.
//! 4. `serve/answers.rs` runs the statement for several requests at once: `recommender/requests.rs` turns their events
//!    into rows of `gold.requests`, and `recommender/planned.rs` runs `sql/gold/recommendations.sql` over them.
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
