//! `from_json(value, 'timestamp timestamp, session_id string, …')`: parses JSON objects into typed columns.
//!
//! The result is a struct of the declared columns and a last one, `error`: NULL where all went well, else the reason.
//! A row never fails the query. A field that is missing or null is NULL without an error (which fields are required
//! is for SQL to say); other fields are skipped; a value of the wrong type is NULL with an error; what is no JSON
//! object at all is NULL in every column.
//!
//! A column of type `json` takes, as one JSON object, the fields that have no column; NULL where there are none. With
//! `'evolve'` as third argument a value of the wrong type goes there too, instead of being an error, and text columns
//! take whole numbers and booleans as text.
//!
//! Values stream from the parser into Arrow builders: no tree is built, and nothing is allocated for a good row
//! that has no fields without a column.

mod column;
mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder, StructArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::columns::REST;
use super::parse_columns;
use column::Column;
use json::{Json, others, read_object};

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
            signature: Signature::one_of(vec![TypeSignature::Any(2), TypeSignature::Any(3)], Volatility::Volatile),
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
        if let Some(policy) = args.scalar_arguments.get(2) {
            policy_of(*policy)?;
        }
        Ok(Arc::new(Field::new(NAME, DataType::Struct(fields), false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Struct(fields) = args.return_field.data_type() else {
            return exec_err!("{NAME}: the result is not a struct");
        };
        let value = args.args[0].to_array(args.number_rows)?;
        let policy = match args.args.get(2) {
            Some(ColumnarValue::Scalar(policy)) => policy_of(Some(policy))?,
            Some(ColumnarValue::Array(_)) => policy_of(None)?,
            None => Policy::Quarantine,
        };
        Ok(ColumnarValue::Array(Arc::new(parse(&value, fields, policy)?)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            Documentation::builder(
                DOC_SECTION_OTHER,
                "Parses one JSON object a row into a struct of the named columns and a last one, error: NULL where all \
                 went well, else the reason. A row never fails the query.",
                "from_json(value, 'COLUMN TYPE, …'[, 'quarantine' | 'evolve'])",
            )
            .with_argument("value", "Text or bytes that hold the object.")
            .with_argument(
                "columns",
                "The columns with their types: string, bigint, int, double, float, boolean, timestamp, and once json, \
                 which takes the fields that have no column.",
            )
            .with_argument(
                "policy",
                "What a value of another type is: an error ('quarantine', the default), or one of the fields without \
                 a column ('evolve').",
            )
            .with_sql_example("select from_json('{\"id\": \"a\"}', 'id string')['id'];")
            .build()
        });
        Some(&DOCUMENTATION)
    }
}

/// What to do with a value that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// An error.
    Quarantine,
    /// It is kept among the fields without a column.
    Evolve,
}

fn policy_of(argument: Option<&ScalarValue>) -> Result<Policy> {
    match argument.and_then(|argument| argument.try_as_str().flatten()) {
        Some("quarantine") => Ok(Policy::Quarantine),
        Some("evolve") => Ok(Policy::Evolve),
        _ => plan_err!("{NAME}: the third argument must be 'quarantine' or 'evolve'"),
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
    if declared.iter().filter(|field| is_rest(field)).count() > 1 {
        return plan_err!("{NAME}: one column of type json takes all fields that have no other");
    }
    let error = Arc::new(Field::new(ERROR, DataType::Utf8, true));
    Ok(declared.iter().cloned().chain([error]).collect())
}

fn is_rest(field: &Field) -> bool {
    field.metadata().contains_key(REST)
}

/// Parses a column of JSON texts.
fn parse(values: &ArrayRef, fields: &Fields, policy: Policy) -> Result<StructArray> {
    // Views are the layout that every other one turns into cheaply.
    let values = cast(values, &DataType::BinaryView)?;
    let values = values.as_binary_view();
    let typed = || fields.iter().filter(|field| field.name() != ERROR && !is_rest(field));
    let names: Vec<&str> = typed().map(|field| field.name().as_str()).collect();
    let mut columns: Vec<Column> = typed().filter_map(|field| Column::new(field.data_type())).collect();
    let mut rest = fields.iter().any(|field| is_rest(field)).then(StringBuilder::new);
    let mut errors = StringBuilder::new();
    let mut found: Vec<Option<Json<'_>>> = names.iter().map(|_| None).collect();
    let mut misfits: Vec<&str> = vec![];
    for row in 0..values.len() {
        let bytes = if values.is_valid(row) {
            Some(values.value(row))
        } else {
            None
        };
        misfits.clear();
        let read = read_object(bytes, &names, &mut found);
        let has_others = matches!(read, Ok(true));
        let mut error = read.err();
        for ((name, column), value) in names.iter().zip(&mut columns).zip(&mut found) {
            let value = value.take().filter(|_| error.is_none());
            match column.append(value, policy == Policy::Evolve) {
                Err(_) if policy == Policy::Evolve && rest.is_some() => misfits.push(name),
                Err(reason) => _ = error.get_or_insert(Cow::Owned(format!("{name}: {reason}"))),
                Ok(()) => {}
            }
        }
        if let Some(rest) = &mut rest {
            let others = if error.is_none() && (has_others || !misfits.is_empty()) {
                others(bytes, &names, &misfits)
            } else {
                Ok(None)
            };
            rest.append_option(others.unwrap_or_else(|reason| {
                error.get_or_insert(reason);
                None
            }));
        }
        errors.append_option(error);
    }
    let mut columns = columns.into_iter();
    let mut arrays: Vec<ArrayRef> = vec![];
    for field in fields.iter().filter(|field| field.name() != ERROR) {
        let array: ArrayRef = match &mut rest {
            Some(rest) if is_rest(field) => Arc::new(rest.finish()),
            _ => columns
                .next()
                .map_or_else(|| new_null_array(field.data_type(), values.len()), Column::finish),
        };
        arrays.push(cast(&array, field.data_type())?);
    }
    arrays.push(Arc::new(errors.finish()));
    Ok(StructArray::try_new(fields.clone(), arrays, None)?)
}
