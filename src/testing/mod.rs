//! Unit tests of a project's SQL: a step is given some rows, and its result is compared with the expected ones. All
//! tables are in memory; a test takes milliseconds.
//!
//! - `raw`: a test file as written; every value knows its line.
//! - `rows`, `cells`, `data_file`: convert written rows to Arrow, with the types of the project's own tables.
//! - `input`: what a step's SQL reads, and therefore what a test may give.
//! - `load`, `prepare`, `batch`: turn a written test into a [`Test`]; all errors point to a location in the file.
//! - `cte`: a statement that returns the rows of one CTE.
//! - [`Diff`]: the expected next to the actual rows.
//! - [`generate`](mod@generate): generates a test from rows of the lake.

mod batch;
mod cells;
mod cte;
mod data_file;
mod diff;
mod error;
pub mod generate;
mod input;
mod load;
mod prepare;
mod raw;
mod rows;
mod test;
mod yaml;

pub use diff::{Change, Diff, DiffRow};
pub use error::TestingError;
pub use load::load;
pub use test::{Failure, Outcome, Test};
