//! SQL functions of clickrec. The crate depends on Arrow and DataFusion, but knows nothing about clickrec itself.
//!
//! - [`als`]: alternating least squares, independent of DataFusion.
//! - [`als_sql`]: the same with joins and aggregates, for data that does not fit in one process.
//! - `factors_table`: the rows of a model.
//! - [`sessions`]: models of click order (neighbouring sessions), also independent of DataFusion.
//! - [`ranking`]: scored items, and top-k selection.
//! - [`functions`]: one SQL function per file.
//! - [`variables`]: values in SQL that can be overridden from outside.
//! - [`wire`]: helpers for plans that are sent to other processes.
//! - [`relation`]: lets a table function take relations and named arguments, which DataFusion's own cannot.
//!
//! Modules depend one way: `functions` on all others, `als_sql` on [`relation`], `factors_table` and [`als`].
//!
//! The program's engine registers the lists below.

pub mod als;
pub mod als_sql;
mod factors_table;
pub mod functions;
pub mod ranking;
pub mod relation;
pub mod sessions;
pub mod variables;
pub mod wire;

pub use functions::{
    UnknownItem, call_from_wire, parse_columns, relation_functions, relation_planner, relations_as_subqueries,
    scalar_functions, window_functions,
};
pub use relation::{Distributed, FewRows, FunctionExec, extension_planner};
pub use variables::{Variables, substitute};
