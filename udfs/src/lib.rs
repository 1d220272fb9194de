//! SQL functions of clickrec. The crate knows Arrow and DataFusion, and nothing of clickrec itself.
//!
//! - [`als`]: alternating least squares, free of DataFusion.
//! - [`als_sql`]: the same with joins and aggregates, for more than one memory holds.
//! - [`sessions`]: models of the order of clicks (neighbouring sessions, transitions), free of DataFusion too.
//! - [`ranking`]: scored items, and the best few of many.
//! - [`functions`]: one SQL function a file.
//! - [`variables`]: values in SQL that can be changed from outside.
//! - [`wire`]: for plans that are sent to other processes.
//! - [`relation`]: how a table function takes relations and named arguments, which DataFusion's own cannot.
//!
//! The lists below are registered by the program's engine.

pub mod als;
pub mod als_sql;
pub mod functions;
pub mod ranking;
pub mod relation;
pub mod sessions;
pub mod variables;
pub mod wire;

pub use functions::{parse_columns, relation_functions, scalar_functions, window_functions};
pub use relation::{Distributed, FewRows, FunctionExec, extension_planner, relation_planner, relations_as_subqueries};
pub use variables::{Variables, substitute};
