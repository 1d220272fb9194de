//! Models of sessions as sequences, free of SQL and Arrow: what the order of clicks says that a matrix does not.
//!
//! - [`SessionHistory`]: past sessions, and for each item the newest sessions that have it.
//! - [`SessionKnn`]: what the sessions most like this one clicked.
//! - [`transitions`]: what follows an item.

mod history;
mod knn;
#[cfg(test)]
mod tests;
mod transitions;

pub use history::{Click, SessionHistory, history_bytes};
pub use knn::{KnnParams, SessionKnn};
pub use transitions::{Transition, transitions};
