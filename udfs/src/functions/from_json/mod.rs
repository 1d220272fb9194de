//! `from_json(value, 'timestamp timestamp, session_id string, …')`: parses JSON objects into typed columns.
//!
//! The result is a struct of the declared columns, `error`, and `error_value`. `error` is NULL on success; otherwise it
//! is a reason without any values, so that reasons can be counted. `error_value` is the offending value, truncated to
//! 40 characters. A row never fails the query. A field that is missing or null is NULL without an error (SQL decides
//! which fields are required); undeclared fields are skipped; a value of the wrong type is NULL with an error; and
//! anything that is not a JSON object is NULL in every column.
//!
//! A column of type `json` collects the fields without a column in one JSON object, as they were sent; NULL if there
//! are none. With `'evolve'` as the third argument, it also takes values of the wrong type, which are then no error;
//! text columns accept numbers and booleans as text, and integer columns accept `7.0`.
//!
//! Values stream from the parser into Arrow builders: no tree is built, and nothing is allocated for a good row.
//!
//! - `rows`: turns a column of texts into columns of values.
//! - `json`: extracts the declared fields of one text.
//! - `sent`: all its fields as they were sent, for rows that need them.
//! - `fault`: why a text does not match its declaration.
//! - `column`: builds one column.

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

use super::parse_columns;
use column::Column;
use rows::{ERRORS, Policy, is_rest, parse};

const NAME: &str = "from_json";

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FromJson {
    signature: Signature,
}

impl Default for FromJson {
    fn default() -> Self {
        // Accepts any type: binary and text of all layouts are checked below, with a better message. Volatile, although
        // the same text always gives the same fields, so that the optimizer leaves the call in place. Otherwise it
        // would copy a filter on a field into every branch of its predicate, and each record would be parsed ten times.
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
            return plan_err!("{NAME}: the first argument must be text or binary, not {value}");
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
                "Parses one JSON object per row into a struct of the named columns, error (NULL on success, otherwise \
                 the reason, without values) and error_value (the value that was wrong). No row makes the query \
                 fail.",
                "from_json(value, 'COLUMN TYPE, …'[, 'quarantine' | 'evolve'])",
            )
            .with_argument("value", "Text or bytes with the object.")
            .with_argument(
                "columns",
                "The columns with their types: string, bigint, int, double, float, boolean, timestamp, and one json, \
                 which collects the fields without a column, as they were sent.",
            )
            .with_argument(
                "policy",
                "How to treat a value of another type: as an error ('quarantine', the default), or as a field without \
                 a column ('evolve').",
            )
            .with_sql_example("select from_json('{\"id\": \"a\"}', 'id string')['id'];")
            .build()
        });
        Some(&DOCUMENTATION)
    }
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
                "{NAME}: `{}` is reserved for errors; choose another name for the column",
                field.name()
            );
        }
        if Column::new(field.data_type()).is_none() {
            return plan_err!(
                "{NAME}: column `{}` cannot have the type {}",
                field.name(),
                field.data_type()
            );
        }
    }
    if declared.iter().filter(|field| is_rest(field)).count() > 1 {
        return plan_err!("{NAME}: only one column may have the type json: it collects all fields without a column");
    }
    let errors = ERRORS.map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
    Ok(declared.iter().cloned().chain(errors).collect())
}
