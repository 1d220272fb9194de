//! The header of a CSV file: the names of its columns, and how to tell that a first row is not a header. Two columns of
//! one name are refused, and names that are numbers or times; a column without a name is named after its
//! position (`column_1`).

use std::collections::BTreeSet;

use super::dialect::Dialect;
use super::fields::Fields;

/// What numbers and times consist of, apart from digits.
const OF_VALUES: &str = "+-.,:/ eETZ";

/// The names of the columns in a header. A column without a name is named after its position, `column_1` and so on.
///
/// # Errors
/// Why this is not a header, in a sentence about the file.
pub(super) fn names(dialect: Dialect, text: &[u8]) -> Result<Vec<String>, String> {
    let mut fields = Fields::new(dialect);
    if !fields.split(dialect.row(text), usize::MAX) {
        return Err("its first row is not a header".to_owned());
    }
    let names = fields.iter().enumerate().map(|(place, name)| {
        let name = String::from_utf8_lossy(name);
        match name.trim() {
            "" => format!("column_{}", place + 1),
            name => name.to_owned(),
        }
    });
    let names: Vec<String> = names.collect();
    if let Some(value) = names.iter().find(|name| is_value(name)) {
        return Err(format!(
            "its first row is not a header, because `{value}` is not a name: set `header: false`, and name the `columns`"
        ));
    }
    let mut before = BTreeSet::new();
    match names.iter().find(|name| !before.insert(name.as_str())) {
        Some(name) => Err(format!(
            "its header has two columns named `{name}`: rename one, or set `header: false`, and name the `columns`"
        )),
        None => Ok(names),
    }
}

/// Whether a name is a number or a time.
fn is_value(name: &str) -> bool {
    let is_digit = |letter: char| letter.is_ascii_digit();
    name.contains(is_digit)
        && name
            .chars()
            .all(|letter| is_digit(letter) || OF_VALUES.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::super::FormatOptions;
    use super::*;

    fn of(text: &str) -> Result<Vec<String>, String> {
        names(Dialect::new(&FormatOptions::default()).unwrap(), text.as_bytes())
    }

    #[test]
    fn a_header_names_the_columns() {
        assert_eq!(of("\u{feff}a, b c ,\"d,\"\"e\"\r\n").unwrap(), ["a", "b c", "d,\"e"]);
        assert_eq!(
            of(",a,\n").unwrap(),
            ["column_1", "a", "column_3"],
            "as pandas writes an index"
        );
        assert_eq!(of("e,Z,item-1,T").unwrap().len(), 4);
    }

    #[test]
    fn a_row_of_values_is_no_header() {
        for row in [
            "2026-03-01T10:00:00.5+01:00,s1",
            "s1,12",
            "s1,-1.5e3",
            "s1,01.03.2026 10:00",
        ] {
            assert!(of(row).unwrap_err().contains("header: false"), "{row}");
        }
        assert!(of("a,b,a").unwrap_err().contains("two columns named `a`"));
    }
}
