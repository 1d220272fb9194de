//! Finds the data files that can hold the keys a join looks up, so that the cost of a small batch does not grow with
//! the table: `new events left anti join earlier events` opens only the files that may hold one of the new events.
//!
//! This is for processes that run steps again and again, and keep the filters meanwhile (`lake.rs`, `with_memory`):
//! `run --follow` and the shell. A plain `clickrec run` starts without filters, and reads with the Delta library's
//! scan; so does a step that is rebuilt. Plans for a cluster have no filters either. `provider.rs` (`lookup_provider`)
//! decides.
//!
//! - [`KeyFilters`]: a binary fuse filter of the values of one column in one data file. Data files never change, so a
//!   filter never goes stale. It is built when the file is first read, and kept in memory. If a predicate filters rows,
//!   the filter covers only the rows that pass, and serves only reads with that predicate.
//! - [`KeySet`] and `tap`: collect the keys of a join's build side as they pass.
//! - `times`: if a join also compares a date or a time (`and new.event_date = earlier.event_date`), the statistics in
//!   the log rule out files of other times, and no filter is needed for them. The number of files considered stays the
//!   same no matter how far back the table goes.
//! - `scan`: the plan leaf that reads a table file by file, once the keys are known.
//! - [`PruneByKeys`]: the optimizer rule that connects a tap and a leaf where a join allows it.
//!
//! About one lookup in four billion is a false positive: the file is read for nothing, and the join finds no match.
//! There are no false negatives, so results are the same with and without filters.

mod filters;
mod rule;
mod scan;
mod set;
mod tap;
#[cfg(test)]
mod tests;
mod times;

pub use filters::KeyFilters;
pub use rule::PruneByKeys;
pub(super) use scan::KeyScanExec;
pub use set::KeySet;
pub(super) use times::{is_time, spans};
