//! How the records of a file are laid out. A format is one module and one line in [`FORMATS`].
//!
//! - [`Format`]: what the files source needs from a format: where records end, how many there are, and what they hold.
//! - [`Counter`], [`Splitter`]: a pass over a text that counts its records, and one that reads them into [`Rows`].
//! - `lines`: the layout of the formats in which a record is a line.
//! - `ndjson`, `text`: the formats.
//!
//! A format receives decompressed text in chunks. It is called once per chunk, never once per record. It knows nothing
//! of the files themselves, their compression, or how far they were read.

mod lines;
mod ndjson;
mod rows;
mod text;

use std::fmt::Debug;
use std::hash::Hasher;

use datafusion::error::Result;
use twox_hash::XxHash64;

pub use rows::Rows;

/// Every format; the first is the default.
static FORMATS: &[&dyn Format] = &[&ndjson::Ndjson, &text::Text];

/// The format of a name.
pub fn format(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

/// The default format.
pub fn default_format() -> &'static dyn Format {
    FORMATS[0]
}

/// The names of all formats.
pub fn format_names() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name()).collect()
}

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

/// Where counting starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// The offset in the text.
    pub at: u64,
    /// The text before it was read without a final line break: if one follows, it does not end a new line.
    pub continues: bool,
    /// How many lines from there on have been read already.
    pub skip: u64,
}

/// Counts the records of a text that arrives in chunks.
pub trait Counter: Send + Sync {
    /// Adds the bytes that follow.
    fn update(&mut self, text: &[u8]);

    /// Ends the last record, which needs no line break.
    fn end(&mut self);

    /// What was counted so far.
    fn count(&self) -> Count;
}

/// Records that were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The offset in the text at which the first of them starts.
    pub start: u64,
    /// How many line numbers they use: empty lines have a number, but are not records.
    pub lines: u64,
    /// How many records there are.
    pub records: u64,
    /// The [`RecordHash`] of their bytes, from the start on.
    pub hash: i64,
}

/// A hash of the bytes of records: the records read must be those that were counted.
#[derive(Clone)]
pub struct RecordHash(XxHash64);

impl Default for RecordHash {
    fn default() -> Self {
        Self(XxHash64::with_seed(0))
    }
}

impl RecordHash {
    /// Adds the bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The hash so far.
    pub fn value(&self) -> i64 {
        (self.0.finish() >> 1).cast_signed()
    }
}

/// Reads the records of a text that arrives in chunks.
pub trait Splitter: Send {
    /// Adds the records that end in the chunk; returns `false` once no more are wanted.
    ///
    /// # Errors
    /// When the bytes do not have the format.
    fn feed(&mut self, chunk: &[u8], rows: &mut Rows) -> Result<bool>;

    /// Adds the last record, which needs no line break.
    ///
    /// # Errors
    /// When the bytes do not have the format.
    fn end(&mut self, rows: &mut Rows) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_found_by_its_name_and_has_lower_case_endings() {
        for name in format_names() {
            let format = format(name);
            assert_eq!(format.map(Format::name), Some(name));
            for ending in format.map(Format::endings).unwrap_or_default() {
                assert!(
                    ending.starts_with('.') && *ending == ending.to_ascii_lowercase(),
                    "{ending}"
                );
            }
        }
        assert_eq!(default_format().name(), "ndjson");
        assert!(format("csv").is_none());
    }

    #[test]
    fn counting_and_reading_agree() {
        let text = b"\xef\xbb\xbf{\"n\":1}\r\n\n{\"n\":2}\n\r\n{\"n\":3}";
        for format in FORMATS {
            for size in [1, 3, text.len()] {
                let (mut counter, mut splitter) = (format.counter(Start::default()), format.splitter());
                let mut rows = Rows::new(None, None);
                text.chunks(size).for_each(|chunk| counter.update(chunk));
                counter.end();
                let count = counter.count();
                rows.begin("a", 1, 0);
                for chunk in text[count.start as usize..].chunks(size) {
                    assert!(splitter.feed(chunk, &mut rows).unwrap());
                }
                splitter.end(&mut rows).unwrap();
                assert_eq!(rows.len() as u64, count.records, "{format:?} in pieces of {size}");
            }
        }
    }
}
