//! The Delta tables of the lake: opening them, finding what changed in them, and committing each step once.
//!
//! Opening and reading:
//!
//! - [`Lake`] (`lake`): opens tables; `log_cache`: the logs of those it opened before; `diagnose`: why one does not
//!   open.
//! - [`LakeTable`] (`table`): a table as of that moment; [`At`] (`time_travel`): versions and times;
//!   [`schema`](mod@schema): which columns a table can store.
//! - `provider`: a table in a session; `data_files`: what its log lists; [`DataFilesScan`]: some of its data files,
//!   through `file_reads`; [`keys`]: which data files can hold the keys being looked up.
//! - [`Changes`]: the rows that arrived after a version.
//! - [`LastCommit`]: how far the inputs of a table were read, and what others have done to it since
//!   (`foreign_commits`); `read_last_commit` reads it, entry by entry (`log_entry`).
//! - [`positions`]: how far inputs were read, as Delta application transactions.
//! - [`history`](fn@history): what each commit did.
//!
//! Writing, in the order of a step:
//!
//! - [`write`](mod@write): writes a plan's rows to data files that no reader sees yet; [`WriteExec`]: the same in plans
//!   that run in other processes.
//! - [`Merge`]: takes the keys out of these rows (`merge_keys`), finds the files with old rows of these keys and what
//!   remains of them (`old_rows`); `merge_plans`: the same as plans for other processes.
//! - [`Commit`]: files and input positions become visible together, or not at all; `commit_keys`: what it says of
//!   itself.
//!
//! Afterward:
//!
//! - [`maintain`](fn@maintain): does whatever is due: [`compact`](fn@compact) combines small files into larger ones,
//!   [`vacuum`](fn@vacuum) deletes files that no version needs; `expire` takes out files of old events.
//!
//! Rows of a person, for good:
//!
//! - [`erase`](fn@erase): takes them out of the current version; [`purge`](fn@purge): deletes what old versions and the
//!   log hold; [`LakeFile`] (`all_files`): every file below the lake, to search them.
//!
//! [`LakeError`] (`error`): why the lake could not be read or written.
//!
//! The module knows nothing about steps or SQL files: callers pass in what to write.

mod all_files;
mod changes;
mod commit;
mod commit_keys;
mod compact;
mod data_files;
mod data_files_scan;
mod diagnose;
mod erase;
mod error;
mod expire;
mod file_reads;
mod foreign_commits;
mod history;
pub mod keys;
#[expect(clippy::module_inception, reason = "it holds `Lake`, the lake itself")]
mod lake;
mod last_commit;
mod log_cache;
mod log_entry;
mod maintain;
mod merge;
mod merge_keys;
mod merge_plans;
mod old_rows;
pub mod positions;
mod provider;
mod purge;
mod read_last_commit;
pub mod schema;
mod table;
#[cfg(test)]
mod tests;
mod time_travel;
mod vacuum;
pub mod write;
mod write_exec;

pub use all_files::LakeFile;
pub use changes::{Changes, Replaced};
pub use commit::{Commit, CommitMode, append};
pub use compact::{Compacted, Compaction, compact, compactable};
pub use data_files_scan::DataFilesScan;
pub use erase::{Erased, Holding, erase, holding};
pub use error::LakeError;
pub use foreign_commits::{ForeignCommit, Version};
pub use history::{CommitSummary, history};
pub use lake::Lake;
pub use last_commit::{LastCommit, Restored};
pub use maintain::{Maintained, Upkeep, maintain};
pub use merge::Merge;
pub use merge_keys::NullKeys;
pub use purge::{Purged, purge, unnamed_files};
pub use table::{LakeTable, SYSTEM_LAYER};
pub use time_travel::{At, NotAMoment};
pub use vacuum::{UnusedFile, unused_files, vacuum};
pub use write_exec::{KeyFiles, MergeKey, WriteExec, WriteTo, written};
