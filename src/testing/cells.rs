//! Converts written values to Arrow arrays. Times, dates and numbers may be written as text; all are cast to the
//! column's type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, ListArray, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, Fields};

use super::raw::{At, Cell, Key, Value};
use crate::config::nearest;

/// A value that does not fit its column.
#[derive(Debug)]
pub(super) struct Misfit {
    pub at: At,
    pub message: String,
    pub help: Option<String>,
}

/// The values of a column; `None` means that a value was not given.
pub(super) fn column(name: &str, cells: &[Option<&Cell>], data_type: &DataType) -> Result<ArrayRef, Misfit> {
    match data_type {
        DataType::Utf8 => {
            let texts = cells.iter().map(|cell| text(name, *cell));
            Ok(Arc::new(texts.collect::<Result<StringArray, _>>()?))
        }
        DataType::Binary => {
            let texts = cells.iter().map(|cell| text(name, *cell));
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            let bytes = texts.iter().map(|text| text.as_ref().map(String::as_bytes));
            Ok(Arc::new(bytes.collect::<BinaryArray>()))
        }
        DataType::List(item) => list(name, cells, item),
        DataType::Struct(fields) => structure(name, cells, fields),
        other => scalar(name, cells, other),
    }
}

/// The value, unless it is NULL.
fn given(cell: Option<&Cell>) -> Option<&Cell> {
    cell.filter(|cell| !matches!(cell.value, Value::Null))
}

/// Text that looks like a number must be quoted; a list or mapping becomes JSON text.
fn text(name: &str, cell: Option<&Cell>) -> Result<Option<String>, Misfit> {
    let Some(cell) = given(cell) else { return Ok(None) };
    let unquoted = |written: &str| Misfit {
        at: cell.at,
        message: format!("`{name}` must be text, but `{written}` is not"),
        help: Some(format!("write it in quotes: '{written}'")),
    };
    match &cell.value {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text.clone())),
        Value::Number(number) => Err(unquoted(number)),
        Value::Flag(flag) => Err(unquoted(&flag.to_string())),
        Value::List(_) | Value::Map(_) => Ok(Some(json(&cell.value))),
    }
}

fn list(name: &str, cells: &[Option<&Cell>], item: &FieldRef) -> Result<ArrayRef, Misfit> {
    let (mut lengths, mut items, mut valid) = (vec![], vec![], vec![]);
    for cell in cells {
        let of_cell = match given(*cell) {
            None => None,
            Some(Cell {
                value: Value::List(items),
                ..
            }) => Some(items),
            Some(cell) => return Err(misfit(name, cell, "a list, like [a, b]")),
        };
        valid.push(of_cell.is_some());
        lengths.push(of_cell.map_or(0, Vec::len));
        items.extend(of_cell.into_iter().flatten().map(Some));
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    let items = column(name, &items, item.data_type())?;
    let list = ListArray::try_new(item.clone(), offsets, items, Some(NullBuffer::from(valid)));
    Ok(Arc::new(list.map_err(|error| internal(cells, &error))?))
}

fn structure(name: &str, cells: &[Option<&Cell>], fields: &Fields) -> Result<ArrayRef, Misfit> {
    let (mut rows, mut valid) = (vec![], vec![]);
    for cell in cells {
        let entries = match given(*cell) {
            None => None,
            Some(Cell {
                value: Value::Map(entries),
                ..
            }) => Some(entries),
            Some(cell) => return Err(misfit(name, cell, "a mapping, like { a: 1 }")),
        };
        let unknown = entries
            .into_iter()
            .flatten()
            .find(|(key, _)| fields.find(&key.name).is_none());
        if let Some((key, _)) = unknown {
            let known: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            return Err(unknown_name(key, &format!("`{name}` has no field"), &known));
        }
        valid.push(entries.is_some());
        rows.push(entries);
    }
    let columns = fields.iter().map(|field| {
        let cells: Vec<Option<&Cell>> = rows
            .iter()
            .map(|row| row.and_then(|row| find(row, field.name())))
            .collect();
        column(&format!("{name}.{}", field.name()), &cells, field.data_type())
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let built = StructArray::try_new(fields.clone(), columns, Some(NullBuffer::from(valid)));
    Ok(Arc::new(built.map_err(|error| internal(cells, &error))?))
}

fn scalar(name: &str, cells: &[Option<&Cell>], data_type: &DataType) -> Result<ArrayRef, Misfit> {
    let wanted = describe(data_type);
    let texts = cells.iter().map(|cell| match given(*cell) {
        None => Ok(None),
        Some(cell) => match &cell.value {
            Value::Text(text) | Value::Number(text) => Ok(Some(text.clone())),
            Value::Flag(flag) if *data_type == DataType::Boolean => Ok(Some(flag.to_string())),
            _ => Err(misfit(name, cell, &wanted)),
        },
    });
    let texts = texts.collect::<Result<StringArray, _>>()?;
    // Values that do not fit become NULL, which locates them.
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    let values = cast_with_options(&texts, data_type, &options).map_err(|error| internal(cells, &error))?;
    let lost = (0..values.len()).find(|row| values.is_null(*row) && texts.is_valid(*row));
    match lost.and_then(|row| cells[row]) {
        Some(cell) => Err(misfit(name, cell, &wanted)),
        None => Ok(values),
    }
}

/// The error for an unknown column, field or input, with the nearest known name.
pub(super) fn unknown_name(key: &Key, message: &str, known: &[&str]) -> Misfit {
    let help = match nearest(&key.name, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("the known names are {}", known.join(", "))),
    };
    Misfit {
        at: key.at,
        message: format!("{message} `{}`", key.name),
        help,
    }
}

/// The value of a name.
pub(super) fn find<'a>(entries: &'a [(Key, Cell)], name: &str) -> Option<&'a Cell> {
    entries.iter().find(|(key, _)| key.name == name).map(|(_, cell)| cell)
}

fn misfit(name: &str, cell: &Cell, wanted: &str) -> Misfit {
    Misfit {
        at: cell.at,
        message: format!("`{name}` must be {wanted}; found {}", json(&cell.value)),
        help: None,
    }
}

/// The error for a type that no written value can have.
fn internal(cells: &[Option<&Cell>], error: &arrow::error::ArrowError) -> Misfit {
    Misfit {
        at: cells.iter().flatten().next().map_or(At(1, 1), |cell| cell.at),
        message: error.to_string(),
        help: None,
    }
}

fn describe(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "true or false".to_owned(),
        DataType::Timestamp(..) => "a time, like 2025-07-13T12:00:00Z".to_owned(),
        DataType::Date32 => "a date, like 2025-07-13".to_owned(),
        integer if integer.is_integer() => "a whole number".to_owned(),
        number if number.is_numeric() => "a number".to_owned(),
        other => format!("of type {other}"),
    }
}

/// The value as JSON, in the order in which it was written.
pub(super) fn json(value: &Value) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match value {
        Value::Null => "null".to_owned(),
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.clone(),
        Value::Text(text) => quoted(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| json(&item.value)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, cell)| format!("{}:{}", quoted(&key.name), json(&cell.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
    }
}
