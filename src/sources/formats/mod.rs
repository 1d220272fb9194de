//! How the records of a file are laid out. A format is one module and one line in [`FORMATS`].
//!
//! - [`Format`]: its name and extensions, and what reads it: a [`TextFormat`] or a [`TableFormat`].
//! - [`FormatOptions`]: what a source may say about it.
//!
//! A format of text says where records end ([`Ends`]), how many there are ([`Counter`]), and what they hold
//! ([`Splitter`]), which it reads into [`Rows`]. It receives decompressed text in chunks. It is called once per chunk,
//! never once per record. It knows nothing of the files themselves, their compression, or how far they were read.
//!
//! - `lines`: the layout of the formats in which a record is a line; `ndjson`, `text`: these formats.
//! - `records`: counts and reads records of other layouts; `json`, `csv`: formats with such records.
//!
//! A format of tables reads batches of rows from a [`TableFile`].
//!
//! - `parquet`, `avro`, `arrow_ipc`: the formats; `table_rows`: makes records of rows.
//!
//! `magic` knows marks of files, `guess` guesses the format of a file, and `json_text` writes JSON strings.

mod arrow_ipc;
mod avro;
mod counter;
mod csv;
mod ends;
mod format;
mod guess;
mod json;
mod json_text;
mod lines;
mod magic;
mod ndjson;
mod options;
mod parquet;
mod records;
mod rows;
mod splitter;
mod table_file;
mod table_rows;
#[cfg(test)]
mod testing;
mod text;

use std::sync::Arc;

pub use counter::{Count, Counter, RecordHash, Start};
pub use ends::Ends;
pub use format::{Batches, Format, Layout, TableFormat, TextFormat};
pub use guess::{Guess, guess};
pub use options::{FormatOptions, OptionProblem};
pub use rows::Rows;
pub use splitter::Splitter;
pub use table_file::TableFile;
pub use table_rows::add_rows;

/// Makes a format with some options.
type Make = fn(&FormatOptions) -> Result<Arc<dyn Format>, OptionProblem>;

/// Every format; the first is the default.
static FORMATS: &[(&str, Make)] = &[
    ("ndjson", |options| plain(options, ndjson::Ndjson)),
    ("text", |options| plain(options, text::Text)),
    ("json", |options| plain(options, json::Json)),
    ("csv", |options| Ok(Arc::new(csv::Csv::new(options)?))),
    ("parquet", |options| plain(options, parquet::Parquet)),
    ("avro", |options| plain(options, avro::Avro)),
    ("arrow", |options| plain(options, arrow_ipc::ArrowIpc)),
];

/// A format without options.
fn plain(options: &FormatOptions, format: impl Format + 'static) -> Result<Arc<dyn Format>, OptionProblem> {
    match options.given() {
        None => Ok(Arc::new(format)),
        Some(option) => Err(OptionProblem {
            option,
            message: format!("the format `{}` has no option `{option}`", format.name()),
            help: "leave it out, or set `format` to the one that has it".to_owned(),
        }),
    }
}

/// The format of a name, with these options; `None` if there is no such format.
///
/// # Errors
/// When it does not have such an option, or the option is wrong.
pub fn format(name: &str, options: &FormatOptions) -> Option<Result<Arc<dyn Format>, OptionProblem>> {
    let (_, make) = FORMATS.iter().find(|(known, _)| *known == name)?;
    Some(make(options))
}

/// The name of the default format.
pub fn default_format() -> &'static str {
    FORMATS[0].0
}

/// The names of all formats.
pub fn format_names() -> Vec<&'static str> {
    FORMATS.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::testing::read;
    use super::*;

    fn of(name: &str) -> Arc<dyn Format> {
        format(name, &FormatOptions::default()).unwrap().unwrap()
    }

    #[test]
    fn a_format_is_found_by_its_name_and_has_lower_case_endings() {
        for name in format_names() {
            let format = of(name);
            assert_eq!(format.name(), name);
            for ending in format.endings() {
                assert!(
                    ending.starts_with('.') && *ending == ending.to_ascii_lowercase(),
                    "{ending}"
                );
            }
        }
        assert_eq!(default_format(), "ndjson");
        assert!(format("xml", &FormatOptions::default()).is_none());
    }

    #[test]
    fn options_belong_to_formats_that_have_them() {
        let options = FormatOptions {
            delimiter: Some(";".to_owned()),
            ..FormatOptions::default()
        };
        for name in format_names() {
            let made = format(name, &options).unwrap();
            assert_eq!(made.is_ok(), name == "csv", "{name}");
        }
    }

    #[test]
    fn counting_and_reading_agree() {
        let text = b"\xef\xbb\xbf{\"n\":1}\r\n\n{\"n\":2}\n\r\n{\"n\":3}";
        for name in format_names() {
            let format = of(name);
            if let Layout::Text(_) = format.layout() {
                for size in [1, 3, text.len()] {
                    let records = read(&*format, text, size).len();
                    assert_eq!(records, 3 - usize::from(name == "csv"), "{name} in pieces of {size}");
                }
            }
        }
    }
}
