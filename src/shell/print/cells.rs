//! Values as text for people: bytes that are text, rounded numbers, escaped control characters.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::shell::ShellError;

const NULL: &str = "NULL";

/// Values as text for people.
pub(super) struct Cells {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

/// A column's name, and whether it holds numbers.
pub(super) struct Column {
    pub name: String,
    pub is_number: bool,
}

impl Cells {
    /// The cells of these rows. Fractions keep `decimals` decimals, or all if `None`.
    pub fn of(schema: &SchemaRef, batches: &[RecordBatch], decimals: Option<usize>) -> Result<Self, ShellError> {
        let columns = schema.fields().iter().map(|field| Column {
            name: visible(field.name()),
            is_number: field.data_type().is_numeric(),
        });
        let options = FormatOptions::default().with_null(NULL);
        let mut rows = vec![];
        for batch in batches {
            let arrays = batch.columns().iter().map(|array| match decimals {
                Some(decimals) if array.data_type().is_floating() => rounded(array, decimals),
                _ => readable(array),
            });
            let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
            let formatters = arrays
                .iter()
                .map(|array| ArrayFormatter::try_new(array, &options))
                .collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let cells = formatters.iter().map(|column| visible(&column.value(row).to_string()));
                rows.push(cells.collect());
            }
        }
        Ok(Self {
            columns: columns.collect(),
            rows,
        })
    }
}

/// Bytes as text if they are valid text: Kafka records are bytes, and usually text.
fn readable(array: &ArrayRef) -> Result<ArrayRef, ShellError> {
    if *array.data_type() != DataType::Binary {
        return Ok(array.clone());
    }
    let bytes = array.as_binary::<i32>();
    if bytes.iter().flatten().all(|value| std::str::from_utf8(value).is_ok()) {
        return Ok(cast(array, &DataType::Utf8)?);
    }
    Ok(array.clone())
}

/// Rounds numbers. A small number that would round to zero keeps two digits.
fn rounded(array: &ArrayRef, decimals: usize) -> Result<ArrayRef, ShellError> {
    let numbers = cast(array, &DataType::Float64)?;
    let text = |number: f64| {
        let fixed = format!("{number:.decimals$}");
        let is_nothing = number.is_finite() && !fixed.contains(|letter| matches!(letter, '1'..='9'));
        match number {
            0.0 => "0".to_owned(),
            number if is_nothing => format!("{number:.1e}"),
            _ => fixed,
        }
    };
    let numbers = numbers.as_primitive::<Float64Type>();
    let texts = numbers.iter().map(|number| number.map(text));
    Ok(Arc::new(StringArray::from_iter(texts)))
}

/// Escapes control characters: data must not control the terminal.
fn visible(text: &str) -> String {
    if !text.contains(|letter: char| letter.is_control() && letter != '\n') {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => safe.push('\n'),
            '\t' => safe.push_str("    "),
            letter if letter.is_control() => safe.extend(letter.escape_default()),
            letter => safe.push(letter),
        }
    }
    safe
}
