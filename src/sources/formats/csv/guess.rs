//! Guesses the options of a CSV file from its first rows: what separates fields, whether there is a header, and which
//! texts stand for missing values.

use super::super::{Ends, FormatOptions};
use super::dialect::Dialect;
use super::fields::Fields;
use super::header;
use super::row_ends::RowEnds;

const DELIMITERS: [&str; 4] = [",", "\t", ";", "|"];
/// What programs write for a missing value.
const NULLS: [&str; 8] = ["NULL", "null", "NA", "N/A", "\\N", "None", "nan", "NaN"];
/// How many rows are looked at.
const ROWS: usize = 1_000;

type Row = Vec<String>;

/// The options of the file with this beginning, and its first rows if they have no header; `None` if no separator makes
/// rows of equal length.
pub(in crate::sources::formats) fn guess(text: &[u8]) -> Option<(FormatOptions, Vec<Row>)> {
    let mut best: Option<(Dialect, &str, Vec<Row>, &[u8])> = None;
    for delimiter in DELIMITERS {
        let Some((dialect, rows, first)) = rows(delimiter, text) else {
            continue;
        };
        if best
            .as_ref()
            .is_none_or(|(_, _, other, _)| rows[0].len() > other[0].len())
        {
            best = Some((dialect, delimiter, rows, first));
        }
    }
    let (dialect, delimiter, rows, first) = best?;
    let has_header = header::names(dialect, first).is_ok();
    let fields = rows.iter().skip(usize::from(has_header)).flatten();
    let fields: Vec<&str> = fields.map(String::as_str).collect();
    let nulls = NULLS.into_iter().filter(|null| fields.contains(null));
    let nulls: Vec<String> = [""].into_iter().chain(nulls).map(str::to_owned).collect();
    let columns = (1..=rows[0].len()).map(|place| format!("column_{place}"));
    let options = FormatOptions {
        header: (!has_header).then_some(false),
        columns: (!has_header).then(|| columns.collect()),
        delimiter: (delimiter != ",").then(|| delimiter.to_owned()),
        nulls: (nulls.len() > 1).then_some(nulls),
        ..FormatOptions::default()
    };
    Some((options, if has_header { vec![] } else { rows }))
}

/// The first rows with this separator, if nine in ten have as many fields as the first, and more than one; and the text
/// of the first row.
fn rows<'t>(delimiter: &str, text: &'t [u8]) -> Option<(Dialect, Vec<Row>, &'t [u8])> {
    let options = FormatOptions {
        delimiter: Some(delimiter.to_owned()),
        ..FormatOptions::default()
    };
    let dialect = Dialect::new(&options).ok()?;
    let (mut ends, mut fields) = (RowEnds::new(dialect), Fields::new(dialect));
    let (mut rows, mut first, mut at, mut all) = (vec![], &text[..0], 0, 0);
    while all < ROWS && at < text.len() {
        let end = match ends.next_end(&text[at..]) {
            Some(end) => at + end,
            // What follows may have been cut off, unless it is all there is.
            None if rows.is_empty() => text.len(),
            None => break,
        };
        let row = &text[at..end];
        at = end;
        all += 1;
        if !fields.split(dialect.row(row), usize::MAX) {
            continue;
        }
        let row_fields: Row = fields
            .iter()
            .map(|field| String::from_utf8_lossy(field).into_owned())
            .collect();
        if rows.is_empty() {
            first = row;
        }
        if rows.first().is_none_or(|other: &Row| other.len() == row_fields.len()) {
            rows.push(row_fields);
        }
    }
    let is_table = rows.first().is_some_and(|row| row.len() > 1) && 10 * rows.len() >= 9 * all;
    is_table.then_some((dialect, rows, first))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_separator_makes_rows_of_equal_length() {
        let (options, rows) = guess(b"a;b\n\"1,5\";2,5\n\"x\ny\";NA\n").unwrap();
        assert_eq!(options.delimiter.as_deref(), Some(";"));
        assert_eq!((options.header, rows.len()), (None, 0));
        assert_eq!(options.nulls, Some(vec![String::new(), "NA".to_owned()]));
        assert!(guess(b"Dear all,\nthis is, as you see, a letter,\nand no table.\n").is_none());
        assert!(guess(b"a\nb\n").is_none());
    }

    #[test]
    fn without_a_header_columns_are_numbered() {
        let (options, rows) = guess(b"1,2014-04-01,5\n1,2014-04-02,6\n1,2014-0").unwrap();
        let columns = ["column_1", "column_2", "column_3"].map(str::to_owned).to_vec();
        assert_eq!((options.header, options.columns), (Some(false), Some(columns)));
        assert_eq!(rows, [["1", "2014-04-01", "5"], ["1", "2014-04-02", "6"]]);
        assert_eq!(options.nulls, None);
    }
}
