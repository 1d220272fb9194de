//! Converts a column of JSON texts to the columns of the result.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::common::Result;

use super::builder::Object;
use super::call::{Declared, Policy};
use super::fault::{Fault, not_an_object};
use super::read::read_record;
use super::reading::Reading;
use super::rest::append_rest;
use super::storage::Texts;
use crate::functions::columns::Column;
use crate::functions::frame::framed;

/// Parses the values of records into the columns of the result.
pub(super) fn parse(values: &ArrayRef, declared: &Declared<'_>) -> Result<StructArray> {
    // Converting to views is cheap for every layout.
    let values = cast(values, &DataType::BinaryView)?;
    let values = values.as_binary_view();
    let texts = (0..values.len()).map(|row| text(values.is_valid(row).then(|| values.value(row))));
    parse_texts(texts, declared)
}

/// The same for texts, one for each row, or the fault of a row that has none.
pub(in crate::functions) fn parse_texts<'r>(
    texts: impl ExactSizeIterator<Item = Result<&'r str, Fault<'r>>>,
    declared: &Declared<'_>,
) -> Result<StructArray> {
    let mut rows = Rows::new(&declared.columns, declared.policy, texts.len());
    let mut reading = Reading::new(declared.policy == Policy::Evolve);
    for (row, text) in texts.enumerate() {
        let fault = rows.append(row, text, &mut reading).err();
        rows.append_fault(fault);
    }
    rows.finish(&declared.columns, declared.fields)
}

/// The columns being built.
struct Rows<'s> {
    record: Object<'s>,
    rest: Option<Texts>,
    /// Whether values that do not fit are kept in `rest`.
    keeps_misfits: bool,
    kinds: StringBuilder,
    values: StringBuilder,
}

impl<'s> Rows<'s> {
    fn new(columns: &'s [Column], policy: Policy, rows: usize) -> Self {
        let rest = columns.iter().any(Column::is_rest);
        Self {
            record: Object::new(columns, rows),
            rest: rest.then(|| Texts::new(rows)),
            keeps_misfits: rest && policy == Policy::Evolve,
            kinds: StringBuilder::new(),
            values: StringBuilder::new(),
        }
    }

    /// Appends a row to all columns except those for errors.
    fn append<'r>(
        &mut self,
        row: usize,
        text: Result<&'r str, Fault<'r>>,
        reading: &mut Reading<'r>,
    ) -> Result<(), Fault<'r>> {
        let read = text.and_then(|text| Ok((text, self.read(row, text, reading)?)));
        let (text, has_others) = match read {
            Ok(read) => read,
            Err(fault) => {
                self.record.truncate(row);
                self.record.fill(row);
                self.append_rest(None, reading);
                return Err(fault);
            }
        };
        let keeps = self.keeps_misfits && reading.has_misfits();
        let fault = if keeps { None } else { reading.take_fault() };
        let is_kept = keeps || (fault.is_none() && has_others);
        self.append_rest(is_kept.then_some(text), reading);
        fault.map_or(Ok(()), Err)
    }

    /// Reads a record, and returns whether it has fields that no column takes whole.
    fn read<'r>(&mut self, row: usize, text: &'r str, reading: &mut Reading<'r>) -> Result<bool, Fault<'r>> {
        reading.start(false);
        read_record(text, &mut self.record, row, reading).or_else(|_| self.read_carefully(row, text, reading))
    }

    #[cold]
    fn read_carefully<'r>(&mut self, row: usize, text: &'r str, reading: &mut Reading<'r>) -> Result<bool, Fault<'r>> {
        self.record.truncate(row);
        reading.start(true);
        let has_others =
            read_record(text, &mut self.record, row, reading).map_err(|error| not_an_object(text, &error))?;
        reading.take_twice().map_or(Ok(has_others), Err)
    }

    /// Appends the fields of a text that no column takes, and those with a value that did not fit.
    fn append_rest(&mut self, text: Option<&str>, reading: &Reading<'_>) {
        let Some(rest) = &mut self.rest else { return };
        let Some(text) = text else {
            rest.append_null();
            return;
        };
        let tree = &self.record.tree;
        let is_kept = |field: usize| tree.fields[field].columns.is_empty() || reading.is_unfit(tree.names[field]);
        append_rest(text, &tree.names, is_kept, rest);
    }

    fn append_fault(&mut self, fault: Option<Fault<'_>>) {
        let (kind, value) = fault.map_or((None, None), |fault| (Some(fault.kind), fault.value));
        self.kinds.append_option(kind);
        self.values.append_option(value);
    }

    fn finish(mut self, columns: &[Column], fields: &Fields) -> Result<StructArray> {
        let typed = columns.iter().zip(fields).filter(|(column, _)| !column.is_rest());
        let typed: Fields = typed.map(|(_, field)| field.clone()).collect();
        let mut typed = self.record.finish(&typed)?.into_iter();
        let mut arrays: Vec<ArrayRef> = vec![];
        for column in columns {
            let array = match self.rest.take_if(|_| column.is_rest()) {
                Some(rest) => Some(rest.finish()?),
                None => typed.next(),
            };
            arrays.extend(array);
        }
        arrays.push(Arc::new(self.kinds.finish()));
        arrays.push(Arc::new(self.values.finish()));
        Ok(StructArray::try_new(fields.clone(), arrays, None)?)
    }
}

/// The text of a record's value, without the frame of a schema registry and a byte order mark.
fn text(bytes: Option<&[u8]>) -> Result<&str, Fault<'_>> {
    let bytes = bytes.ok_or_else(|| Fault::without_value("no value (a tombstone)"))?;
    let text = std::str::from_utf8(unframed(bytes)?).map_err(|_| Fault::without_value("not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Fault::without_value("empty"));
    }
    Ok(text)
}

/// A value without its frame, if it has one. No JSON begins with a zero byte, so nothing else is cut off.
fn unframed(value: &[u8]) -> Result<&[u8], Fault<'_>> {
    let Some(framed) = framed(value) else { return Ok(value) };
    match framed.body.trim_ascii_start().first() {
        Some(b'{' | b'[') | None => Ok(framed.body),
        Some(_) => Err(Fault::without_value(
            "not JSON: begins with a schema ID, so read it with from_avro or from_protobuf",
        )),
    }
}
