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
//!         config, inspect
//!         sources
//!         settings, plural
//!         clickrec-udfs (the crate of SQL functions; any of them may use it)
//! ```
//!
//! Paths below are relative to `src/`; those of the crate of functions begin with `udfs/`, those of the shipped project
//! with `sql/`.
//!
//! # How a record becomes a row of a table
//!
//! 1. `cli/run.rs` takes the project and a runner of its steps from `cli/global.rs` (`runner`; `config/load.rs` reads
//!    the file), and calls [`pipeline::Runner`] (`pipeline/runner.rs`, `run_once`), which runs one step after another,
//!    each by `run_step` (`pipeline/run_step.rs`): look, decide, run. `pipeline/dag.rs` orders the steps by the names
//!    in their SQL (`pipeline/references.rs`).
//! 2. Look: `pipeline/inputs/` finds what a step reads (`find`, `found`, `sources`), from the positions that its last
//!    commit holds (`lake/positions.rs`). For files, `sources/files/pending.rs` finds what is new: `listing`,
//!    `new_lines`, `compare`, `rotation`, `pass`, `tables`, with how far each was read (`read_so_far`);
//!    [`sources::formats`] says where a record ends. For a topic, it is `sources/kafka/source.rs`, with `lost_records`
//!    and `recreated`.
//! 3. Decide: `pipeline/decide/mod.rs` decides what to do about it; `pipeline/inputs/step_bindings.rs` says what the
//!    names in the step's SQL stand for.
//! 4. Run: `pipeline/leave_out_failed_records.rs` runs the step: `pipeline/step/mod.rs` and its phases `plan`, `write`,
//!    `expectations`, `merge`, `commit`. `engine` plans the SQL; `engine/functions.rs` is where `changes('…')` becomes
//!    what `step_bindings` bound. While the step writes, the plan reads the records (`sources/files/scan.rs`,
//!    `sources/kafka/reader.rs`).
//! 5. `backend/local.rs` runs the plan, or `backend/cluster.rs`, by `cluster/client.rs`. `lake/write.rs` writes its
//!    rows to files, and `lake/commit.rs` makes them visible, together with the new positions (`lake/positions.rs`). A
//!    commit that loses a race goes on top where only files moved (`lake/commit.rs`); otherwise `pipeline/run_step.rs`
//!    plans the step again.
//!
//! Silver goes the same way, from what changed in Bronze (`lake/changes.rs`); it replaces the rows of the same keys
//! (`lake/merge.rs`). Views (`silver.clicks`) run no step: they pass on what they read to the steps that read them
//! (`pipeline/node.rs`, `go_through`).
//!
//! So does Gold, step by step from `silver.events`: the view `gold.touched_sessions` names the sessions that changed;
//! `sql/gold/session_items.sql` weighs their items; `sql/gold/als_factors.sql` calls `als_train`
//! (`udfs/src/functions/als_train.rs`, over `udfs/src/als/`); the view `sql/gold/requests.sql` names the sessions that
//! need a list; `sql/gold/recommendations.sql` calls `session_knn` and `recommend` (`udfs/src/functions/`, over
//! `udfs/src/sessions/` and `udfs/src/als/`). `udfs/src/relation/` makes tables arguments.
//!
//! `run --follow` repeats all of this: `pipeline/follow/mod.rs`.
//!
//! # How a request becomes JSON
//!
//! 1. `cli/serve.rs` starts [`serve`] (`serve/mod.rs`): the state of the server (`shop`), connections (`listen`),
//!    checks of every request (`guard`), the routes (`serve/api/mod.rs`), and what follows new commits (`watch`).
//! 2. `serve/api/recommendations.rs` validates the request and takes the planned statements (`serve/statements.rs`).
//!    Then it answers from the cache (`serve/answer_cache.rs`), or finds the session's events: in memory
//!    (`serve/clicks.rs`), or by a query of the snapshot (`serve/snapshot.rs`; the query is in
//!    `recommender/events.rs`).
//! 3. The statements were planned before, in the background (`serve/watch.rs`, which swaps them in when they are ready,
//!    while the old ones answer). `serve/statements.rs` (`plan`) plans them: `recommender/length.rs` (`of_length`)
//!    picks the SQL, `recommender/mod.rs` (`over`) puts the request's rows in place of the view (`request_table`),
//!    `recommender/planned.rs` plans it, and `recommender/once.rs` keeps what does not depend on the request.
//! 4. `serve/answers.rs` answers several requests at once: `recommender/events_to_requests.rs` turns their events into
//!    rows of `gold.requests`, by running the steps in between (`recommender/steps.rs`, `between`) in memory;
//!    `Recommender::answer` (`recommender/mod.rs`) runs `sql/gold/recommendations.sql` over them.
//! 5. `recommender/lists.rs` makes lists of the rows, and `serve/api/recommendations.rs` JSON.
//!
//! # Where to look
//!
//! - [`cli`]: the command line, one thin file a subcommand
//!   - options of all commands, logging: `cli/global.rs`; options from the environment (`CLICKREC_…`): `cli/mod.rs`
//!   - exit codes, errors with causes and help: `cli/exit.rs`; Ctrl-C, SIGTERM: `cli/signals.rs`
//!   - progress lines and bars of a run: `cli/progress.rs`; status line of `run --follow`: `cli/follow.rs`
//!   - Prometheus metrics and `/health` of `run --follow`: `cli/metrics.rs`; the graph of `plan`: `cli/graph.rs`
//!   - the demo, its embedded broker, its counts: `cli/demo.rs`; the rate of simulated traffic: `cli/produce.rs`
//!   - files of a new project: `cli/init/scaffold.rs`; of one that reads a sample (`--from`): `cli/init/from.rs`
//! - [`simulate`]: traffic of a shop that does not exist, for the demo and `produce`
//!   - items and their popularity: `simulate/catalogue.rs`; one visit, from view to purchase: `simulate/session.rs`
//!   - late and repeated deliveries: `simulate/simulation.rs`; dirty records: `simulate/dirt.rs`
//! - [`serve`]: the dashboard and the JSON API
//!   - tokens, Host and Origin checks (CORS, DNS rebinding), content security policy: `serve/guard.rs`
//!   - limits of sizes, times, concurrency: `serve/limits.rs`; connections, shutdown: `serve/listen.rs`
//!   - refusal of a public address without a token: `serve/options.rs`; state of the server: `serve/shop.rs`
//!   - new commits followed, statements of a new model swapped in: `serve/watch.rs`
//!   - statements planned and warmed up: `serve/statements.rs`; one version of every table: `serve/snapshot.rs`
//!   - newest clicks of sessions, in memory: `serve/clicks.rs`; cache of answers: `serve/answer_cache.rs`
//!   - concurrent requests answered together (batching): `serve/answers.rs`; HTTP errors: `serve/error.rs`
//!   - routes, OpenAPI: `serve/api/mod.rs`; parameters and bodies validated: `serve/api/extract.rs`
//!   - commits as server-sent events: `serve/api/commit_stream.rs`; SQL of clients: `serve/api/sql.rs`
//!   - health and metrics of the server: `serve/api/pipeline.rs`; engagement, funnel: `serve/api/reports.rs`
//!   - queries behind panels and reports: `serve/panels.rs` (in `serve/sql/`); the page itself: `serve/assets/`
//! - [`evaluate`]: how good the answers of the declared models are on sessions that they have not seen
//!   - training and test sessions split by time: `evaluate/train_test.rs`
//!   - test sessions cut into what is known and what is to be predicted: `evaluate/cases.rs`
//!   - test sessions found in the training data (leakage): `evaluate/overlap.rs`
//!   - CSV, TSV, Parquet of published data sets: `evaluate/import.rs`; baselines: `evaluate/models.rs`
//!   - the temporary lake in which models learn: `evaluate/scratch.rs`; answers scored, latency: `evaluate/measure.rs`
//!   - hit rate, MRR, NDCG, …: `evaluate/metrics/`; ties: `evaluate/metrics/rank.rs`
//!   - bootstrap confidence intervals: `evaluate/bootstrap.rs`
//!   - tuning over `--grid`: `evaluate/mod.rs` (`tune`); figures kept in `system.evaluations`: `evaluate/save.rs`
//! - [`recommender`]: answers for sessions, by the SQL that fills the table of recommendations; it knows no model
//!   - events of a session, or of an invented visitor: `recommender/events.rs`
//!   - events turned into rows of requests: `recommender/events_to_requests.rs`
//!   - models read once and not per request: `recommender/once.rs`; longer lists (`k`): `recommender/length.rs`
//!   - answers that are only popular items (fallback): `recommender/lists.rs`
//!   - steps that a recommender needs, and whether they are there: `recommender/steps.rs`
//!   - reasons (`--explain`): `recommender/reasons.rs`; similar items: `recommender/similar.rs`
//! - [`shell`]: statements and backslash commands, typed or from a script
//!   - completion on Tab: `shell/complete.rs`; tables, aliases, columns in reach of it: `shell/scope.rs`
//!   - prompt, Ctrl-C: `shell/interactive.rs`; line editing, Ctrl-R: `shell/editor.rs`; colors: `shell/highlight.rs`
//!   - history file: `shell/history_file.rs`; inputs with secrets kept out of it: `shell/secrets.rs`
//!   - commands parsed: `shell/command.rs`; `\d`, `\history`: `shell/describe.rs`; `\df`: `shell/functions.rs`
//!   - `\at`: `shell/travel.rs`; `\watch`, `\explain`: `shell/repeat.rs`; `\run`: `shell/run_step.rs`
//!   - scripts (`-f`, `\i`): `shell/script.rs`; split into statements: `shell/split.rs`; `\o`: `shell/output.rs`
//!   - one statement run, `\timing`: `shell/query.rs`; suggestions after a typo: `shell/error.rs`
//!   - read only, `--write`, `--safe`: `shell/restrictions.rs`; progress of a query: `shell/progress.rs`
//!   - formats of rows, `\limit`: `shell/print/mod.rs`; width of tables: `shell/print/table.rs`
//!   - CSV: `shell/print/lines.rs`; JSON: `shell/print/json.rs`; bytes and control characters: `shell/print/cells.rs`
//! - [`docs`](mod@docs): a manual of a project
//!   - what it says: `docs/build.rs`; comments of SQL as descriptions: `docs/comments.rs`
//!   - docs page: `docs/html.rs`; its graph of tables: `docs/graph.rs`
//! - [`testing`]: unit tests of a project's SQL
//!   - expected rows compared: `testing/diff.rs`; tests run, batch by batch: `testing/test.rs`
//!   - test files parsed: `testing/raw.rs`; written values as Arrow: `testing/cells.rs`; one CTE: `testing/cte.rs`
//!   - tests generated from the lake: `testing/generate.rs`; rows from CSV or Parquet: `testing/data_file.rs`
//! - [`lineage`]: where the columns of a query come from: `lineage/walk.rs`; of one expression: `lineage/expression.rs`
//! - [`pipeline`]: the DAG, what waits, and running a step
//!   - order of steps, cycles: `pipeline/dag.rs`; tables that SQL names: `pipeline/references.rs`
//!   - `--select STEP+`, `--exclude`: `pipeline/select.rs`; `--full-refresh`, step by step: `pipeline/run_options.rs`
//!   - rebuild or read on, `refresh_after`: `pipeline/decide/mod.rs`; changed SQL detected: `pipeline/fingerprint.rs`
//!   - columns of all tables, steps with broken SQL: `pipeline/schemas.rs`; what `plan` tells: `pipeline/preview.rs`
//!   - a lost commit race (conflict) is planned again: `pipeline/run_step.rs`
//!   - steps after a failed one skipped: `pipeline/runner.rs`; errors that pass (retry) or last: `pipeline/error.rs`
//!   - errors of SQL with file and line: `pipeline/step_error.rs`; `scores` checked: `pipeline/declared_scores.rs`
//!   - waiting records of sources, a source that was renamed: `pipeline/inputs/sources.rs`
//!   - changes of tables; a reconciliation reads no further than the steps it judges: `pipeline/inputs/found.rs`
//!   - what names stand for: in a step `pipeline/inputs/step_bindings.rs`; elsewhere `pipeline/lake_bindings.rs`
//!   - out-of-memory fallback (a model trained by queries instead): `pipeline/step/write.rs`
//!   - schema evolution (columns added), columns that do not fit their table: `pipeline/step/shape.rs`
//!   - expectations run (`severity`): `pipeline/step/expectations.rs`; their SQL checked: `pipeline/expectation_sql.rs`
//!   - rows taken out that break an expectation: `pipeline/rejected_rows.rs`; quarantine replay: `pipeline/replay.rs`
//!   - `system.quarantine`: `pipeline/quarantine_table.rs`; `system.runs`, `system.expectations`: `pipeline/runs.rs`
//!   - failed records found by bisection: `pipeline/bisect.rs`; kept in quarantine: `pipeline/failed_records.rs`
//!   - a step run without its failed records: `pipeline/leave_out_failed_records.rs`
//!   - errors that data can cause: `pipeline/data_error.rs`; the expression at fault: `pipeline/failing_expression.rs`
//!   - read = accepted + repeated + quarantined; warnings of impossible times: `pipeline/reconciliation.rs`
//!   - deleted tables: `pipeline/deleted_tables.rs`; `DELETE`, `RESTORE` by other engines: `pipeline/removed_rows.rs`
//!   - batches of `--follow`, `--once`: `pipeline/follow/mod.rs`; backoff after failures: `pipeline/follow/backoff.rs`
//!   - `trigger`; half as many records after out of memory: `pipeline/follow/batch_trigger.rs`
//!   - steps with `every`, beside the batches: `pipeline/follow/slower_steps.rs`
//!   - lag, health (stalled, stuck): `pipeline/follow/status.rs`; sums for `system.runs`: `pipeline/follow/ledger.rs`
//! - [`backend`], [`cluster`]: where the plans of steps run: in this process, or on several machines
//!   - `--engine`: `backend/open.rs`; queries of a model that memory does not hold, run: `backend/by_queries.rs`
//!   - a lost executor's work is done again, jobs canceled, executors waited for: `cluster/client.rs`
//!   - which executors get tasks, which are lost: `cluster/placement.rs`; sources dealt out: `cluster/scattered.rs`
//!   - plans as bytes, without secrets: `cluster/codec.rs`; rows that tasks would double: `cluster/prepare.rs`
//!   - a cluster's errors told apart: `cluster/texts.rs`; executors and jobs as JSON: `cluster/jobs.rs`
//!   - tasks of each stage, for `plan`: `cluster/stages.rs`; `--trusted-network`: `cli/executor.rs`
//! - [`engine`]: the one builder of a query session
//!   - sessions, memory limit, spilling: `engine/mod.rs`; peak memory: `engine/memory.rs`
//!   - `changes('…')`, `previous`, `latest`, `table_version`: `engine/functions.rs`
//!   - refused wrong answers of DataFusion: `engine/known_wrong/mod.rs`; `not in` with NULL: `engine/not_in.rs`
//!   - checked sums (overflow): `engine/checked_sum/mod.rs`; `at time zone`: `engine/rewrite_statement.rs`
//! - [`lake`]: Delta tables: what changed in them, and one commit a step
//!   - one atomic commit, its lost reply, a compaction meanwhile: `lake/commit.rs`
//!   - data files, `partition_by`: `lake/write.rs`; a lake opened, whether it can be written: `lake/lake.rs`
//!   - merge (upsert): `lake/merge.rs`; old rows replaced: `lake/old_rows.rs`; on a cluster: `lake/merge_plans.rs`
//!   - keys of a merge, NULL ones, `delete`: `lake/merge_keys.rs`; rows that arrived since a version: `lake/changes.rs`
//!   - how far inputs were read: `lake/positions.rs`; read back from the log: `lake/read_last_commit.rs`
//!   - commits of other engines: `lake/foreign_commits.rs`; deletion vectors refused: `lake/data_files_scan.rs`
//!   - deduplication key filter: `lake/keys/filters.rs`; joins that use it: `lake/keys/rule.rs`
//!   - data files ruled out by date (statistics): `lake/keys/times.rs`; types that Delta can store: `lake/schema.rs`
//!   - compaction, `cluster_by`: `lake/compact.rs`; checkpoints, cleanup of the log: `lake/maintain.rs`
//!   - vacuum: `lake/vacuum.rs`; time travel: `lake/time_travel.rs`; history of commits: `lake/history.rs`
//!   - damaged (torn) log, missing checkpoint: `lake/diagnose.rs`; logs kept open in memory: `lake/log_cache.rs`
//! - [`store`]: the object store of a lake, and who one is to it
//!   - tokens that expire: `store/renewed.rs`; refusals explained: `store/refusal.rs`; cache: `store/cached.rs`
//!   - permissions probed, stores that overwrite files: `store/permissions.rs`; injected faults: `store/faults.rs`
//! - [`failpoint`]: moments at which a test can make the program die: `failpoint.rs`
//! - [`config`]: `pipelines.yaml`, validated
//!   - keys of the file, unknown ones refused, JSON schema: `config/raw.rs`; targets, steps: `config/validate.rs`
//!   - expectations as queries: `config/validate_expectation.rs`; mistyped names: `config/table_name.rs`
//!   - credentials written in the file refused: `config/validate_credentials.rs`
//! - [`inspect`]: what a sample of events holds, and a project that reads it (`init --from`)
//!   - files, folders, topics, and their format: `inspect/locate.rs`, with guesses of `sources/formats/guess.rs`
//!   - fields of records, their types and values: `inspect/shape.rs`; notations of times: `inspect/times.rs`
//!   - names that fields have (`visitorid`, `sku`, …): `inspect/names.rs`; of events: `inspect/kinds.rs`
//!   - fields chosen, by names and values: `inspect/roles.rs`; lists that become rows: `inspect/infer.rs`
//!   - known schemas (`--preset`): `inspect/presets/`; what a mapping makes of a record: `inspect/interpret.rs`
//!   - SQL written: `inspect/generate/clicks_sql.rs`; its comments: `inspect/generate/comments.rs`
//! - [`settings`]: values of a configuration file
//!   - variables `${…}`: `settings/interpolate.rs`; line and column of a problem: `settings/values.rs`
//!   - values from the environment, `.env`, files, secrets by command: `settings/environment.rs`
//!   - credentials hidden in errors and logs: `settings/redact.rs`; `var('…')` of SQL: `udfs/src/variables.rs`
//! - [`plural`]: numbers with their nouns, for messages: `1 row`, `2 rows`
//! - [`sources`]: where records come from: kinds of sources (Kafka, files) and formats of files
//!   - columns of a record: `sources/record.rs`; `--accept-loss`, errors: `sources/source.rs`
//!   - a new kind of source: `sources/kind.rs`; a new format: `sources/formats/mod.rs`
//!   - offsets of a topic to read, partitions added: `sources/kafka/source.rs`
//!   - records that expired: `sources/kafka/lost_records.rs`
//!   - a topic that was deleted and created again: `sources/kafka/recreated.rs`
//!   - records read, silent brokers: `sources/kafka/reader.rs`; `--from-timestamp`: `sources/kafka/times.rs`
//!   - filters on offset and time pushed down: `sources/kafka/filters.rs`
//!   - settings (SASL, TLS, `options`): `sources/kafka/settings.rs`; clients, retries: `sources/kafka/client.rs`
//!   - errors of brokers explained: `sources/kafka/cause.rs`; certificates: `sources/kafka/native/certificate.rs`
//!   - a topic as a table, `delete` and `update` refused: `sources/kafka/kafka_table.rs`
//!   - rows of `insert into` as records: `sources/kafka/inserted_rows.rs`; records sent: `sources/kafka/producer.rs`
//!   - `--create-topic`: `sources/kafka/create_topic.rs`; embedded broker: `sources/kafka/embedded.rs`
//!   - what is new in files; replaced files refused, incomplete last lines warned of: `sources/files/new_lines.rs`
//!   - renamed and rotated files: `sources/files/rotation.rs`; grown files recognized: `sources/files/compare.rs`
//!   - a damaged file, read up to the damage; records that are too long: `sources/files/pass.rs`
//!   - Parquet, Avro and Arrow files, counted and compared as a whole: `sources/files/tables.rs`
//!   - rows of such files as JSON, type by type: `sources/formats/table_rows.rs`
//!   - compression: `sources/files/codec.rs`; a file beside its compressed copy: `sources/files/copies.rs`
//!   - files of a folder or pattern, unchanged ones not opened (size, times, inode): `sources/files/listing.rs`
//!   - names that are skipped: `sources/files/names.rs`; content as identity: `sources/files/fingerprint.rs`
//!   - first bytes and records of files: `sources/files/sample.rs`
//!   - files that change while they are read: `sources/files/scan.rs`; byte order marks: `sources/formats/lines.rs`
//!   - files of another format than they should be: `sources/formats/magic.rs`; pretty JSON: `sources/formats/json.rs`
//!   - CSV: its options `sources/formats/csv/dialect.rs`; its header `sources/formats/csv/header.rs`
//! - `sql/`: the shipped project; SQL functions are in `udfs/src/lib.rs`, which has a list like this one
//!   - why records are rejected: `sql/silver/clicks.sql`; deduplication, inferred sessions: `sql/silver/events.sql`
//!   - repeated or conflicting deliveries: `sql/silver/unaccepted.sql`; hidden items: `sql/gold/item_rules.sql`
//!   - weights of events: `sql/gold/session_items.sql`; blend of models: `sql/gold/recommendations.sql`

pub mod backend;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod docs;
pub mod engine;
pub mod evaluate;
pub mod failpoint;
pub mod inspect;
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
