//! Parses columns with their types from a string: `'event_id string, at timestamp, tags string[]'`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::common::{Result, plan_err};

const TYPES: &str = "string, bigint, int, double, float, boolean, timestamp, date, json, and arrays of them (string[])";

/// The metadata key of a column of type `json`: text that `from_json` fills with the fields without a column.
pub(super) const REST: &str = "clickrec.rest";

/// Parses a list of columns; errors name `function`. Column names may be quoted.
///
/// # Errors
/// A plan error that names the column when a type is unknown, or a name is missing or repeated.
pub fn parse_columns(function: &str, declaration: &str) -> Result<Fields> {
    let mut fields: Vec<Arc<Field>> = vec![];
    for column in declaration.split(',').map(str::trim) {
        let Some((name, kind)) = column.split_once(char::is_whitespace) else {
            return plan_err!("{function}: `{column}` needs a name and a type; the types are {TYPES}");
        };
        let name = name.trim_matches('"');
        let Some(data_type) = data_type(kind.trim()) else {
            return plan_err!(
                "{function}: column `{name}` has the unknown type `{}`; the types are {TYPES}",
                kind.trim()
            );
        };
        if fields.iter().any(|field| field.name() == name) {
            return plan_err!("{function}: column `{name}` is declared twice");
        }
        let field = Field::new(name, data_type, true);
        let is_rest = kind.trim().eq_ignore_ascii_case("json");
        let metadata = is_rest.then(|| (REST.to_owned(), String::new()));
        fields.push(Arc::new(field.with_metadata(metadata.into_iter().collect())));
    }
    Ok(fields.into())
}

fn data_type(text: &str) -> Option<DataType> {
    if let Some(element) = text.strip_suffix("[]") {
        return Some(DataType::List(Arc::new(Field::new_list_field(
            data_type(element.trim())?,
            true,
        ))));
    }
    Some(match text.to_ascii_lowercase().as_str() {
        "string" | "varchar" | "text" | "json" => DataType::Utf8,
        "bigint" => DataType::Int64,
        "int" | "integer" => DataType::Int32,
        "double" => DataType::Float64,
        "float" => DataType::Float32,
        "boolean" | "bool" => DataType::Boolean,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "date" => DataType::Date32,
        _ => return None,
    })
}
