//! SQL functions of clickrec. The crate knows Arrow and DataFusion, and nothing of clickrec itself.
//!
//! - [`als`]: the mathematics of the recommender, free of DataFusion.
//! - [`functions`]: one SQL function a file.
//! - [`relation`]: how a table function takes relations and named arguments, which DataFusion's own cannot.
//!
//! The lists below are registered by the program's engine.

pub mod als;
pub mod functions;
pub mod relation;

pub use functions::{parse_columns, relation_functions, scalar_functions};
pub use relation::{extension_planner, relation_planner, relations_as_subqueries};
