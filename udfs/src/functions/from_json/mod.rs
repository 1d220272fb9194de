//! `from_json(value, 'timestamp timestamp, session_id string, …')`: parses JSON objects into typed columns.
//!
//! The result is a struct of the declared columns and a last one, `error`: NULL where all went well, else the reason.
//! A row never fails the query. A field that is missing or null is NULL without an error (which fields are required
//! is for SQL to say); other fields are skipped; a value of the wrong type is NULL with an error; what is no JSON
//! object at all is NULL in every column.
//!
//! Values stream from the parser into Arrow builders: no tree is built, and nothing is allocated for a good row.

mod column;
mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::parse_columns;
use column::Column;
use json::{Json, read_object};

const NAME: &str = "from_json";
const ERROR: &str = "error";

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FromJson {
    signature: Signature,
}

impl Default for FromJson {
    fn default() -> Self {
        // Any type of value: binary and text of all layouts, checked below with a better message. Volatile, although the
        // same text always gives the same fields: the optimizer then leaves the call where it is written. Otherwise a
        // filter on a field copies it into every branch of its predicate, and each record is parsed ten times.
        Self {
            signature: Signature::new(TypeSignature::Any(2), Volatility::Volatile),
        }
    }
}

impl ScalarUDFImpl for FromJson {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{NAME}: the result depends on the second argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let value = args.arg_fields[0].data_type();
        if !is_text(value) {
            return plan_err!("{NAME}: the first argument must be text or binary, it is {value}");
        }
        let fields = match args.scalar_arguments[1] {
            Some(
                ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)),
            ) => result_fields(text)?,
            _ => return plan_err!("{NAME}: the second argument must be a literal, like 'id string, at timestamp'"),
        };
        Ok(Arc::new(Field::new(NAME, DataType::Struct(fields), false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Struct(fields) = args.return_field.data_type() else {
            return exec_err!("{NAME}: the result is not a struct");
        };
        let value = args.args[0].to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(parse(&value, fields)?)))
    }
}

fn is_text(data_type: &DataType) -> bool {
    use DataType::*;
    matches!(
        data_type,
        Binary | LargeBinary | BinaryView | Utf8 | LargeUtf8 | Utf8View | Null
    )
}

fn result_fields(declaration: &str) -> Result<Fields> {
    let declared = parse_columns(NAME, declaration)?;
    for field in &declared {
        if field.name() == ERROR {
            return plan_err!("{NAME}: `{ERROR}` is the name of the column for errors");
        }
        if Column::new(field.data_type()).is_none() {
            return plan_err!("{NAME}: column `{}` cannot be {}", field.name(), field.data_type());
        }
    }
    let error = Arc::new(Field::new(ERROR, DataType::Utf8, true));
    Ok(declared.iter().cloned().chain([error]).collect())
}

/// Parses a column of JSON texts.
fn parse(values: &ArrayRef, fields: &Fields) -> Result<StructArray> {
    // Views are the layout that every other one turns into cheaply.
    let values = cast(values, &DataType::BinaryView)?;
    let values = values.as_binary_view();
    let names: Vec<&str> = fields
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| *name != ERROR)
        .collect();
    let mut columns: Vec<Column> = fields
        .iter()
        .filter_map(|field| Column::new(field.data_type()))
        .collect();
    columns.truncate(names.len());
    let mut errors = StringBuilder::new();
    let mut found: Vec<Option<Json<'_>>> = names.iter().map(|_| None).collect();
    for row in 0..values.len() {
        let bytes = if values.is_valid(row) {
            Some(values.value(row))
        } else {
            None
        };
        let mut error = read_object(bytes, &names, &mut found).err();
        for ((name, column), value) in names.iter().zip(&mut columns).zip(&mut found) {
            let value = value.take().filter(|_| error.is_none());
            if let Err(reason) = column.append(value) {
                error.get_or_insert(Cow::Owned(format!("{name}: {reason}")));
            }
        }
        errors.append_option(error);
    }
    let mut arrays: Vec<ArrayRef> = vec![];
    for (column, field) in columns.into_iter().zip(fields) {
        arrays.push(cast(&column.finish(), field.data_type())?);
    }
    arrays.push(Arc::new(errors.finish()));
    Ok(StructArray::try_new(fields.clone(), arrays, None)?)
}
