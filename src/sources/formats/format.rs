//! What a format of files has to say: its name, its extensions, where records end, and how they are counted and read.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use datafusion::error::Result;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use super::lines::{LineCounter, LineEnds};
use super::{Counter, Ends, Splitter, Start, TableFile, magic};

/// How the records of a file are laid out.
pub trait Format: Debug + Send + Sync {
    /// Its name in `pipelines.yaml`.
    fn name(&self) -> &'static str;

    /// The extensions of the files that are read from a folder, in lower case.
    fn endings(&self) -> &'static [&'static str];

    /// If a file cannot have this format, judging by its first bytes: what it is, and what to do about it.
    fn foreign(&self, first: &[u8]) -> Option<&'static str> {
        magic::known(first)
    }

    /// What reads it.
    fn layout(&self) -> Layout<'_>;
}

/// The two kinds of formats.
pub enum Layout<'a> {
    /// Records follow one another in a text, which may be compressed and may grow.
    Text(&'a dyn TextFormat),
    /// The file is a table, written as a whole, and perhaps compressed inside.
    Table(&'a dyn TableFormat),
}

/// A format of text. Unless it says otherwise, a record is a line.
///
/// Counting and reading must agree: the records are counted first, so that the positions to commit are known, and the
/// same bytes are read later.
pub trait TextFormat: Send + Sync {
    /// Finds the ends of records. Everything up to there may be read, even if the file grows later; a format whose
    /// files are written as a whole has no such place.
    fn ends(&self) -> Box<dyn Ends> {
        Box::<LineEnds>::default()
    }

    /// Whether the text after the last end is complete, too, although the file may still grow.
    fn is_complete(&self, rest: &[u8]) -> bool;

    /// Whether the text after the last end holds no record, and gives way to the next one, like the bracket that closes
    /// an array. It is read with the record that takes its place.
    fn is_closing(&self, _rest: &[u8]) -> bool {
        false
    }

    /// Whether the text after the last end shows that a file which is written as a whole was cut off. What [`Ends`] can
    /// tell, [`Ends::is_open`] does.
    fn is_cut_off(&self, _rest: &[u8]) -> bool {
        false
    }

    /// A warning: the last bytes of a file have been incomplete for long, and are not read.
    fn unfinished(&self, place: &str, bytes: u64) -> String;

    /// Counts the records of a text. A head is none.
    fn counter(&self, start: Start) -> Box<dyn Counter> {
        Box::new(LineCounter::new(start))
    }

    /// Whether the text up to the first end says what the records consist of.
    fn has_head(&self) -> bool {
        false
    }

    /// Reads the records of a text of a file with this head; it is empty for a format without one.
    fn splitter(&self, head: &[u8]) -> Box<dyn Splitter>;
}

/// The rows of a table, in order.
pub type Batches = BoxStream<'static, Result<RecordBatch>>;

/// A format of tables. Each row is a record.
pub trait TableFormat: Send + Sync {
    /// Reads a table piece by piece, never the whole file at once.
    ///
    /// # Errors
    /// An error that an [`object_store::Error`] caused comes from the store; any other means that the file is damaged,
    /// incomplete, or has something that cannot be read.
    fn batches(&self, file: TableFile) -> Batches;

    /// How many rows a table says that it has. Decodes none of them, so that it need not notice damage.
    ///
    /// # Errors
    /// As [`TableFormat::batches`].
    fn rows(&self, file: TableFile) -> BoxFuture<'static, Result<u64>>;
}
