//! The Delta tables of the lake: opening them, finding what changed in them, and committing each step once.
//!
//! - [`Lake`]: opens tables, and `diagnose` says why one does not open; [`LakeTable`]: a table as of that moment.
//! - `provider`: a table in a session; [`DataFilesScan`]: some of its data files.
//! - [`Changes`]: the rows that arrived after a version.
//! - [`LastCommit`]: how far the inputs of a table were read, and what others have done to it since; `log_entry`: one
//!   entry of its log.
//! - [`write`](mod@write): writes a plan's rows to data files that no reader sees yet.
//! - [`WriteExec`]: the same in plans that run in other processes.
//! - [`Merge`]: which files a merge touches, and which of their rows remain.
//! - [`keys`]: which data files can hold the keys being looked up.
//! - [`Commit`]: files and input positions become visible together, or not at all.
//! - [`compact`](fn@compact): combines small files into larger ones; [`vacuum`](fn@vacuum): deletes files that no
//!   version needs; [`maintain`](fn@maintain): does whatever is due.
//! - [`history`](fn@history): what each commit did; [`At`]: time travel.
//! - [`positions`]: how far inputs were read, as Delta application transactions.
//!
//! The module knows nothing about steps or SQL files: callers pass in what to write.

mod at;
mod changes;
mod commit;
mod commit_keys;
mod commits;
mod compact;
mod data_files;
mod diagnose;
mod error;
mod file_reads;
mod files;
mod folder;
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
mod provider;
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
pub use commits::{ForeignCommit, LastCommit, Restored, Version};
pub use compact::{Compacted, Compaction, compact, compactable};
pub use error::LakeError;
pub use files::DataFilesScan;
pub use folder::Lake;
pub use history::{CommitSummary, history};
pub use maintain::{Maintained, Upkeep, maintain};
pub use merge::Merge;
pub use merge_keys::NullKeys;
pub use table::{LakeTable, SYSTEM_LAYER};
pub use vacuum::{UnusedFile, unused_files, vacuum};
pub use write_exec::{KeyFiles, MergeKey, WriteExec, WriteTo, written};
