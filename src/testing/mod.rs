//! Unit tests of a project's SQL: rows that a step is given, and rows that are expected of it. All tables are in memory;
//! a test takes milliseconds.
//!
//! - `raw`: a test file as written; every value knows its line.
//! - `rows`, `cells`, `data_file`: written rows into Arrow, in the types of the project's own tables.
//! - `input`: what a step's SQL reads, and so what a test may give.
//! - `load`, `prepare`, `batch`: a written test into a [`Test`]; all that is wrong with it has its place in the file.
//! - `cte`: the statement that gives the rows of one CTE.
//! - [`Diff`]: what was expected beside what was found.
//! - [`generate`](mod@generate): a test from rows of the lake.

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
