//! The Delta tables of the lake: opening them, what changed in them, and one commit a step.
//!
//! - [`Lake`] and [`LakeTable`]: a table as of the moment it was opened.
//! - [`Changes`]: the rows that arrived after a version.
//! - [`LastCommit`]: how far the inputs of a table were read, and what others did to it since.
//! - [`write`](mod@write): a plan's rows into data files that no reader sees yet.
//! - [`WriteExec`]: the same in plans that run in other processes.
//! - [`Merge`]: which files a merge touches, and what is left of them.
//! - [`keys`]: which data files can hold the keys that are looked for.
//! - [`Commit`]: files and input positions become visible together, or not at all.
//! - [`compact`](fn@compact): small files into larger ones; [`vacuum`](fn@vacuum): files that no version needs;
//!   [`maintain`](fn@maintain): whatever is due.
//! - [`history`](fn@history): what each commit did; [`At`]: tables as they were.
//! - [`positions`]: how far inputs were read, as Delta application transactions.
//!
//! The module does not know steps or SQL files: it is told what to write.

mod at;
mod changes;
mod commit;
mod compact;
mod diagnose;
mod error;
mod files;
mod history;
pub mod keys;
mod last_commit;
mod log_entry;
mod maintain;
mod merge;
mod merge_keys;
mod merge_plans;
mod opened;
pub mod positions;
pub mod schema;
mod table;
#[cfg(test)]
mod tests;
mod vacuum;
pub mod write;
mod write_exec;

pub use at::{At, NotAMoment};
pub use changes::{Changes, Replaced};
pub use commit::{Commit, CommitMode, append};
pub use compact::{Compacted, Compaction, compact, compactable};
pub use error::LakeError;
pub use files::DataFilesScan;
pub use history::{CommitSummary, history};
pub use last_commit::{LastCommit, Restored};
pub use log_entry::{ForeignCommit, SYSTEM_LAYER};
pub use maintain::{Maintained, Upkeep, maintain};
pub use merge::Merge;
pub use merge_keys::NullKeys;
pub use table::{Lake, LakeTable, Version};
pub use vacuum::{UnusedFile, unused_files, vacuum};
pub use write_exec::{KeyFiles, MergeKey, WriteExec, WriteTo, written};
