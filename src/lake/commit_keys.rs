//! What our commits say of themselves in the log (`clickrec.commit`, `clickrec.mode`, …).

/// The commit info key that holds the unique ID of a commit.
pub(super) const ID_KEY: &str = "clickrec.commit";

/// The commit info key that says how a commit changed the table.
pub const MODE_KEY: &str = "clickrec.mode";
pub(super) const MODE_MERGE: &str = "merge";
pub(super) const MODE_COMPACT: &str = "compact";
pub(super) const MODE_ERASE: &str = "erase";

/// The tag of a file that an erasure wrote: the path of the file whose remaining rows it holds.
pub(super) const REST_OF_KEY: &str = "clickrec.rest_of";

/// The commit info key that says which rows the logic of a step holds for, where it is not all of them: `forward`, or
/// the day of a backfill.
pub(super) const LOGIC_KEY: &str = "clickrec.logic";

/// The commit info key that holds the version of clickrec that made a commit.
pub const VERSION_KEY: &str = "clickrec.version";

/// The commit info key that holds the number of files a commit adds and removes. It reveals a log entry that was
/// truncated between two lines.
pub(super) const FILES_KEY: &str = "clickrec.files";
