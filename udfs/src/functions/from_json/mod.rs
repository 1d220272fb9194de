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
//! The declaration is parsed again for each batch, so the function has no state beyond its arguments. `from_avro` and
//! `from_protobuf` share the arguments and all that follows, because they make JSON of their records.
//!
//! - `call`: the arguments.
//! - `rows`: turns a column of texts into columns of values.
//! - `read`: reads one record into a row; `reading` is its state, `names` maps names of fields to columns.
//! - `tree`: the merged paths.
//! - `builder`: builds a column of any type, with `leaf` for plain values, over `storage`.
//! - `json`: a value by itself; `numbers`: numbers by their digits.
//! - `rest`: the fields that no column takes.
//! - `fault`: why a text does not match its declaration; `misfit` and `place`: which value, and where it is.

mod builder;
mod call;
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

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use rows::parse;

pub(super) use call::{COLUMNS, Declared, POLICY, Policy, literal, ordinal, result_field};
pub(super) use fault::Fault;
pub(super) use leaf::{DAYS, TIMES};
pub(super) use rows::parse_texts;

const NAME: &str = "from_json";
/// Where the declared columns are among the arguments.
const COLUMNS_PLACE: usize = 1;

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
        result_field(NAME, &args, COLUMNS_PLACE)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let declared = Declared::of(NAME, &args, COLUMNS_PLACE)?;
        let value = args.args[0].to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(parse(&value, &declared)?)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> =
            LazyLock::new(|| {
                Documentation::builder(
                DOC_SECTION_OTHER,
                "Parses one JSON object per row into a struct of the named columns, error (NULL on success, otherwise \
                 the reason, without values) and error_value (the value that was wrong). No row makes the query \
                 fail.",
                "from_json(value, 'COLUMN TYPE, …'[, 'quarantine' | 'evolve'])",
            )
            .with_argument("value", "Text or bytes with the object; the schema ID of a registry may precede it.")
            .with_argument("columns", COLUMNS)
            .with_argument("policy", POLICY)
            .with_sql_example(
                "select from_json('{\"id\": \"a\", \"items\": [{\"price\": 9.5}]}', 'id string, items struct(price \
                 double)[]')['items'];",
            )
            .build()
            });
        Some(&DOCUMENTATION)
    }
}
