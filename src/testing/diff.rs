//! Compares expected with actual rows: missing, unexpected, different or reordered (only with `ordered`). Equal rows
//! are counted; NULL equals NULL; floating-point numbers may differ by 1e-5 of their size.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;

/// The relative difference below which floating-point numbers are equal, so that a test may write six digits.
const TOLERANCE: f64 = 1e-5;
/// The maximum number of row pairs to search for similar rows; beyond it, rows are just missing or unexpected.
const PAIRS: usize = 250_000;

/// A comparison of the expected and the actual rows.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// The columns that were compared.
    pub columns: Vec<String>,
    /// The rows that differ; all rows if the order is compared.
    pub rows: Vec<DiffRow>,
    /// How many rows match.
    pub same: usize,
    /// Whether the rows match, but in a different order.
    pub reordered: bool,
}

/// A row that differs.
#[derive(Debug, Serialize)]
pub struct DiffRow {
    /// How it differs.
    pub change: Change,
    /// The expected values by column, `None` for NULL; empty if the row is unexpected.
    pub expected: Vec<Option<String>>,
    /// The actual values by column; empty if the row is missing.
    pub found: Vec<Option<String>>,
    /// Which columns differ.
    pub differs: Vec<bool>,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is equal.
    Same,
    /// It was expected but is not there.
    Missing,
    /// It is there but was not expected.
    Unexpected,
    /// It is there, with other values.
    Differs,
}

impl Diff {
    /// Compares the columns in `expected`; `None` if there is no difference. Rows with the same `key` are shown as one.
    ///
    /// # Errors
    /// When a value cannot be converted to text.
    pub(super) fn of(
        expected: &RecordBatch,
        found: &RecordBatch,
        key: &[String],
        ordered: bool,
    ) -> Result<Option<Self>, ArrowError> {
        // An empty expectation names no columns, so the actual rows are shown in full.
        let shown = if expected.num_rows() == 0 { found } else { expected };
        let columns: Vec<String> = shown.schema_ref().fields().iter().map(|f| f.name().clone()).collect();
        let key: Vec<usize> = columns
            .iter()
            .enumerate()
            .filter(|(_, c)| key.contains(c))
            .map(|(i, _)| i)
            .collect();
        let (expected, found) = (values(expected, &columns)?, values(found, &columns)?);
        let pairs = exact_pairs(&expected, &found);
        let is_same = pairs.len() == expected.len() && pairs.len() == found.len();
        if is_same && ordered && !expected.iter().zip(&found).all(|(a, b)| same_row(a, b)) {
            return Ok(Some(Self {
                rows: expected
                    .iter()
                    .zip(&found)
                    .map(|(a, b)| row(Some(a), Some(b)))
                    .collect(),
                columns,
                same: 0,
                reordered: true,
            }));
        }
        Ok((!is_same).then(|| Self {
            rows: differing(&expected, &found, &pairs, &key),
            columns,
            same: pairs.len(),
            reordered: false,
        }))
    }
}

/// A value to compare.
#[derive(Debug)]
enum Cell {
    Null,
    Text(String),
    Number(f64, String),
}

impl Cell {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Number(a, _), Self::Number(b, _)) => {
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
            }
            _ => false,
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) | Self::Number(_, text) => Some(text.clone()),
        }
    }
}

type Row = Vec<Cell>;

fn same_row(a: &Row, b: &Row) -> bool {
    a.iter().zip(b).all(|(a, b)| a.is_same(b))
}

fn values(batch: &RecordBatch, columns: &[String]) -> Result<Vec<Row>, ArrowError> {
    let mut rows: Vec<Row> = (0..batch.num_rows()).map(|_| vec![]).collect();
    for column in columns.iter().filter_map(|name| batch.column_by_name(name)) {
        let texts = texts(column)?;
        let numbers = match column.data_type().is_floating() {
            true => Some(cast(column, &DataType::Float64)?),
            false => None,
        };
        for (row, (text, cells)) in texts.into_iter().zip(&mut rows).enumerate() {
            cells.push(match (text, &numbers) {
                (None, _) => Cell::Null,
                (Some(text), Some(numbers)) => Cell::Number(numbers.as_primitive::<Float64Type>().value(row), text),
                (Some(text), None) => Cell::Text(text),
            });
        }
    }
    Ok(rows)
}

/// The values as text, including bytes that are valid text.
pub(super) fn texts(column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    if let Some(bytes) = column.as_binary_opt::<i32>() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        return Ok(bytes.iter().map(|bytes| bytes.map(text)).collect());
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = |row: usize| {
        column
            .is_valid(row)
            .then(|| formatter.value(row).try_to_string())
            .transpose()
    };
    (0..column.len()).map(text).collect()
}

/// Equal rows, as pairs of indices; each row occurs at most once.
fn exact_pairs(expected: &[Row], found: &[Row]) -> Vec<(usize, usize)> {
    // Numbers are compared with a tolerance; everything else can be looked up.
    let lookup = |row: &Row| -> Vec<Option<String>> {
        let text = |cell: &Cell| match cell {
            Cell::Number(..) => Some(String::new()),
            other => other.text(),
        };
        row.iter().map(text).collect()
    };
    let mut places: HashMap<Vec<Option<String>>, Vec<usize>> = HashMap::new();
    for (place, row) in found.iter().enumerate() {
        places.entry(lookup(row)).or_default().push(place);
    }
    let mut pairs = vec![];
    for (place, row) in expected.iter().enumerate() {
        if let Some(candidates) = places.get_mut(&lookup(row))
            && let Some(nth) = candidates
                .iter()
                .position(|candidate| same_row(row, &found[*candidate]))
        {
            pairs.push((place, candidates.remove(nth)));
        }
    }
    pairs
}

