//! `from_json(value, 'timestamp timestamp, session_id string, …')`: parses JSON objects into typed columns.
//!
//! The result is a struct of the declared columns, `error`, and `error_value`. `error` is NULL where all went well, else
//! a reason that holds no values, so that reasons can be counted; `error_value` is the value that was wrong, cut to 40
//! characters. A row never fails the query. A field that is missing or null is NULL without an error (which fields are
//! required is for SQL to say); other fields are skipped; a value of the wrong type is NULL with an error; what is no
//! JSON object at all is NULL in every column.
//!
//! A column of type `json` takes, as one JSON object, the fields that have no column, as they were sent; NULL where there
//! are none. With `'evolve'` as third argument a value of the wrong type goes there too, instead of being an error; text
//! columns take numbers and booleans as text, and integer columns take `7.0`.
//!
//! Values stream from the parser into Arrow builders: no tree is built, and nothing is allocated for a good row.
//!
//! - `rows`: a column of texts into columns of values.
//! - `json`: the declared fields of one text.
//! - `sent`: its fields as they were sent, for rows that need them.
//! - `fault`: why a text is not as declared.
//! - `column`: one column being built.

mod column;
mod fault;
mod json;
mod rows;
mod sent;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

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
use rows::parse;

const NAME: &str = "from_json";
/// The columns that the result has besides the declared ones.
const ERRORS: [&str; 2] = ["error", "error_value"];

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
                "Parses one JSON object a row into a struct of the named columns, error (NULL where all went well, else \
                 the reason, which holds no values) and error_value (the value that was wrong). A row never fails the \
                 query.",
                "from_json(value, 'COLUMN TYPE, …'[, 'quarantine' | 'evolve'])",
            )
            .with_argument("value", "Text or bytes that hold the object.")
            .with_argument(
                "columns",
                "The columns with their types: string, bigint, int, double, float, boolean, timestamp, and once json, \
                 which takes the fields that have no column, as they were sent.",
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
        if ERRORS.contains(&field.name().as_str()) {
            return plan_err!(
                "{NAME}: `{}` is the name of a column for errors, which every result has",
                field.name()
            );
        }
        if Column::new(field.data_type()).is_none() {
            return plan_err!("{NAME}: column `{}` cannot be {}", field.name(), field.data_type());
        }
    }
    if declared.iter().filter(|field| is_rest(field)).count() > 1 {
        return plan_err!("{NAME}: one column of type json takes all fields that have no other");
    }
    let errors = ERRORS.map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
    Ok(declared.iter().cloned().chain(errors).collect())
}

fn is_rest(field: &Field) -> bool {
    field.metadata().contains_key(REST)
}
