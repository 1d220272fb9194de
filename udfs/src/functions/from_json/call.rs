//! The arguments that `from_json` shares with `from_avro` and `from_protobuf`: the declared columns, and the policy
//! after them.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs};

use crate::functions::columns::{Column, parse_declaration};

/// The words for the positions of arguments in messages.
const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];
/// The columns of the result in addition to the declared ones.
const ERRORS: [&str; 2] = ["error", "error_value"];

/// The documentation of the declared columns.
pub(in crate::functions) const COLUMNS: &str = "The columns with their types: string, bigint, int, double, float, \
    boolean, decimal(precision, scale), date and timestamp (as text, or in formats that follow: timestamp '%d.%m.%Y \
    %H:%M'), timestamp_s, timestamp_ms, timestamp_us and timestamp_ns (numbers since 1970), json (any value, as its \
    text), struct(name type, …), map(string, type), and lists of them, like string[]. A column is the field of its \
    name, or is elsewhere: item_id string from $.properties.items[0]['product id']. One column of type rest collects \
    the fields that no other column takes, as they were sent.";

/// The documentation of the policy.
pub(in crate::functions) const POLICY: &str = "How to treat a value of another type: as an error ('quarantine', the \
    default), or as a field without a column ('evolve').";

/// What to do with a value that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::functions) enum Policy {
    /// An error.
    Quarantine,
    /// It is kept with the fields without a column.
    Evolve,
}

/// What a call of a function declares.
pub(in crate::functions) struct Declared<'a> {
    pub columns: Vec<Column>,
    /// All columns of the result.
    pub fields: &'a Fields,
    pub policy: Policy,
}

impl<'a> Declared<'a> {
    /// From the argument at this index, from 0, and the one after it.
    pub fn of(function: &str, args: &'a ScalarFunctionArgs, place: usize) -> Result<Self> {
        let DataType::Struct(fields) = args.return_field.data_type() else {
            return exec_err!("{function}: the result is not a struct");
        };
        let policy = match args.args.get(place + 1) {
            Some(policy) => policy_of(function, literal(policy), place + 1)?,
            None => Policy::Quarantine,
        };
        Ok(Self {
            columns: columns(function, args.args.get(place).and_then(literal), place)?,
            fields,
            policy,
        })
    }
}

/// The field of the result: a struct of the declared columns and those for errors. The argument at this index declares
/// them.
pub(in crate::functions) fn result_field(function: &str, args: &ReturnFieldArgs<'_>, place: usize) -> Result<FieldRef> {
    let value = args.arg_fields[0].data_type();
    if !is_text(value) {
        return plan_err!("{function}: the first argument must be text or binary, not {value}");
    }
    let columns = columns(function, args.scalar_arguments.get(place).copied().flatten(), place)?;
    if let Some(policy) = args.scalar_arguments.get(place + 1) {
        policy_of(function, *policy, place + 1)?;
    }
    let fields = result_fields(function, &columns)?;
    Ok(Arc::new(Field::new(function, DataType::Struct(fields), false)))
}

/// The word for the position of an argument, from 0.
pub(in crate::functions) fn ordinal(place: usize) -> &'static str {
    ORDINALS.get(place).copied().unwrap_or("last")
}

/// The value of an argument that is a literal.
pub(in crate::functions) fn literal(argument: &ColumnarValue) -> Option<&ScalarValue> {
    match argument {
        ColumnarValue::Scalar(value) => Some(value),
        ColumnarValue::Array(_) => None,
    }
}

fn policy_of(function: &str, argument: Option<&ScalarValue>, place: usize) -> Result<Policy> {
    match argument.and_then(|argument| argument.try_as_str().flatten()) {
        Some("quarantine") => Ok(Policy::Quarantine),
        Some("evolve") => Ok(Policy::Evolve),
        _ => plan_err!(
            "{function}: the {} argument must be 'quarantine' or 'evolve'",
            ordinal(place)
        ),
    }
}

fn is_text(data_type: &DataType) -> bool {
    use DataType::*;
    matches!(
        data_type,
        Binary | LargeBinary | BinaryView | Utf8 | LargeUtf8 | Utf8View | Null
    )
}

/// The columns in an argument, if it is a literal.
fn columns(function: &str, argument: Option<&ScalarValue>, place: usize) -> Result<Vec<Column>> {
    match argument.and_then(|argument| argument.try_as_str().flatten()) {
        Some(declaration) => parse_declaration(function, declaration),
        None => plan_err!(
            "{function}: the {} argument must be a literal, like 'id string, at timestamp'",
            ordinal(place)
        ),
    }
}

pub(super) fn result_fields(function: &str, columns: &[Column]) -> Result<Fields> {
    for column in columns {
        if ERRORS.contains(&column.name.as_str()) {
            return plan_err!(
                "{function}: `{}` is reserved for errors; choose another name for the column",
                column.name
            );
        }
    }
    let declared = columns.iter().map(Column::field);
    let errors = ERRORS.map(|name| Field::new(name, DataType::Utf8, true));
    Ok(declared.chain(errors).map(Arc::new).collect())
}
