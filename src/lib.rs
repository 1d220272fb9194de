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
//!         testing, erase
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
//!    in their SQL (`pipeline/references.rs`). The runner has opened the sources: `pipeline/runner.rs` (`source`),
//!    `sources/files/kind.rs` (`open`), `sources/files/files_source.rs`; their settings were validated in
//!    `config/validate_source.rs` and `sources/files/settings.rs`.
//! 2. Look (`inspect` in `pipeline/runner.rs` calls `pipeline/inputs/find.rs`, which looks, decides and binds):
//!    `pipeline/inputs/` finds what a step reads (`found`, `sources`), from the positions that its last commit holds
//!    (`lake/positions.rs`; `lake/read_last_commit.rs` reads them). Whether everything is read from the start
//!    (`pipeline/decide/mod.rs`, `rebuild`) is known before the sources are asked. For files,
//!    `sources/files/pending.rs` finds what is new, as ranges of records (`file_range`): `listing`, `new_lines`,
//!    `compare`, `copies`, `rotation`, `pass`, `tables`, with how far each was read (`read_so_far`);
//!    [`sources::formats`] says where a record ends. For topics, it is `sources/kafka/source.rs`, with `describe`,
//!    `lost_records`, `recreated` and `deleted`.
//! 3. Decide: `pipeline/decide/mod.rs` decides what to do about it; `pipeline/inputs/step_bindings.rs` says what the
//!    names in the step's SQL stand for. Then `inspect` lets `pipeline/deleted_tables.rs` (`check`) refuse what would
//!    silently start from nothing.
//! 4. Run: `pipeline/leave_out_failed_records.rs` runs the step: `pipeline/step/mod.rs` and its phases `shape`, `plan`,
//!    `write`, `expectations`, `merge`, `commit`. Before `shape`, `engine/mod.rs` (`session`) makes a session over the
//!    `Bindings` (`engine/bindings.rs`), and `plan` (`result`) has `engine/query.rs` plan the SQL in it;
//!    `engine/functions.rs` is where `changes('…')` becomes what `step_bindings` bound.
//!    `pipeline/step/write.rs` first calls `by_queries::compute` (`backend/by_queries.rs`), which usually leaves the
//!    plan as it is, then `backend.write`: `backend/local.rs` runs the plan, or `backend/cluster.rs`, by
//!    `cluster/client.rs`. Meanwhile, the plan reads the records (`sources/files/scan.rs`, `sources/kafka/reader.rs`)
//!    and makes rows of them: of a file, the format splits the text (`sources/formats/ndjson.rs`, `splitter`;
//!    `sources/formats/lines.rs`), and `sources/formats/rows.rs` collects the records in batches (built
//!    by `sources/record.rs`, as those of Kafka are). `lake/write.rs` writes the plan's rows to files.
//! 5. `pipeline/step/expectations.rs` checks these files. Where the step merges (a rebuild replaces all rows instead),
//!    `pipeline/step/merge.rs` calls `backend.merge`, which finds the old rows of the same keys (`lake/merge.rs`, over
//!    `lake/old_rows.rs`). `pipeline/step/commit.rs` calls `lake/commit.rs`, which makes the files visible, together
//!    with the new positions (`lake/positions.rs`). A commit that loses a race goes on top if only files moved;
//!    otherwise `pipeline/run_step.rs` plans the step again.
//! 6. After the commit of a step named `reconciliation`, `run_step` asks what became of the records
//!    (`pipeline/reconciliation.rs`). At the end of the run, `cli/run.rs` adds it to `system.runs`
//!    (`pipeline/runs.rs`) and maintains the tables that were written (`pipeline/upkeep.rs`).
//!
//! Silver goes the same way, from what changed in Bronze: `changes('TABLE')` finds the new files in the log
//! (`lake/changes.rs`) and reads them with `lake/data_files_scan.rs`, also in a plain run (from the start, the whole
//! table: `lake/provider.rs`). The view `sql/silver/clicks.sql` calls `from_json`
//! (`udfs/src/functions/from_json/mod.rs`). `sql/silver/events.sql` looks up earlier events with `previous('…')`, decides on
//! sessions (`udfs/src/functions/cut_session.rs`, `udfs/src/functions/join_session.rs`, over `udfs/src/visits/`), and
//! replaces the rows of the same keys. The look-up opens only the files that may have them if the lake keeps key
//! filters: `lake/provider.rs` (`lookup_provider`), `lake/data_files_scan.rs`, `lake/keys/`. Only `run --follow`
//! (`cli/run.rs`) and the shell (for `\run`) keep some (`with_memory` in `lake/lake.rs`; the server calls it with 0
//! bytes, to keep logs alone). A plain `clickrec run` takes the Delta library's scan for the look-up, and a cluster
//! never has key filters. Views (`silver.clicks`) run no step: they pass on what they read to the steps that read them
//! (`pipeline/node.rs`, `go_through`).
//!
//! So do `sql/silver/people.sql`, which says who the sessions belong to, and Gold, step by step from `silver.events`: the
//! view `gold.touched_sessions` names the sessions that changed, and which of them do not count;
//! `sql/gold/session_items.sql` weighs their items; `sql/gold/als_factors.sql` calls `als_train`
//! (`udfs/src/functions/als_train.rs`, over `udfs/src/als/`); the view `sql/gold/requests.sql` names the sessions that
//! need a list; `sql/gold/recommendations.sql` calls `session_knn` and `recommend` (`udfs/src/functions/`, over
//! `udfs/src/sessions/` and `udfs/src/als/`), fills lists up with popular items (`sql/gold/item_popularity.sql`), takes
//! the newest credible day from `sql/gold/engagement.sql`, and hides items (the view `sql/gold/item_rules.sql`, over
//! the catalog: `sql/gold/items.sql`).
//! `udfs/src/relation/` makes tables arguments: `udfs/src/relation/planner.rs` leads from a call to its logical node,
//! and `engine/planner.rs` from that to the plan node (`udfs/src/relation/exec.rs`).
//!
//! `run --follow` repeats all of this: `pipeline/follow/mod.rs`.
//!
//! # How a request becomes JSON
//!
//! 1. `cli/serve.rs` starts [`serve`] (`serve/mod.rs`): the state of the server (`shop`), connections (`listen`),
//!    checks of every request (`guard`), the routes (`serve/api/mod.rs`), and what follows new commits (`watch`).
//!    Errors become JSON in `serve/error.rs`.
//! 2. `serve/api/recommendations.rs` validates the request and takes the planned statements (`serve/shop.rs`,
//!    `answering`). Then it answers from the cache (`serve/answer_cache.rs`), or finds the session's events: in memory
//!    (`serve/clicks.rs`), or by a query of the snapshot (`serve/snapshot.rs`; the query is in
//!    `recommender/events.rs`). `serve/statements.rs` (`pick`) picks the statement for lists as long as requested.
//! 3. The statements were planned before, in the background (`serve/watch.rs`, which swaps them in when they are ready,
//!    while the old ones answer). `serve/statements.rs` (`plan`) plans the steps from events to requests
//!    (`Requests::over` in `recommender/events_to_requests.rs`) and the lists: `recommender/length.rs` (`of_length`)
//!    picks the SQL, `recommender/mod.rs` (`over`) puts an empty `RequestTable` in place of the view of requests,
//!    `recommender/planned.rs` plans it, and `recommender/once.rs` keeps what does not depend on the request. Each run
//!    brings its own rows, through the task context (`RequestRows::task` in `recommender/request_table.rs`).
//! 4. `serve/answers.rs` answers several requests at once: `recommender/events_to_requests.rs` turns their events into
//!    rows of `gold.requests`, by running the steps in between (`recommender/steps.rs`, `between`) in memory;
//!    `Recommender::answer` (`recommender/mod.rs`) runs `sql/gold/recommendations.sql` over them.
//! 5. `serve/answers.rs` makes lists of the rows (`recommender/lists.rs`), and `serve/api/recommendations.rs` JSON.
//!
//! # Where to look
//!
//! - [`cli`]: the command line, one thin file per subcommand
//!   - options of all commands (`--memory`, `--threads`), log levels (`-v`, `CLICKREC_LOG`): `cli/global.rs`
//!   - ranges of options (`-k`, `--max-k`, …): at the option, in the file of its command
//!   - options from the environment (`CLICKREC_…`), the list of commands: `cli/mod.rs`
//!   - exit codes, errors with causes and help: `cli/exit.rs`; Ctrl-C, SIGTERM: `cli/signals.rs`
//!   - tables, JSON and numbers on standard output: `cli/output.rs`; colors (`NO_COLOR`): `shell/output.rs`
//!   - `--json` of a run: `cli/step_result.rs`; man pages: `cli/man.rs`; completion in bash, …: `cli/completions.rs`
//!   - progress lines and bars of a run: `cli/progress.rs`; status line of `run --follow`: `cli/follow.rs`; its
//!     Prometheus metrics and `/health`: `cli/metrics.rs`; both show `pipeline/follow/status.rs`
//!   - the graph of `plan`: `cli/graph.rs`; the rate of simulated traffic: `cli/produce.rs`; the demo, its embedded
//!     broker, its counts: `cli/demo.rs`
//!   - files of a new project: `cli/init/scaffold.rs`; of one that reads a sample (`--from`): `cli/init/from.rs`
//! - [`simulate`]: traffic of a shop that does not exist, for the demo and `produce`
//!   - many visits at once: who comes, when, how many clicks; late and repeated deliveries: `simulate/simulation.rs`
//!   - one visit's clicks, from view to purchase: `simulate/session.rs`; dirty records: `simulate/dirt.rs`
//!   - items and their popularity: `simulate/catalog.rs`; their titles, prices, pictures: `simulate/products.rs`
//!   - sizes, the seed: `simulate/config.rs`
//! - [`serve`]: the dashboard and the JSON API
//!   - tokens, Host and Origin checks (CORS, DNS rebinding), content security policy: `serve/guard.rs`
//!   - too many requests, answers that take too long (503); compression of answers: `serve/guard.rs`
//!   - queries wait for a turn (`turn`), numbers of rows checked (`rows`), state of the server: `serve/shop.rs`
//!   - sizes, times, concurrency (the numbers): `serve/limits.rs`; slow clients, graceful shutdown: `serve/listen.rs`
//!   - refusal of a public address without a token (TLS is a proxy's business): `serve/options.rs`
//!   - the token from `CLICKREC_TOKEN`, `--poll`, `--max-k`: `cli/serve.rs`
//!   - new commits followed, statements of a new model swapped in: `serve/watch.rs`
//!   - statements planned and warmed up: `serve/statements.rs`; one version of every table: `serve/snapshot.rs`
//!   - newest clicks of sessions, in memory, whole sessions only: `serve/clicks.rs`
//!   - the catalog in memory, replaced by a new version of its table: `serve/watch.rs` (`follow_catalog`)
//!   - cache of answers: `serve/answer_cache.rs`; HTTP errors: `serve/error.rs`
//!   - concurrent requests answered together (batching), a full queue: `serve/answers.rs`
//!   - routes, OpenAPI: `serve/api/mod.rs`; parameters, (local) times and bodies parsed: `serve/api/extract.rs`
//!   - `k` checked against `--max-k`, items and events of a visitor: `serve/api/recommendations.rs`
//!   - `k` of similar items (a number of rows, up to 1,000): `serve/api/items.rs`, `serve/shop.rs` (`rows`)
//!   - commits as server-sent events: `serve/api/commit_stream.rs`; SQL of clients: `serve/api/sql.rs`
//!   - health and metrics of the server: `serve/api/pipeline.rs`; engagement, funnel: `serve/api/reports.rs`
//!   - queries behind panels and reports, how their rows are sorted: `serve/panels.rs` (in `serve/sql/`)
//!   - the page's files, how browsers cache them: `serve/assets.rs`; live updates: `serve/assets/live.js`
//!   - panels: `serve/assets/panel.js`; time range and filters in the address: `serve/assets/state.js`
//!   - numbers and times on the page: `serve/assets/format.js`; the shop's time zone: `serve/assets/zone.js`, from
//!     `serve/api/project.rs`; light and dark: `serve/assets/theme.js`
//!   - the page asks for a token: `serve/assets/api.js`; text that must not become markup (XSS): `serve/assets/dom.js`
//!   - titles, pictures and links of items, and which addresses are refused: `serve/assets/item.js`
//! - [`evaluate`]: how good the answers of the declared models are on sessions that they have not seen
//!   - training and test sessions split by time (local days), those at the cut, wrong clocks: `evaluate/train_test.rs`
//!   - test sessions cut into what is known and what is to be predicted: `evaluate/cases.rs`
//!   - test sessions found in the training data (leakage): `evaluate/overlap.rs`
//!   - items seen before count as targets: `evaluate/metrics/mod.rs`; unknown ones are misses, items to come that
//!     repeat count once: `evaluate/measure.rs` (`targets`)
//!   - published data sets in files (`--data`, `--train`, `--test`), fields that are not clear: `evaluate/import.rs`;
//!     events of their records, inferred sessions, order without times: `evaluate/import_sql.rs`
//!   - the temporary lake in which models learn: `evaluate/scratch.rs`; answers scored, latency: `evaluate/measure.rs`
//!   - hit rate, MRR, NDCG, …: `evaluate/metrics/`; ties: `evaluate/metrics/rank.rs`, `evaluate/measure.rs`
//!   - bootstrap confidence intervals: `evaluate/bootstrap.rs`; baselines: `evaluate/models.rs`, `sql/models/`
//!   - tuning over `--grid` (the first among equals): `evaluate/mod.rs` (`tune`), its combinations: `evaluate/grid.rs`
//!   - figures in `system.evaluations`: `evaluate/save.rs`
//! - [`recommender`]: answers for sessions, by the SQL that fills the table of recommendations; it knows no model
//!   - events of a session, or of an invented visitor: `recommender/events.rs`
//!   - events turned into rows of requests: `recommender/events_to_requests.rs`; these rows in a run of a plan:
//!     `recommender/request_table.rs`
//!   - models read once and not per request: `recommender/once.rs`; longer lists (`k`): `recommender/length.rs`
//!   - answers that are only popular items (fallback): `recommender/lists.rs`
//!   - steps that a recommender needs, and whether they are there: `recommender/steps.rs`
//!   - reasons (`--explain`): `recommender/reasons.rs`; similar items: `recommender/similar.rs`
//!   - details of items (titles, prices, pictures), found by ID, how much memory: `recommender/catalog.rs`; in the
//!     output of commands: `cli/item_details.rs`
//! - [`shell`]: statements and backslash commands, typed or from a script
//!   - completion on Tab: `shell/complete.rs`; the names that it knows: `shell/known_names.rs`; tables, aliases,
//!     columns in reach of it: `shell/scope.rs`
//!   - which tables a statement sees (lake, views, `kafka.SOURCE`, `system.*`): `pipeline/lake_bindings.rs`
//!   - prompt, Ctrl-C: `shell/interactive.rs`; line editing, Ctrl-R: `shell/editor.rs`; colors: `shell/highlight.rs`
//!   - history file: `shell/history_file.rs`; inputs with secrets kept out of it: `shell/secrets.rs`
//!   - commands parsed: `shell/command.rs`; `\d`, `\history`: `shell/describe.rs`; `\df`: `shell/functions.rs`
//!   - `\at`: `shell/travel.rs`; `\watch`, `\explain`: `shell/repeat.rs`; `\run`: `shell/run_step.rs`
//!   - scripts (`-f`, `\i`): `shell/script.rs`; split into statements: `shell/split.rs`; `\o`: `shell/output.rs`
//!   - one statement run, `\timing`, the table that a mistyped one was meant to be: `shell/query.rs`
//!   - columns there are, after an unknown one: `shell/error.rs`; what counts as a typo: `config/table_name.rs`
//!   - read only, `--write`, `--safe`: `shell/restrictions.rs`; progress of a query: `shell/progress.rs`
//!   - default limit of printed rows: `shell/mod.rs`; formats of rows, `\limit`: `shell/print/mod.rs`
//!   - width of tables: `shell/print/table.rs`; a reader of a pipe that has left (`| head`): `shell/output.rs`
//!   - where `copy … to` may write: `shell/copy.rs`; completion of file names: `shell/file_names.rs`
//!   - CSV: `shell/print/lines.rs`; JSON: `shell/print/json.rs`; bytes and control characters: `shell/print/cells.rs`
//! - [`docs`](mod@docs): a manual of a project
//!   - what it says: `docs/build.rs`; comments of SQL as descriptions: `docs/comments.rs`
//!   - docs page: `docs/html.rs`; its graph of tables: `docs/graph.rs`
//! - [`testing`]: unit tests of a project's SQL
//!   - expected rows compared (order, equal rows, NULL, tolerance): `testing/diff.rs`
//!   - tests run, batch by batch: `testing/test.rs`; a step over tables in memory: `pipeline/trial.rs`
//!   - test files parsed: `testing/raw.rs`; written values as Arrow: `testing/cells.rs`; one CTE: `testing/cte.rs`
//!   - tests generated from the lake: `testing/generate.rs`; rows from CSV or Parquet: `testing/data_file.rs`
//! - [`erase`]: erases people from the lake
//!   - whose rows: `erase/person.rs`; which rows of a table: `erase/condition.rs`; ids in text and bytes: `erase/words.rs`
//!   - the order of tables, what comes back, kills: `erase/eraser.rs`; counts made again: `pipeline/after_erasure.rs`
//!   - receipts, hashed ids, the key: `erase/receipts.rs`; files of ids: `erase/ids.rs`
//!   - the proof: `erase/search.rs`; rows out of tables: `lake/erase.rs`; old versions and logs: `lake/purge.rs`
//!   - `clickrec erase`, what it prints: `cli/erase.rs`; which columns hold people: `config/erasure.rs`
//! - [`lineage`]: where the columns of a query come from: `lineage/walk.rs`; of one expression: `lineage/expression.rs`
//! - [`pipeline`]: the DAG, what waits, and running a step
//!   - order of steps, cycles: `pipeline/dag.rs`; tables that SQL names: `pipeline/references.rs`
//!   - `--select STEP+`, `--exclude`: `pipeline/select.rs`; `--full-refresh`, step by step: `pipeline/run_options.rs`
//!   - rebuild, read on or go forward, `refresh_after`, inputs that only lost rows: `pipeline/decide/mod.rs`
//!   - `on_change`, `--forward`, steps that cannot keep older rows: `pipeline/on_change.rs`; `--backfill`:
//!     `pipeline/backfill.rs`; in the background of `--follow`: `pipeline/follow/backfill.rs`
//!   - changed SQL detected: `pipeline/fingerprint.rs`, compared with the stored one in `pipeline/decide/mod.rs`; what
//!     is no change (comments, line breaks): `normalized` in `pipeline/references.rs`
//!   - columns of a step's settings that its result lacks, rows that fit into one file: `pipeline/step/plan.rs`
//!   - columns of all tables, steps with broken SQL: `pipeline/schemas.rs`; what `plan` tells: `pipeline/preview.rs`;
//!     rows and seconds of each way to apply changed SQL: `pipeline/cost.rs`
//!   - two runners of one step (replicas): the slower commit is refused in `lake/commit.rs`, and planned again in
//!     `pipeline/run_step.rs`
//!   - steps after a failed one skipped: `pipeline/runner.rs`; errors that pass (retry) or last: `pipeline/error.rs`
//!   - errors of SQL with file and line: `pipeline/step_error.rs`; `scores` checked: `pipeline/declared_scores.rs`
//!   - waiting records of sources, a renamed source: `pipeline/inputs/sources.rs`
//!   - upkeep after a run: `pipeline/upkeep.rs`; what of it is due: `lake/maintain.rs`
//!   - changes of tables; a reconciliation reads no further than the steps it judges: `pipeline/inputs/found.rs`
//!   - tables that a step reads but that do not exist yet are empty: `pipeline/inputs/step_bindings.rs`
//!   - what names stand for: in a step `pipeline/inputs/step_bindings.rs`; elsewhere `pipeline/lake_bindings.rs`
//!   - out-of-memory fallback (a model trained by queries instead): `pipeline/step/write.rs`
//!   - schema evolution: columns added by SQL are allowed, others that do not fit refused: `pipeline/step/shape.rs`;
//!     written into the metadata by `lake/commit.rs` (`change`); where older rows do not stay, the step is rebuilt
//!   - expectations run (`severity`), too many rows to quarantine: `pipeline/step/expectations.rs`; their SQL checked:
//!     `pipeline/expectation_sql.rs`
//!   - rows removed that violate an expectation: `pipeline/rejected_rows.rs`; quarantine replay: `pipeline/replay.rs`
//!   - `system.quarantine`, equal rows in it: `pipeline/quarantine_table.rs`
//!   - `system.runs`, `system.expectations`: `pipeline/runs.rs`; many writers of such tables: `pipeline/system.rs`
//!   - failed records found by bisection; given up where so many fail that the SQL must be wrong: `pipeline/bisect.rs`
//!     (over rows in a temporary file: `pipeline/spilled.rs`); kept in quarantine: `pipeline/failed_records.rs`
//!   - a step run without failed records: `pipeline/leave_out_failed_records.rs`; tried: `pipeline/step/rehearse.rs`
//!   - errors that data can cause: `pipeline/data_error.rs`; the expression at fault: `pipeline/failing_expression.rs`
//!   - read = accepted + repeated + quarantined; warnings of impossible times, of none of many accepted:
//!     `pipeline/reconciliation.rs`
//!   - deleted tables: `pipeline/deleted_tables.rs`; `DELETE`, `RESTORE` by other engines: `pipeline/removed_rows.rs`
//!   - batches of `--follow`, `--once`, failures that end it: `pipeline/follow/mod.rs`; backoff after others:
//!     `pipeline/follow/backoff.rs`
//!   - `trigger`, size of a batch; half as many records after out of memory: `pipeline/follow/batch_trigger.rs`
//!   - steps with `every`, alongside the batches: `pipeline/follow/slower_steps.rs`
//!   - lag, health (stalled, stuck): `pipeline/follow/status.rs`; sums for `system.runs`: `pipeline/follow/ledger.rs`
//! - [`backend`], [`cluster`]: where the plans of steps run: in this process, or on several machines
//!   - `--engine`: `backend/open.rs`; queries of a model that memory does not hold, run: `backend/by_queries.rs`
//!   - a lost executor's work is done again, jobs canceled, executors waited for: `cluster/client.rs`
//!   - which executors get tasks, which are lost: `cluster/placement.rs`; sources dealt out: `cluster/scattered.rs`
//!   - plans as bytes, without secrets: `cluster/codec.rs`; rows that tasks would double: `cluster/prepare.rs`
//!   - a cluster's errors told apart: `cluster/texts.rs`; executors and jobs as JSON: `cluster/jobs.rs`
//!   - tasks of each stage, for `plan`: `cluster/stages.rs`; `--trusted-network`: `cli/executor.rs`
//!   - settings handed to Ballista, what is left at its defaults: `cluster/scheduler.rs`, `cluster/executor.rs`; size
//!     of a message: `cluster/mod.rs`
//!   - what runs in this process although steps run on a cluster (expectations, quarantine, search for failed records,
//!     reconciliation): `pipeline/step/shared.rs` (`Tools::here`)
//!   - how far a step is: `backend/progress.rs`; where the keys of a merge are meanwhile: `backend/merge_keys.rs`
//! - [`engine`]: the one builder of a query session
//!   - sessions, memory limit, spilling, UTC as time zone: `engine/mod.rs`; peak memory: `engine/memory.rs`
//!   - SQL to a plan: `engine/query.rs`; what its names stand for: `engine/bindings.rs`; from a call such as
//!     `session_knn` to `udfs/src/relation/exec.rs`: `engine/planner.rs`
//!   - `changes('…')`, `previous`, `latest`, `table_version`: `engine/functions.rs` (their rows come from
//!     `pipeline/inputs/step_bindings.rs`)
//!   - files by name (`from 'events.csv'`, `read_csv`): `engine/files/table.rs`; formats: `engine/files/format.rs`
//!   - patterns of files, `~`: `engine/files/paths.rs`; options in a call: `engine/files/call.rs`
//!   - byte order marks of JSON files: `engine/files/marked.rs`; UTF-16: `engine/files/table.rs`
//!   - refused wrong answers of DataFusion: `engine/known_wrong/mod.rs`; `not in` with NULL: `engine/not_in.rs`
//!   - `sum(null)`: `engine/typed_nulls.rs`; registration of all functions: `engine/functions.rs`; their documentation:
//!     `engine/help.rs`
//!   - inputs of a union one after another, with one thread: `engine/one_by_one.rs`
//!   - large batches of a join, at its end, split up: `engine/split_joined.rs`
//!   - checked sums (overflow): `engine/checked_sum/mod.rs`; `at time zone`: `engine/rewrite_statement.rs`
//! - [`lake`]: Delta tables: what changed in them, and one commit per step
//!   - one atomic commit, its lost reply, a compaction meanwhile: `lake/commit.rs`
//!   - data files, their compression and size, `partition_by`, values that do not fit (`conform`): `lake/write.rs`
//!   - a lake opened, whether it can be written: `lake/lake.rs`; log entries, truncated ones: `lake/log_entry.rs`
//!   - merge (upsert), keys with many rows: `lake/merge.rs`; old rows replaced, those with a NULL key kept:
//!     `lake/old_rows.rs`; on a cluster: `lake/merge_plans.rs`
//!   - keys of a merge, NULL ones, `delete`: `lake/merge_keys.rs`; rows that arrived since a version: `lake/changes.rs`
//!   - what input positions are called and how they are read back: `lake/positions.rs`; stored in one commit with the
//!     rows (exactly once): `lake/commit.rs`; those of the last commit, from the log: `lake/read_last_commit.rs`
//!   - commits of other engines: `lake/foreign_commits.rs`; deletion vectors, column mapping refused:
//!     `lake/data_files_scan.rs`
//!   - deduplication key filter: `lake/keys/filters.rs` (its share of memory: `cli/run.rs`); whether a table is read
//!     with it: `lake/provider.rs`; joins that use it: `lake/keys/rule.rs`; too many keys for it: `lake/keys/set.rs`
//!   - data files ruled out by date (statistics): `lake/keys/times.rs`; types that Delta can store: `lake/schema.rs`
//!   - compaction, `cluster_by`: `lake/compact.rs`; checkpoints, cleanup of the log: `lake/maintain.rs`
//!   - retention (`retain`, `log_retain`), its defaults: `config/maintenance.rs`; of less than a day: `cli/vacuum.rs`
//!   - old events (`retain_events`): `lake/expire.rs`; every file below the lake: `lake/all_files.rs`
//!   - vacuum: `lake/vacuum.rs`, when due: `lake/maintain.rs`; history of commits: `lake/history.rs`
//!   - time travel: `lake/time_travel.rs`; damaged (torn) log, missing checkpoint: `lake/diagnose.rs`
//!   - logs kept open in memory: `lake/log_cache.rs`
//! - [`store`]: the object store of a lake, and access to it
//!   - requests that fail (429, 5xx, timeouts) are repeated by the store's own client (`store/cloud.rs`); a batch that
//!     still fails, by `--follow` (`pipeline/follow/backoff.rs`)
//!   - tokens that expire: `store/renewed.rs`; refusals explained: `store/refusal.rs`; cache: `store/cached.rs`
//!   - permissions probed, stores that overwrite files: `store/permissions.rs`; injected faults: `store/faults.rs`
//! - [`failpoint`]: moments at which a test can make the program die: `failpoint.rs`
//! - [`config`]: `pipelines.yaml`, validated
//!   - keys of the file, unknown ones and wrong types refused with their line (`problem`), JSON schema: `config/raw.rs`
//!   - targets; malformed steps, keys that a mode does not allow, tables written twice, reserved layers refused:
//!     `config/validate.rs`
//!   - expectations: malformed ones refused with their line, the others made queries (NULL in them):
//!     `config/validate_expectation.rs`; unknown keys and wrong types in them: `config/raw_expectation.rs`, placed by
//!     `config/raw.rs` (`problem`)
//!   - `timezone`, unknown ones refused: `config/validate_time_zone.rs`; local days and hours, clock changes (in SQL,
//!     `at time zone`): `config/time_zone.rs`
//!   - malformed names of tables refused, mistyped words: `config/table_name.rs`
//!   - malformed counts and sizes, a `retain` that is too short refused: `config/validate_maintenance.rs`
//!   - malformed times, an empty `trigger` refused: `config/validate_trigger.rs`; its defaults: `config/project.rs`
//!   - shares (`5%`) parsed: `config/share.rs`, malformed ones refused: `config/validate.rs` (`share`)
//!   - malformed parts of the score, unknown tables refused: `config/validate_recommender.rs`
//!   - malformed sources refused: `config/validate_source.rs`; a malformed `engine`: `config/validate_engine.rs`
//!   - credentials in the file refused: `config/validate_credentials.rs` (which: `settings/credential.rs`)
//! - [`inspect`]: what a sample of events holds, and a project that reads it (`init --from`); files for `evaluate`
//!   - files, folders, topics, and their format: `inspect/locate.rs`, with guesses of `sources/formats/guess.rs`
//!   - records that are not JSON objects (Avro, Protobuf), JSON after a schema ID: `inspect/sample.rs`
//!   - fields of records, their types and values: `inspect/shape.rs`; notations of times: `inspect/times.rs`
//!   - names that fields have (`visitorid`, `sku`, …): `inspect/names.rs`; of events: `inspect/kinds.rs`
//!   - fields chosen, by names and values: `inspect/roles.rs`; by somebody (`evaluate --field`): `inspect/choose.rs`
//!   - lists that become rows: `inspect/infer.rs`
//!   - known schemas (`--preset`): `inspect/presets/`; what a mapping makes of a record: `inspect/interpret.rs`
//!   - SQL written: `inspect/generate/clicks_sql.rs`; its comments: `inspect/generate/comments.rs`
//! - [`settings`]: values of a configuration file
//!   - variables `${…}`: `settings/interpolate.rs`; one that is not set, its message and line: `settings/values.rs`
//!   - values from the environment, `.env`, files, secrets by command: `settings/environment.rs`
//!   - credentials hidden in errors and logs: `settings/redact.rs`; `var('…')` of SQL: `udfs/src/variables.rs`
//! - [`plural`]: numbers with their nouns, for messages: `1 row`, `2 rows`
//! - [`sources`]: where records come from: kinds of sources (Kafka, files) and formats of files
//!   - columns of a record, NULL values, size of a batch: `sources/record.rs`
//!   - `--accept-loss`, errors of sources: `sources/source.rs`; `changes('SOURCE')` in the shell, the column `source`:
//!     `sources/table.rs`
//!   - a new kind of source: `sources/kind.rs`; a new format: `sources/formats/mod.rs`
//!   - lists and patterns of topics: `sources/kafka/topics.rs`; new ones that match, found: `sources/kafka/describe.rs`
//!   - offsets of topics to read, partitions added, a limited batch: `sources/kafka/source.rs`; dealt out to readers:
//!     `sources/kafka/scan.rs`
//!   - expired records: `sources/kafka/lost_records.rs`; a topic deleted, created again: `sources/kafka/recreated.rs`;
//!     deleted, of a pattern: `sources/kafka/deleted.rs`
//!   - records read, gaps in offsets (compaction, transaction markers), silent brokers, backpressure, times beyond the
//!     calendar: `sources/kafka/reader.rs`
//!   - `--from-timestamp`: `sources/kafka/times.rs`; filters on topic, partition, offset and time pushed down:
//!     `sources/kafka/filters.rs`
//!   - settings (`options`): `sources/kafka/settings.rs`; SASL, TLS, client certificates:
//!     `sources/kafka/security/settings.rs`; mechanisms that are not built in: `sources/kafka/security/mechanism.rs`
//!   - OAuth: tokens shared and renewed: `sources/kafka/oauth/tokens.rs`; requested, refused:
//!     `sources/kafka/oauth/endpoint.rs`
//!   - clients, timeouts, retries, memory of a consumer, aborted transactions: `sources/kafka/client.rs`
//!   - errors of brokers explained: `sources/kafka/cause.rs`; certificates: `sources/kafka/native/certificate.rs`
//!   - schemas of Avro and Protobuf values, by ID, and those that they refer to:
//!     `sources/schema_registry/registry.rs`; settings of a registry, schemas in files:
//!     `sources/schema_registry/settings.rs`; one that does not answer: `sources/schema_registry/client.rs`; HTTP
//!     requests repeated: `sources/http.rs`
//!   - topics as a table, tombstones, `delete` and `update` refused: `sources/kafka/kafka_table.rs`
//!   - rows of `insert into` as records, what cannot be written: `sources/kafka/inserted_rows.rs`; headers that it
//!     would lose: `sources/dropped_headers.rs`; records sent to their topics: `sources/kafka/topic_sink.rs`, by
//!     `sources/kafka/producer.rs`
//!   - records that are refused or not delivered (too large): `sources/kafka/undelivered.rs`
//!   - `--create-topic`: `sources/kafka/create_topic.rs`; embedded broker: `sources/kafka/embedded.rs`
//!   - what is new in files; replaced files refused, incomplete last lines warned of: `sources/files/new_lines.rs`
//!   - renamed and rotated files: `sources/files/rotation.rs`; grown files recognized: `sources/files/compare.rs`
//!   - a damaged file, read up to the damage (recognized by `sources/files/codec.rs`); records that are too long:
//!     `sources/files/pass.rs`
//!   - files that are rewritten as a whole (`mode: snapshot`): `sources/files/snapshot.rs`; truncated texts:
//!     `sources/files/whole_text.rs`; which mode a step needs then: `pipeline/dag.rs` (`check_changes`)
//!   - Parquet, Avro and Arrow files, counted and compared as a whole: `sources/files/tables.rs`; decoded while their
//!     rows become records: `sources/files/decoding.rs`; damage found by a step: `pipeline/run_step.rs`, or not looked
//!     for, as it read less: `sources/unproven.rs`, `pipeline/step/commit.rs`
//!   - rows of such files as JSON, type by type: `udfs/src/json_rows/mod.rs`; records counted:
//!     `sources/formats/counter.rs`
//!   - compression: `sources/files/codec.rs`; a file next to its compressed copy, other files of the same content:
//!     `sources/files/copies.rs`
//!   - files of a folder or pattern, unchanged ones not opened (size, times, inode): `sources/files/listing.rs`
//!   - names that are skipped: `sources/files/names.rs`; content as identity: `sources/files/fingerprint.rs`
//!   - first bytes and records of files: `sources/files/sample.rs`
//!   - files that change while they are read: `sources/files/scan.rs`; times of records: `sources/files/pending.rs`
//!   - byte order marks, empty lines: `sources/formats/lines.rs`; incomplete last lines: `sources/formats/ndjson.rs`
//!   - files that are not of their declared format: `sources/formats/magic.rs`; pretty JSON: `sources/formats/json.rs`
//!   - CSV: its options: `sources/formats/csv/dialect.rs`; its header: `sources/formats/csv/header.rs`; line breaks in
//!     quotes, comments: `sources/formats/csv/row_ends.rs`; rows with too few or too many fields, missing values:
//!     `sources/formats/csv/objects.rs`
//! - `sql/`: the shipped project; SQL functions are in `udfs/src/lib.rs`, which has a list like this one
//!   - why records are rejected, how far ahead a clock may be: `sql/silver/clicks.sql`
//!   - ids that stand for nobody (`undefined`, `0`): `sql/silver/clicks.sql`, `inspect/nobody.rs`
//!   - deduplication, late events, sessions (30 minutes of silence, midnight, campaigns, several people, logins, events
//!     without a session id): `sql/silver/events.sql`, over `udfs/src/visits/`
//!   - people: logins, anonymous ids (identity resolution): `sql/silver/people.sql`
//!   - machines and tests (bots, crawlers, user agents, rates), left out of Gold: `sql/silver/excluded_sessions.sql`;
//!     counted by day: `sql/gold/excluded.sql`; answered all the same: `recommender/events_to_requests.rs`
//!   - a person's earlier sessions in recommendations: `sql/gold/requests.sql`
//!   - sessions that a batch touched: `sql/gold/touched_sessions.sql`
//!   - days and hours of the shop's time zone: `sql/gold/engagement.sql`, `sql/gold/item_activity.sql` (late events)
//!   - repeated or conflicting deliveries: `sql/silver/unaccepted.sql`
//!   - the catalog of items: `sql/gold/items.sql`; hidden items, those out of stock: `sql/gold/item_rules.sql`
//!   - weights of events, fading interest, dislikes: `sql/gold/session_items.sql`; types that are accepted:
//!     `sql/silver/clicks.sql`
//!   - ranks, items that fade: `sql/gold/item_popularity.sql`; items that rise: `sql/gold/item_trends.sql`
//!   - number of iterations, factors, seed: `sql/gold/als_factors.sql`, `udfs/src/als/params.rs` (the defaults)
//!   - blend of models, ties, items seen, new visitors (cold start), wrong clocks, the last 180 days, items of one
//!     category, rare items: `sql/gold/recommendations.sql`

pub mod backend;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod docs;
pub mod engine;
pub mod erase;
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
