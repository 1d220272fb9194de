//! What tests of the functions share: a registry, and calls.

#![allow(clippy::unwrap_used)]

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, ListBuilder, StringBuilder, StructArray, StructBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::async_udf::AsyncScalarUDFImpl;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl};

use super::{DecodeFunction, RegisteredSchema, Schema, SchemaRegistry};
use crate::functions::frame::{Guid, SchemaId};

/// Knows some schemas by their numbers, and remembers what was requested. It does not answer to ID 13.
#[derive(Debug)]
pub(in crate::functions) struct Stub {
    schemas: BTreeMap<u32, Schema>,
    requested: Mutex<Vec<u32>>,
}

impl Stub {
    pub fn new(schemas: impl IntoIterator<Item = (u32, Schema)>) -> Arc<Self> {
        Arc::new(Self {
            schemas: schemas.into_iter().collect(),
            requested: Mutex::default(),
        })
    }

    /// The IDs that were requested, in order.
    pub fn requested(&self) -> Vec<u32> {
        let mut requested = self.requested.lock().unwrap().clone();
        requested.sort_unstable();
        requested
    }
}

#[async_trait]
impl SchemaRegistry for Stub {
    fn is_same(&self, other: &dyn SchemaRegistry) -> bool {
        (other as &dyn Any).is::<Self>()
    }

    /// A GUID ends with the number.
    async fn schema(&self, id: SchemaId) -> Result<RegisteredSchema> {
        let number = match id {
            SchemaId::Number(number) => number,
            SchemaId::Guid(Guid([.., a, b, c, d])) => u32::from_be_bytes([a, b, c, d]),
        };
        self.requested.lock().unwrap().push(number);
        match self.schemas.get(&number) {
            _ if number == 13 => Err(exec_datafusion_err!("the registry is down")),
            Some(schema) => Ok(RegisteredSchema::Known(schema.clone())),
            None => Ok(RegisteredSchema::Unknown),
        }
    }
}

/// Calls a function as a query does, with columns and then literals.
pub(in crate::functions) async fn call(
    function: &DecodeFunction,
    columns: &[ArrayRef],
    literals: &[&str],
) -> Result<StructArray> {
    let literals: Vec<ScalarValue> = literals.iter().map(|literal| ScalarValue::from(*literal)).collect();
    let field = |data_type: DataType| -> FieldRef { Arc::new(Field::new("a", data_type, true)) };
    let mut arg_fields: Vec<FieldRef> = columns.iter().map(|column| field(column.data_type().clone())).collect();
    arg_fields.extend(literals.iter().map(|literal| field(literal.data_type())));
    let mut scalars = vec![None; columns.len()];
    scalars.extend(literals.iter().map(Some));
    let return_field = function.return_field_from_args(ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &scalars,
    })?;
    let number_rows = columns[0].len();
    let mut args: Vec<ColumnarValue> = columns.iter().cloned().map(ColumnarValue::Array).collect();
    args.extend(literals.into_iter().map(ColumnarValue::Scalar));
    let args = ScalarFunctionArgs {
        args,
        arg_fields,
        number_rows,
        return_field,
        config_options: Arc::new(ConfigOptions::default()),
    };
    let result = function.invoke_async_with_args(args).await?.to_array(number_rows)?;
    Ok(result.as_struct().clone())
}

/// The headers of a record: keys and values; `None` is NULL.
pub(in crate::functions) type Headers<'a> = Option<Vec<(&'a str, Vec<u8>)>>;

/// The headers of records, as Bronze has them.
pub(in crate::functions) fn header_rows(rows: &[Headers<'_>]) -> ArrayRef {
    let fields = vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ];
    let mut lists = ListBuilder::new(StructBuilder::from_fields(fields, 0));
    for row in rows {
        for (key, value) in row.iter().flatten() {
            let header = lists.values();
            header.field_builder::<StringBuilder>(0).unwrap().append_value(key);
            header.field_builder::<BinaryBuilder>(1).unwrap().append_value(value);
            header.append(true);
        }
        lists.append(row.is_some());
    }
    Arc::new(lists.finish())
}

/// A value in its frame.
pub(in crate::functions) fn framed_with(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0_u8][..], &id.to_be_bytes(), body].concat()
}

pub(in crate::functions) fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = (0..hexadecimal.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap())
        .collect()
}

/// The values of a column as texts.
pub(in crate::functions) fn column(rows: &StructArray, name: &str) -> Vec<Option<String>> {
    let column = cast(rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
    column
        .as_string::<i32>()
        .iter()
        .map(|value| value.map(str::to_owned))
        .collect()
}

pub(in crate::functions) fn texts_of(values: &[Option<&str>]) -> Vec<Option<String>> {
    values.iter().map(|value| value.map(str::to_owned)).collect()
}
