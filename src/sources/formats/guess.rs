//! Guesses the format of a file from its beginning: the mark of a table, JSON, or rows with a separator.

use serde::de::IgnoredAny;

use super::lines::BOM;
use super::{FormatOptions, csv, magic};

/// The formats of tables, by their marks.
const TABLES: [(&[u8], &str); 4] = [
    (magic::PARQUET, "parquet"),
    (magic::AVRO, "avro"),
    (magic::ARROW_FILE, "arrow"),
    (magic::ARROW_STREAM, "arrow"),
];
/// Of so many lines, half must be JSON objects, unless the first one is.
const LINES: usize = 20;

/// A guess at the format of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guess {
    /// The name of the format.
    pub format: &'static str,
    /// Its options.
    pub options: FormatOptions,
    /// The first rows of a file that does not name its columns.
    pub rows: Vec<Vec<String>>,
}

/// The format of a file with this name and beginning.
///
/// # Errors
/// What the file is instead, as a phrase: `it is …`.
pub fn guess(name: &str, text: &[u8]) -> Result<Guess, String> {
    let table = TABLES.into_iter().find(|(mark, _)| text.starts_with(mark));
    if let Some((_, format)) = table {
        return Ok(plain(format));
    }
    if let Some(what) = magic::known(text) {
        return Err(what.to_owned());
    }
    let text = text.strip_prefix(BOM).unwrap_or(text);
    if text.trim_ascii_start().is_empty() {
        return Err("empty".to_owned());
    }
    if memchr::memchr(0, text).is_some() {
        return Err("binary, and not in a format that clickrec reads".to_owned());
    }
    let name = name.to_ascii_lowercase();
    let is_csv = [".csv", ".tsv"].iter().any(|ending| name.contains(ending));
    match text.trim_ascii_start().first() {
        Some(b'{') if !is_csv => Ok(plain(of_objects(text))),
        Some(b'[') if !is_csv => Ok(plain("json")),
        _ => match csv::guess(text) {
            Some((options, rows)) => Ok(Guess {
                format: "csv",
                options,
                rows,
            }),
            None => Err("text whose lines are neither JSON objects nor rows with a separator".to_owned()),
        },
    }
}

fn plain(format: &'static str) -> Guess {
    Guess {
        format,
        ..Guess::default()
    }
}

/// Whether objects are lines, or laid out in another way.
fn of_objects(text: &[u8]) -> &'static str {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let lines: Vec<&[u8]> = lines.filter(|line| !line.trim_ascii().is_empty()).take(LINES).collect();
    let objects = lines.iter().filter(|line| is_object(line)).count();
    let is_first = lines.first().is_some_and(|line| is_object(line));
    // A first line that does not end is too long to tell.
    let is_cut = lines.len() == 1 && !text.ends_with(b"\n");
    match is_first || is_cut || 2 * objects >= lines.len() {
        true => "ndjson",
        false => "json",
    }
}

fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(name: &str, text: &str) -> String {
        match guess(name, text.as_bytes()) {
            Ok(Guess { format, options, .. }) => {
                let header = if options.header == Some(false) {
                    ", no header"
                } else {
                    ""
                };
                format!("{format}{}{header}", options.delimiter.unwrap_or_default())
            }
            Err(what) => what,
        }
    }

    #[test]
    fn the_content_tells_the_format_and_the_name_only_rows() {
        for (name, text, expected) in [
            ("a", "{\"a\":1}\n{\"a\":2}\n", "ndjson"),
            ("a.log", "\u{feff}\n{\"a\":1}", "ndjson"),
            ("a.json", "{\"a\":\n{\"a\":1}\n{\"a\":2}\n", "ndjson"),
            ("a.json", "{\n  \"a\": 1\n}\n", "json"),
            ("a.ndjson", "[\n{\"a\":1},\n{\"a\":2}]", "json"),
            ("a.json", "{\"a\":", "ndjson"),
            (
                "a.dat",
                "1,2014-04-01T09:02:38.709Z,214\n2,2014-04-01T09:02:39.709Z,215\n",
                "csv, no header",
            ),
            ("a.txt", "session;item\n1;2\n", "csv;"),
            ("a.tsv", "session\titem\n{1\t2\n", "csv\t"),
            ("a.csv", "[a],b|c\n1,2\n", "csv"),
            ("a.csv", "\n \n", "empty"),
            ("a.csv", "", "empty"),
            (
                "a.csv",
                "one\ntwo\n",
                "text whose lines are neither JSON objects nor rows with a separator",
            ),
            ("a.bin", "a\0b", "binary, and not in a format that clickrec reads"),
            ("a", "PAR1....", "parquet"),
            ("a", "Obj\u{1}", "avro"),
            ("a", "ARROW1\0\0", "arrow"),
        ] {
            assert_eq!(of(name, text), expected, "{name}: {text}");
        }
        assert!(of("a", "PK\u{3}\u{4}").contains("zip"));
    }
}
