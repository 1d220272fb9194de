//! How the records of a file are laid out. A format is one module and one line in [`FORMATS`].
//!
//! - [`Format`]: what the files source needs from a format: where records end, how many there are, and what they hold.
//! - [`Counter`], [`Splitter`]: a pass over a text that counts its records, and one that reads them into [`Rows`].
//! - `lines`: the layout of the formats in which a record is a line.
//! - `ndjson`, `text`: the formats.
//!
//! A format receives decompressed text in chunks. It is called once per chunk, never once per record. It knows nothing
//! of the files themselves, their compression, or how far they were read.

mod counter;
mod format;
mod lines;
mod ndjson;
mod rows;
mod splitter;
mod text;

pub use counter::{Count, Counter, RecordHash, Start};
pub use format::Format;
pub use rows::Rows;
pub use splitter::Splitter;

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
