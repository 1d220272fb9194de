//! Models of sessions as sequences, independent of SQL and Arrow: they use the order of clicks, which a matrix ignores.
//!
//! - [`SessionHistory`]: past sessions, and for each item the newest sessions containing it.
//! - [`SessionKnn`]: the items clicked in the most similar sessions.

mod history;
mod knn;
#[cfg(test)]
mod tests;

pub use history::{Click, SessionHistory, history_bytes};
pub use knn::{KnnParams, SessionKnn};
