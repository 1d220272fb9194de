//! `from_json(value, 'at timestamp, user_id string from $.user.id, items struct(id string, price double)[], …')`: parses
//! JSON objects into typed columns.
//!
//! The result is a struct of the declared columns, `error`, and `error_value`. `error` is NULL on success; otherwise it
//! is a reason without any values, so that reasons can be counted. `error_value` is the offending value, truncated to
//! 40 characters; if the value is in a list or a map, its place comes first. A row never fails the query. A field that
//! is missing or null is NULL without an error (SQL decides which fields are required); undeclared fields are skipped;
//! a value of the wrong type is NULL with an error; and anything that is not a JSON object, or has a declared field
//! twice, is NULL in every column.
//!
//! A column of type `rest` collects the fields that no other column takes whole in one JSON object, as they were sent;
//! NULL if there are none. With `'evolve'` as the third argument, it also takes fields with values of the wrong
//! type, which are then no error; text columns accept numbers and booleans as text, and integer columns accept `7.0`.
//!
//! Values stream from the parser into the builders of the columns: no tree is built, and nothing is allocated for a good
//! row. The paths of all columns are merged, so a record is read once. Only a value that several columns take, or of which
//! one column takes a part and another the whole, is read once for each.
//!
//! The declaration is parsed again for each batch, so the function has no state beyond its arguments.
//!
//! - `rows`: turns a column of texts into columns of values.
//! - `read`: reads one record into a row; `reading` is its state, `names` maps names of fields to columns.
//! - `tree`: the merged paths.
//! - `builder`: builds a column of any type, with `leaf` for plain values, over `storage`.
//! - `json`: a value by itself; `numbers`: numbers by their digits.
//! - `rest`: the fields that no column takes.
//! - `fault`: why a text does not match its declaration; `misfit` and `place`: which value, and where it is.

mod builder;
mod fault;
mod json;
mod leaf;
mod misfit;
mod names;
mod numbers;
mod place;
mod read;
mod reading;
mod rest;
mod rows;
mod storage;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::columns::{Column, parse_declaration};
use rows::{Policy, parse};

const NAME: &str = "from_json";
/// The columns of the result in addition to the declared ones.
const ERRORS: [&str; 2] = ["error", "error_value"];

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
        let fields = result_fields(&declared(args.scalar_arguments[1])?)?;
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
        let columns = match &args.args[1] {
            ColumnarValue::Scalar(declaration) => declared(Some(declaration))?,
            ColumnarValue::Array(_) => declared(None)?,
        };
        let policy = match args.args.get(2) {
            Some(ColumnarValue::Scalar(policy)) => policy_of(Some(policy))?,
            Some(ColumnarValue::Array(_)) => policy_of(None)?,
            None => Policy::Quarantine,
        };
        Ok(ColumnarValue::Array(Arc::new(parse(&value, &columns, fields, policy)?)))
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
                "The columns with their types: string, bigint, int, double, float, boolean, decimal(precision, scale), \
                 date and timestamp (as text, or in formats that follow: timestamp '%d.%m.%Y %H:%M'), timestamp_s, \
                 timestamp_ms, timestamp_us and timestamp_ns (numbers since 1970), json (any value, as its text), \
                 struct(name type, …), map(string, type), and lists of them, like string[]. A column is the field of its \
                 name, or is elsewhere: item_id string from $.properties.items[0]['product id']. One column of type rest \
                 collects the fields that no other column takes, as they were sent.",
            )
            .with_argument(
                "policy",
                "How to treat a value of another type: as an error ('quarantine', the default), or as a field without \
                 a column ('evolve').",
            )
            .with_sql_example(
                "select from_json('{\"id\": \"a\", \"items\": [{\"price\": 9.5}]}', 'id string, items struct(price \
                 double)[]')['items'];",
            )
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

/// The columns in the second argument, if it is a literal.
fn declared(argument: Option<&ScalarValue>) -> Result<Vec<Column>> {
    match argument.and_then(|argument| argument.try_as_str().flatten()) {
        Some(declaration) => parse_declaration(NAME, declaration),
        None => plan_err!("{NAME}: the second argument must be a literal, like 'id string, at timestamp'"),
    }
}

fn result_fields(columns: &[Column]) -> Result<Fields> {
    for column in columns {
        if ERRORS.contains(&column.name.as_str()) {
            return plan_err!(
                "{NAME}: `{}` is reserved for errors; choose another name for the column",
                column.name
            );
        }
    }
    let declared = columns.iter().map(Column::field);
    let errors = ERRORS.map(|name| Field::new(name, DataType::Utf8, true));
    Ok(declared.chain(errors).map(Arc::new).collect())
}
