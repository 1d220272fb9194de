//! What a format of files has to say: its name, its extensions, where records end, and how they are counted and read.

use std::fmt::Debug;

use super::{Counter, Splitter, Start, lines};

/// A layout of records in a file. Unless a format says otherwise, a record is a line.
///
/// Counting and reading must agree: the records are counted first, so that the positions to commit are known, and the
/// same bytes are read later.
pub trait Format: Debug + Send + Sync {
    /// Its name in `pipelines.yaml`.
    fn name(&self) -> &'static str;

    /// The extensions of the files that are read from a folder, in lower case.
    fn endings(&self) -> &'static [&'static str];

    /// If a file cannot have this format, judging by its first bytes: what it is, and what to do about it.
    fn foreign(&self, first: &[u8]) -> Option<&'static str> {
        lines::foreign(first)
    }

    /// Where the last complete record in a part of a text ends. Everything up to there may be read, even if the file
    /// grows later; a format whose files are written as a whole has no such place.
    fn last_end(&self, text: &[u8]) -> Option<usize> {
        lines::last_end(text)
    }

    /// Whether the text after the last end is a record, too, although the file may still grow.
    fn is_complete(&self, rest: &[u8]) -> bool;

    /// A warning: the last bytes of a file have been incomplete for long, and are not read.
    fn unfinished(&self, place: &str, bytes: u64) -> String;

    /// Counts the records of a text.
    fn counter(&self, start: Start) -> Box<dyn Counter> {
        Box::new(lines::LineCounter::new(start))
    }

    /// Reads the records of a text.
    fn splitter(&self) -> Box<dyn Splitter> {
        Box::<lines::LineSplitter>::default()
    }
}
