//! SQL functions of clickrec. The crate depends on Arrow and DataFusion, but knows nothing about clickrec itself.
//!
//! Modules depend one way: `functions` on all others, `als_sql` on [`relation`], `factors_table` and [`als`]. The
//! program's engine registers the lists below.
//!
//! # Where to look
//!
//! Paths are relative to `udfs/src/`.
//!
//! - [`functions`]: one SQL function per file
//!   - which functions there are: `functions/mod.rs`; `changes('…')` and its like are in `src/engine/functions.rs`
//!   - JSON parsed, `schema: evolve` (values of another type), repeated fields: `functions/from_json/mod.rs`
//!   - types of declared columns, how deep they nest: `functions/columns/parser.rs`; paths (`$.user.id`):
//!     `functions/columns/path.rs`
//!   - why a record has no values: `functions/from_json/fault.rs`; large numbers: `functions/from_json/numbers.rs`;
//!     years of dates and times: `functions/from_json/leaf.rs`
//!   - fields that no column takes (`rest`): `functions/from_json/rest.rs`
//!   - values with a schema, asked for by its ID: `functions/by_schema/mod.rs` (requests for IDs that do not exist:
//!     `functions/by_schema/batch.rs`); the ID before a value or in a header: `functions/frame.rs`; values of several
//!     schemas, and values that are none, in one batch: `functions/by_schema/parts.rs`
//!   - Avro decoded: `functions/from_avro/mod.rs`; broken records: `functions/from_avro/decode.rs`; schemas that refer
//!     to others: `functions/from_avro/in_lined.rs`
//!   - Protobuf decoded: `functions/from_protobuf/mod.rs`; imports, which message a value is:
//!     `functions/from_protobuf/schema.rs`; default values, well-known types: `functions/from_protobuf/json.rs`;
//!     messages that nest too deep: `functions/from_protobuf/nesting.rs`
//!   - equal JSON made equal text: `functions/canonical_json.rs`; first delivery of an ID, rows without one:
//!     `functions/first_within.rs`
//!   - `try_to_timestamp`: `functions/conversions/to_timestamp.rs`; `try_to_date`: `functions/conversions/to_date.rs`;
//!     formats of times: `functions/conversions/formats.rs`; `try_decode`, …: `functions/conversions/tried.rs`
//!   - time zones, clock changes: `functions/conversions/at_time_zone.rs`
//!   - `try_add`, …: `functions/conversions/arithmetic.rs`; failing rows found: `functions/conversions/halves.rs`
//!   - `als_train`, its arguments and memory: `functions/als_train.rs`; warm start: `functions/warm_start.rs`
//!   - ranges of other arguments (`k`, `neighbors`, `steps`, …): `bind` in the file of the function
//!   - `recommend`, items seen left out, unknown ones skipped: `functions/recommend.rs`
//!   - similar items: `functions/similar_items.rs`
//!   - ranks and scores as rows: `functions/ranked.rs`
//!   - `session_knn`: `functions/session_knn.rs`; `item_transitions`: `functions/item_transitions.rs`
//!   - text IDs as numbers, NULLs in interactions refused: `functions/ids.rs`; in clicks: `functions/clicks.rs`
//!   - a model read as an argument, an empty one: `functions/model_argument.rs`
//! - [`als`]: alternating least squares, independent of DataFusion
//!   - training in memory, half-steps in parallel: `als/train.rs`
//!   - number of iterations, other hyperparameters, their defaults and ranges: `als/params.rs`
//!   - one row solved (conjugate gradients, Cholesky): `als/solve.rs`; block by block (iALS++): `als/block.rs`
//!   - the Gramian: `als/gramian.rs`; its diagonal coordinates: `als/spectrum.rs`; the loss: `als/loss.rs`
//!   - fold-in of sessions that training has not seen: `als/fold_in.rs`; random start, seed: `als/model.rs`
//!   - early stopping (`holdout`, `patience`), ties in it: `als/holdout.rs`
//!   - repeated pairs summed, sums of 0 left out: `als/interactions.rs`; dislikes (weights below 0): `als/mod.rs`,
//!     `als/solve.rs` (`right_side`)
//!   - search for the best items, ties: `als/top_k.rs`; in eight bits first: `als/quantized.rs`
//!   - vectorized inner loops: `als/kernels.rs`; matrix products: `als/product.rs`
//! - [`als_sql`]: the same with joins and aggregates, for data that does not fit in one process
//!   - the queries, half-step by half-step: `als_sql/train.rs`; rows solved by an aggregate: `als_sql/solve.rs`,
//!     over `als/row_solver.rs`
//!   - training rows refused (NULL, infinite weights): `als_sql/weight.rs`
//! - `factors_table`: the rows of a model: `factors_table/mod.rs`; its own description: `factors_table/model_row.rs`
//! - [`sessions`]: models of click order, also independent of DataFusion
//!   - neighbor sessions found and weighed, ties: `sessions/knn.rs`; past sessions, repeated and simultaneous clicks,
//!     inverted index: `sessions/history.rs`
//! - [`visits`]: where sessions begin and end, independent of DataFusion; the functions are `functions/cut_session.rs` and
//!   `functions/join_session.rs`, over `functions/whole_partition.rs`
//!   - silence, midnight, several people with one session id, campaigns, logins: `visits/cut.rs`
//!   - events without a session (purchases that the shop's server reports): `visits/join.rs`
//!   - names of sessions: `visits/name.rs`; written sessions that late events may change: `visits/news.rs`
//! - [`ranking`]: scored items, top-k selection, ties: `ranking.rs`
//! - [`variables`]: `var('NAME', …)`, values in SQL that can be overridden from outside: `variables.rs`
//! - [`relation`]: lets a table function take relations and named arguments, which DataFusion's own cannot
//!   - tables as arguments, before planning: `relation/rewrite.rs`; calls planned: `relation/planner.rs`
//!   - kinds, defaults and checks of arguments: `relation/arguments.rs`
//!   - calls run in parallel; models and indices kept between runs: `relation/exec.rs`
//!   - a call as a sequence of queries, for data that memory does not hold: `relation/by_queries.rs`
//! - [`json_rows`]: rows of tables as JSON objects, type by type: `json_rows/mod.rs`
//!   - texts escaped: `json_rows/text.rs`; times: `json_rows/times.rs`; dictionaries: `json_rows/chosen.rs`
//! - [`wire`]: helpers for plans that are sent to other processes: `wire.rs`; calls as bytes: `relation/wire.rs`

pub mod als;
pub mod als_sql;
mod factors_table;
pub mod functions;
pub mod json_rows;
pub mod ranking;
pub mod relation;
pub mod sessions;
pub mod variables;
pub mod visits;
pub mod wire;

pub use functions::{
    Framed, Guid, ProtobufSchema, Reference, RegisteredSchema, Schema, SchemaId, SchemaRegistry, SourceSchemas,
    UnknownItem, ValueSchemas, call_from_wire, framed, has_unions, parse_columns, relation_functions, relation_planner,
    relations_as_subqueries, scalar_functions, schema_function_documentation, schema_functions, window_functions,
};
pub use relation::{Distributed, FewRows, FunctionExec, extension_planner};
pub use variables::{Variables, substitute};