/// The rows without an equal: similar ones are paired, the others are missing or unexpected.
fn differing(expected: &[Row], found: &[Row], exact: &[(usize, usize)], key: &[usize]) -> Vec<DiffRow> {
    let rest = |all: usize, taken: &dyn Fn(usize) -> bool| (0..all).filter(|place| !taken(*place)).collect::<Vec<_>>();
    let missing = rest(expected.len(), &|place| exact.iter().any(|pair| pair.0 == place));
    let unexpected = rest(found.len(), &|place| exact.iter().any(|pair| pair.1 == place));
    let mut alike = vec![];
    if missing.len() * unexpected.len() <= PAIRS {
        for a in &missing {
            for b in &unexpected {
                alike.extend(likeness(&expected[*a], &found[*b], key).map(|score| (score, *a, *b)));
            }
        }
    }
    // Best match first, otherwise in the order of the test.
    alike.sort_by_key(|(score, ..)| std::cmp::Reverse(*score));
    let mut partner: HashMap<usize, usize> = HashMap::new();
    for (_, a, b) in alike {
        if !partner.contains_key(&a) && !partner.values().any(|taken| *taken == b) {
            partner.insert(a, b);
        }
    }
    let mut rows: Vec<DiffRow> = missing
        .iter()
        .map(|a| row(Some(&expected[*a]), partner.get(a).map(|b| &found[*b])))
        .collect();
    let alone = unexpected.iter().filter(|b| !partner.values().any(|taken| taken == *b));
    rows.extend(alone.map(|b| row(None, Some(&found[*b]))));
    rows
}

/// How many values two rows share, if they have the same key, or share half of all values.
fn likeness(a: &Row, b: &Row, key: &[usize]) -> Option<usize> {
    let same = a.iter().zip(b).filter(|(a, b)| a.is_same(b)).count();
    let same_key = !key.is_empty() && key.iter().all(|column| a[*column].is_same(&b[*column]));
    match same_key {
        true => Some(same + a.len()),
        false => (same > 0 && 2 * same >= a.len()).then_some(same),
    }
}

fn row(expected: Option<&Row>, found: Option<&Row>) -> DiffRow {
    let texts = |row: Option<&Row>| row.into_iter().flatten().map(Cell::text).collect();
    let differs: Vec<bool> = match (expected, found) {
        (Some(a), Some(b)) => a.iter().zip(b).map(|(a, b)| !a.is_same(b)).collect(),
        _ => vec![],
    };
    let change = match (expected, found) {
        (Some(_), Some(_)) if differs.contains(&true) => Change::Differs,
        (Some(_), Some(_)) => Change::Same,
        (Some(_), None) => Change::Missing,
        (None, _) => Change::Unexpected,
    };
    DiffRow {
        change,
        expected: texts(expected),
        found: texts(found),
        differs,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};

    use super::*;

    fn batch(rows: &[(&str, f64)]) -> RecordBatch {
        let ids: StringArray = rows.iter().map(|row| Some(row.0)).collect();
        let weights: Float64Array = rows.iter().map(|row| Some(row.1)).collect();
        let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(ids)), ("weight", Arc::new(weights))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn changes(expected: &[(&str, f64)], found: &[(&str, f64)], ordered: bool) -> Option<Vec<Change>> {
        let diff = Diff::of(&batch(expected), &batch(found), &["id".to_owned()], ordered).unwrap();
        diff.map(|diff| diff.rows.iter().map(|row| row.change).collect())
    }

    #[test]
    fn order_counts_only_where_asked() {
        let (rows, other) = ([("a", 1.0), ("b", 2.0)], [("b", 2.0), ("a", 1.0)]);
        assert_eq!(changes(&rows, &other, false), None);
        assert_eq!(
            changes(&rows, &other, true),
            Some(vec![Change::Differs, Change::Differs])
        );
        assert_eq!(changes(&rows, &rows, true), None);
    }

    #[test]
    fn six_digits_are_enough_for_a_number() {
        assert_eq!(changes(&[("a", 0.333_333)], &[("a", 1.0 / 3.0)], false), None);
        assert_eq!(
            changes(&[("a", 0.3333)], &[("a", 1.0 / 3.0)], false),
            Some(vec![Change::Differs])
        );
    }

    #[test]
    fn rows_of_a_key_are_one_difference_and_repeated_rows_count() {
        let found = changes(&[("a", 1.0), ("b", 2.0)], &[("b", 3.0), ("c", 9.0)], false);
        assert_eq!(found, Some(vec![Change::Missing, Change::Differs, Change::Unexpected]));
        assert_eq!(
            changes(&[("a", 1.0)], &[("a", 1.0), ("a", 1.0)], false),
            Some(vec![Change::Unexpected])
        );
    }

    #[test]
    fn no_rows_expected_shows_what_is_there() {
        let diff = Diff::of(&batch(&[]).project(&[]).unwrap(), &batch(&[("a", 1.0)]), &[], false);
        let diff = diff.unwrap().unwrap();
        assert_eq!((diff.columns.len(), diff.rows[0].found.len()), (2, 2));
    }
}
