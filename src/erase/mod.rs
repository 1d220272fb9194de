//! Erases people from the lake: their records, what was made of them, and what old versions and logs hold
//! (`docs/erasure.md`).
//!
//! - [`Ids`] (`ids`): whose rows.
//! - `person`: what else is known of them (sessions, places of records), from the columns of the `tables`.
//! - `condition`: which rows of a table are theirs; `mentions`, `words`: ids in text and bytes.
//! - [`Eraser`] (`eraser`): counts the rows, or takes them out, in an order that lets nothing come back.
//! - `receipts`: what is kept of it, in `system.erasures`; [`Key`]: what hides the ids there.
//! - [`Searched`] (`search`): every byte below the lake.
//!
//! `lake/erase.rs` and `lake/purge.rs` change the tables; `pipeline/after_erasure.rs` computes counts again.

mod condition;
mod eraser;
mod error;
mod ids;
mod mentions;
mod person;
mod receipts;
mod search;
mod tables;
mod words;

pub use eraser::{Counted, Eraser, Erasure, Plan};
pub use error::ErasureError;
pub use ids::Ids;
pub use receipts::Key;
pub use search::{Found, NOT_READABLE, Searched};
