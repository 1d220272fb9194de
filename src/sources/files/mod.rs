//! Files of records as a source: a growing folder is read like a topic.
//!
//! A file maps to a topic: its path relative to the project's folder is the topic, 0 is the partition, and the number
//! of the line or row is the offset. Files are recognized by content, not by name. A file whose metadata is unchanged
//! is not opened again. If a file has grown, reading continues where it stopped. A file that was renamed, compressed or
//! rotated continues under its new name. A file whose content was replaced is refused. A damaged text is read up to the
//! damage (`codec` recognizes it, and `pass` ends there), a damaged table not at all (`tables`); `new_lines` warns, and
//! the rest is skipped until the file changes.
//!
//! - [`FilesSource`] (`files_source`): the files of a source, and how to reach them; `pending`: what is pending in
//!   them.
//! - `listing`: lists the files; `names`: what file names mean.
//! - `new_lines`: what is new in the files. It recognizes growth by calling `compare`, which compares a file with what
//!   was read of it (`appended`: samples of it, if the file is large).
//! - `rotation`: files that were renamed, rotated, or copied and cut (`copytruncate`).
//! - `snapshot`: what is pending in files that are rewritten as a whole (`mode: snapshot`), all or nothing;
//!   `newest`: their newest state; `whole_text`: goes through a text that has to be whole.
//! - `file_range`: the records of one file to read.
//! - `copies`: files that exist both plain and compressed.
//! - `compare`: opens files; `codec`: decompresses them; `pass`: goes through their text once, to count the records and
//!   compare; `tables`: the same for files that hold a table.
//! - `fingerprint`: identifies the content of a file.
//! - `read_so_far`: how far the files were read, as positions.
//! - `scan`: the plan leaf that reads them; `decoding`: decodes a table meanwhile; `sample`: a look at their first bytes
//!   and records.
//! - `settings`: the settings of files in `pipelines.yaml`; `kind`: the kind of the files source.
//! - `wire`: the plan leaf as bytes, for another process.
//!
//! The format of a text determines where its records begin and end ([`formats`](super::formats)); a table is read as a
//! whole.
//!
//! New records are counted before they are read, so that the positions to commit are known at planning time. The new
//! part of a plain file, and all of a compressed one, is therefore read twice. So is a table, unless its own word for
//! the number of its rows is taken; then damage that is found while it is read ends the scan, and it is counted again.

mod codec;
mod compare;
mod copies;
mod decoding;
mod file_range;
mod files_source;
mod fingerprint;
mod kind;
mod listing;
mod names;
mod new_lines;
mod newest;
mod pass;
mod pending;
mod read_so_far;
mod rotation;
mod sample;
mod scan;
mod settings;
mod snapshot;
mod tables;
#[cfg(test)]
mod tests;
mod whole_text;
mod wire;

pub use files_source::FilesSource;
pub(crate) use kind::Files;
pub use names::{is_pattern, is_read_from_folders};
pub use scan::FilesScan;
pub use settings::FilesConfig;
pub(crate) use settings::RawFiles;
