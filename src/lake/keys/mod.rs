//! Which data files can hold the keys that a join looks for, so that the cost of a small batch does not grow with the
//! table: `new events left anti join earlier events` opens the files that may hold one of the new events, and no other.
//!
//! - [`KeyFilters`]: for a column of a data file, a binary fuse filter of its values. Data files never change, so a
//!   filter is right for ever; it comes about while the file is read for the first time, and is kept in memory. Where a
//!   predicate leaves rows out, the filter is of the rows that are left, and serves reads with that predicate.
//! - [`KeySet`] and `tap`: the keys of a join's build side, noted as they pass.
//! - `times`: where a join compares a date or a time too (`and new.event_date = earlier.event_date`), files of other times
//!   are left alone by the statistics in the log, and no filter of them is needed: what is looked at stays the same however
//!   far back the table goes.
//! - `scan`: the plan leaf that reads a table file by file, once the keys are known.
//! - [`PruneByKeys`]: the optimizer rule that puts a tap and a leaf together where a join allows it.
//!
//! A filter says of about one key in four billion that a file may hold it which does not: then the file is read for nothing,
//! and the join finds no match. It never says no of a key that is there, so results are the same with and without.

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
