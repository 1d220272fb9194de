//! Converts a column of JSON texts to the columns of the result.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder, StructArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;

use super::column::Column;
use super::fault::Fault;
use super::json::{Json, read_object, text};
use super::sent::Sent;
use crate::functions::columns::REST;

/// The columns of the result in addition to the declared ones.
pub(super) const ERRORS: [&str; 2] = ["error", "error_value"];

/// What to do with a value that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// An error.
    Quarantine,
    /// It is kept with the fields without a column.
    Evolve,
}

/// Parses texts into the columns declared in `fields`, plus those for errors.
pub(super) fn parse(values: &ArrayRef, fields: &Fields, policy: Policy) -> Result<StructArray> {
    // Converting to views is cheap for every layout.
    let values = cast(values, &DataType::BinaryView)?;
    let values = values.as_binary_view();
    let mut rows = Rows::new(fields, policy);
    let mut found: Vec<Option<Json<'_>>> = rows.names.iter().map(|_| None).collect();
    let mut sent = Sent::default();
    for row in 0..values.len() {
        let bytes = values.is_valid(row).then(|| values.value(row));
        let fault = rows.append(bytes, &mut found, &mut sent).err();
        rows.append_fault(fault);
    }
    rows.finish(fields, values.len())
}

/// The columns being built.
struct Rows<'n> {
    policy: Policy,
    names: Vec<&'n str>,
    columns: Vec<Column>,
    rest: Option<StringBuilder>,
    kinds: StringBuilder,
    values: StringBuilder,
    /// The columns whose value did not fit and is kept with the fields without a column.
    misfits: Vec<usize>,
}

impl<'n> Rows<'n> {
    fn new(fields: &'n Fields, policy: Policy) -> Self {
        let typed = || fields.iter().filter(|field| !is_error(field) && !is_rest(field));
        Self {
            policy,
            names: typed().map(|field| field.name().as_str()).collect(),
            columns: typed().filter_map(|field| Column::new(field.data_type())).collect(),
            rest: fields.iter().any(|field| is_rest(field)).then(StringBuilder::new),
            kinds: StringBuilder::new(),
            values: StringBuilder::new(),
            misfits: vec![],
        }
    }

    /// Appends a row to all columns except those for errors.
    fn append<'a>(
        &mut self,
        bytes: Option<&'a [u8]>,
        found: &mut [Option<Json<'a>>],
        sent: &mut Sent<'a>,
    ) -> Result<(), Fault<'a>> {
        self.misfits.clear();
        sent.clear();
        let read = text(bytes).and_then(|text| Ok((text, read_object(text, &self.names, found, sent)?)));
        let (text, has_others) = match read {
            Ok(read) => read,
            Err(fault) => {
                found.fill_with(|| None);
                self.append_nulls();
                return Err(fault);
            }
        };
        let mut first = None;
        for (place, value) in found.iter_mut().enumerate() {
            if let Err(fault) = self.append_value(place, value.take(), text, sent) {
                first.get_or_insert(fault);
            }
        }
        self.append_rest(first.is_none() && has_others, text, sent);
        first.map_or(Ok(()), Err)
    }

    fn append_value<'a>(
        &mut self,
        place: usize,
        value: Option<Json<'a>>,
        text: &'a str,
        sent: &mut Sent<'a>,
    ) -> Result<(), Fault<'a>> {
        let column = &mut self.columns[place];
        let Some(value) = value.filter(|value| !matches!(value, Json::Null)) else {
            column.append_null();
            return Ok(());
        };
        let widen = self.policy == Policy::Evolve;
        if column.append(&value, widen) {
            return Ok(());
        }
        read_sent(sent, text, &self.names);
        let as_sent = sent.value(place);
        if widen && value.is_number() && column.append_digits(as_sent) {
            return Ok(());
        }
        column.append_null();
        if widen && self.rest.is_some() {
            self.misfits.push(place);
            return Ok(());
        }
        let kind = format!("{}: {}", self.names[place], column.misfit(&value, as_sent));
        Err(Fault::new(kind, value.shown(as_sent)))
    }

    fn append_rest<'a>(&mut self, has_others: bool, text: &'a str, sent: &mut Sent<'a>) {
        let Some(rest) = &mut self.rest else { return };
        if !has_others && self.misfits.is_empty() {
            rest.append_null();
            return;
        }
        read_sent(sent, text, &self.names);
        sent.append_rest(&self.misfits, rest);
    }

    fn append_nulls(&mut self) {
        self.columns.iter_mut().for_each(Column::append_null);
        if let Some(rest) = &mut self.rest {
            rest.append_null();
        }
    }

    fn append_fault(&mut self, fault: Option<Fault<'_>>) {
        let (kind, value) = fault.map_or((None, None), |fault| (Some(fault.kind), fault.value));
        self.kinds.append_option(kind);
        self.values.append_option(value);
    }

    fn finish(mut self, fields: &Fields, rows: usize) -> Result<StructArray> {
        let mut columns = self.columns.into_iter();
        let mut arrays: Vec<ArrayRef> = vec![];
        for field in fields.iter().filter(|field| !is_error(field)) {
            let array: ArrayRef = match &mut self.rest {
                Some(rest) if is_rest(field) => Arc::new(rest.finish()),
                _ => columns
                    .next()
                    .map_or_else(|| new_null_array(field.data_type(), rows), Column::finish),
            };
            arrays.push(cast(&array, field.data_type())?);
        }
        arrays.push(Arc::new(self.kinds.finish()));
        arrays.push(Arc::new(self.values.finish()));
        Ok(StructArray::try_new(fields.clone(), arrays, None)?)
    }
}

pub(super) fn is_rest(field: &Field) -> bool {
    field.metadata().contains_key(REST)
}

fn is_error(field: &Field) -> bool {
    ERRORS.contains(&field.name().as_str())
}

/// Reads the row's fields as they were sent, once. The text has already been parsed, so this cannot fail.
fn read_sent<'a>(sent: &mut Sent<'a>, text: &'a str, names: &[&str]) {
    if sent.is_empty() {
        _ = sent.read(text, names);
    }
}
