//! Visits: where the sessions of an ID begin and end, and which session takes in an event that names none. Independent
//! of DataFusion; the functions are `udfs/src/functions/cut_session.rs` and `udfs/src/functions/join_session.rs`.
//!
//! - `cut`: the sessions of one session ID: silence, midnight, another person, another campaign.
//! - `join`: the events of one user: those without a session join a session that is open, or form visits of their own.
//! - `name`: what sessions are called.
//! - `news`: which sessions new events may change.
//!
//! What an event's session is depends only on events that follow each other without a silence, so a late event changes
//! only the sessions around it. `sql/silver/events.sql` relies on this: it looks up no others. So silences are at most a
//! day.

mod cut;
mod event;
mod join;
mod name;
mod news;
#[cfg(test)]
mod tests;

pub use cut::{Session, cut};
pub use event::Event;
pub use join::{Joined, join};
pub use name::{inferred, later};
pub use news::affected;
