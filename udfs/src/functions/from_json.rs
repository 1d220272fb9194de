//! `from_json(value, 'timestamp timestamp, session_id string, …')`: parses JSON objects into typed columns.
//!
//! The result is a struct of the declared columns and a last one, `error`: NULL where all went well, else the reason.
//! A row never fails the query. A field that is missing or null is NULL without an error (which fields are required
//! is for SQL to say); other fields are skipped; a value of the wrong type is NULL with an error; what is no JSON
//! object at all is NULL in every column.
//!
//! Values stream from the parser into Arrow builders: no tree is built, and nothing is allocated for a good row.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{Datelike, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, StructArray,
    TimestampMicrosecondBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::parse_columns;

const NAME: &str = "from_json";
const ERROR: &str = "error";
/// Texts in error messages are cut to so many characters.
const SHOWN: usize = 40;

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FromJson {
    signature: Signature,
}

impl Default for FromJson {
    fn default() -> Self {
        // Any type of value: binary and text of all layouts, checked below with a better message.
        Self {
            signature: Signature::new(TypeSignature::Any(2), Volatility::Immutable),
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

/// Finds the declared fields of one text; the reason where it is no JSON object.
fn read_object<'a>(
    bytes: Option<&'a [u8]>,
    names: &[&str],
    found: &mut [Option<Json<'a>>],
) -> std::result::Result<(), Cow<'static, str>> {
    let bytes = bytes.ok_or("no value (a tombstone)")?;
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    if text.trim().is_empty() {
        return Err("empty".into());
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let object = Object { names, found };
    object
        .deserialize(&mut parser)
        .and_then(|()| parser.end())
        .map_err(|error| reason(&error))
}

fn reason(error: &serde_json::Error) -> Cow<'static, str> {
    use serde_json::error::Category;
    let text = error.to_string();
    match error.classify() {
        Category::Eof => "not JSON: cut off".into(),
        Category::Syntax if text.starts_with("recursion limit") => "nested too deeply".into(),
        Category::Syntax | Category::Io => "not JSON".into(),
        Category::Data if text.starts_with("duplicate field") => text
            .split(" at line ")
            .next()
            .unwrap_or("duplicate field")
            .to_owned()
            .into(),
        Category::Data => "not a JSON object".into(),
    }
}

/// A value as JSON has it.
enum Json<'a> {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(Cow<'a, str>),
    Array,
    Object,
}

impl Json<'_> {
    fn describe(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => format!("number {value}"),
            Self::Number(value) => format!("number {value}"),
            Self::Text(_) => "string".to_owned(),
            Self::Array => "array".to_owned(),
            Self::Object => "object".to_owned(),
        }
    }
}

/// Takes the declared fields out of an object.
struct Object<'n, 'f, 'a> {
    names: &'n [&'n str],
    found: &'f mut [Option<Json<'a>>],
}

impl<'a> DeserializeSeed<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut seen = 0_u64;
        while let Some(column) = map.next_key_seed(Name(self.names))? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen & (1 << (column % 64)) != 0 && self.found[column].is_some() {
                return Err(A::Error::custom(format!("duplicate field `{}`", self.names[column])));
            }
            seen |= 1 << (column % 64);
            self.found[column] = map.next_value_seed(Value)?;
        }
        Ok(())
    }
}

/// A field's name to its place among the declared ones.
struct Name<'n>(&'n [&'n str]);

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> std::result::Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<Option<usize>, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

/// Any value; `None` for null. Arrays and objects are passed over.
struct Value;

impl<'a> DeserializeSeed<'a> for Value {
    type Value = Option<Json<'a>>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Value {
    type Value = Option<Json<'a>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Self::Value, E> {
        Ok(Some(Json::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Self::Value, E> {
        Ok(Some(Json::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Self::Value, E> {
        Ok(Some(
            i64::try_from(value).map_or(Json::Number(value as f64), Json::Integer),
        ))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Self::Value, E> {
        Ok(Some(Json::Number(value)))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> std::result::Result<Self::Value, E> {
        Ok(Some(Json::Text(Cow::Borrowed(value))))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Self::Value, E> {
        Ok(Some(Json::Text(Cow::Owned(value.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> std::result::Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Json::Array))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut fields: A) -> std::result::Result<Self::Value, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Json::Object))
    }
}

/// A column being built.
enum Column {
    Text(StringBuilder),
    Integer(Int64Builder, std::ops::RangeInclusive<i64>),
    Number(Float64Builder),
    Bool(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Column {
    fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Int64 => Self::Integer(Int64Builder::new(), i64::MIN..=i64::MAX),
            DataType::Int32 => Self::Integer(Int64Builder::new(), i64::from(i32::MIN)..=i64::from(i32::MAX)),
            DataType::Float64 | DataType::Float32 => Self::Number(Float64Builder::new()),
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Timestamp(_, zone) => {
                Self::Time(TimestampMicrosecondBuilder::new().with_timezone_opt(zone.clone()))
            }
            _ => return None,
        })
    }

    /// Appends a value, or NULL; the reason where the value does not fit the column, which then is NULL.
    fn append(&mut self, value: Option<Json<'_>>) -> std::result::Result<(), String> {
        match (&mut *self, &value) {
            (_, None) => {}
            (Self::Text(column), Some(Json::Text(text))) => return Ok(column.append_value(text)),
            (Self::Integer(column, range), Some(Json::Integer(number))) if range.contains(number) => {
                return Ok(column.append_value(*number));
            }
            (Self::Number(column), Some(Json::Integer(number))) => return Ok(column.append_value(*number as f64)),
            (Self::Number(column), Some(Json::Number(number))) => return Ok(column.append_value(*number)),
            (Self::Bool(column), Some(Json::Bool(value))) => return Ok(column.append_value(*value)),
            (Self::Time(column), Some(Json::Text(text))) => {
                if let Some(micros) = micros(text) {
                    return Ok(column.append_value(micros));
                }
            }
            _ => {}
        }
        self.append_null();
        match value {
            None => Ok(()),
            Some(Json::Text(text)) if matches!(self, Self::Time(_)) => Err(format!(
                "not an RFC 3339 time: '{}'",
                text.chars().take(SHOWN).collect::<String>()
            )),
            Some(other) => Err(format!("expected {}, found {}", self.name(), other.describe())),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Text(column) => column.append_null(),
            Self::Integer(column, _) => column.append_null(),
            Self::Number(column) => column.append_null(),
            Self::Bool(column) => column.append_null(),
            Self::Time(column) => column.append_null(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(..) => "integer",
            Self::Number(_) => "number",
            Self::Bool(_) => "boolean",
            Self::Time(_) => "timestamp",
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Integer(mut column, _) => Arc::new(column.finish()),
            Self::Number(mut column) => Arc::new(column.finish()),
            Self::Bool(mut column) => Arc::new(column.finish()),
            Self::Time(mut column) => Arc::new(column.finish()),
        }
    }
}

/// Microseconds since 1970; a time without zone is UTC.
fn micros(text: &str) -> Option<i64> {
    let at = string_to_datetime(&Utc, text).ok()?;
    (1..=9_999).contains(&at.year()).then(|| at.timestamp_micros())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::arrow::array::BinaryArray;
    use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
    use proptest::prelude::*;

    use super::*;

    fn parsed(values: Vec<Option<&[u8]>>) -> StructArray {
        let fields = result_fields("id string, n bigint, at timestamp, ok boolean, x double").unwrap();
        parse(&(Arc::new(BinaryArray::from(values)) as ArrayRef), &fields).unwrap()
    }

    fn error(value: &[u8]) -> Option<String> {
        let row = parsed(vec![Some(value)]);
        let errors = row.column_by_name("error").unwrap().as_string::<i32>();
        errors.iter().next().unwrap().map(str::to_owned)
    }

    #[test]
    fn a_good_object_has_its_types() {
        let row = parsed(vec![Some(
            br#"{"n":-7,"id":"a\u00e9\n","at":"2025-07-13T18:42:10.5+02:00","ok":true,"x":3,"z":[{}]}"#,
        )]);
        assert_eq!(row.column(0).as_string::<i32>().value(0), "aé\n");
        assert_eq!(row.column(1).as_primitive::<Int64Type>().value(0), -7);
        assert_eq!(
            row.column(2).as_primitive::<TimestampMicrosecondType>().value(0),
            1_752_424_930_500_000
        );
        assert!(row.column(3).as_boolean().value(0));
        assert!(row.column(5).is_null(0));
    }

    #[test]
    fn missing_and_null_fields_are_null_without_an_error() {
        let row = parsed(vec![Some(br#"{"id":null}"#), Some(b"{}")]);
        assert!((0..6).all(|column| row.column(column).null_count() == 2));
    }

    #[test]
    fn every_poison_has_its_reason() {
        let deep = format!("{{\"z\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for (value, reason) in [
            (&b"{\"id\":\"a\""[..], "not JSON: cut off"),
            (b"hello", "not JSON"),
            (b"", "empty"),
            (b"  ", "empty"),
            (b"[1]", "not a JSON object"),
            (b"3", "not a JSON object"),
            (b"{\"id\":\"a\"} x", "not JSON"),
            (b"{\"id\":\"\xC3\x28\"}", "not UTF-8"),
            (b"{\"id\":\"a\",\"id\":\"b\"}", "duplicate field `id`"),
            (b"{\"id\":88}", "id: expected string, found number 88"),
            (b"{\"n\":\"x\"}", "n: expected integer, found string"),
            (b"{\"n\":1.5}", "n: expected integer, found number 1.5"),
            (b"{\"ok\":{\"a\":1}}", "ok: expected boolean, found object"),
            (b"{\"at\":\"yesterday\"}", "at: not an RFC 3339 time: 'yesterday'"),
            (
                b"{\"at\":1752424930}",
                "at: expected timestamp, found number 1752424930",
            ),
            (deep.as_bytes(), "nested too deeply"),
        ] {
            assert_eq!(
                error(value).as_deref(),
                Some(reason),
                "{}",
                String::from_utf8_lossy(value)
            );
        }
        let tombstone = parsed(vec![None]);
        assert_eq!(
            tombstone.column(5).as_string::<i32>().value(0),
            "no value (a tombstone)"
        );
    }

    #[test]
    fn a_bad_row_leaves_its_neighbours_alone() {
        let rows = parsed(vec![
            Some(br#"{"id":"a"}"#),
            Some(br#"{"id":"b","n":"#),
            Some(br#"{"id":"c"}"#),
        ]);
        let ids: Vec<_> = rows.column(0).as_string::<i32>().iter().collect();
        assert_eq!(ids, [Some("a"), None, Some("c")]);
    }

    #[test]
    fn declarations_are_checked() {
        for (declaration, message) in [
            ("id strin", "unknown type `strin`"),
            ("id", "needs a name and a type"),
            ("a int, a int", "is there twice"),
            ("error string", "is the name of the column for errors"),
            ("a string[]", "cannot be"),
        ] {
            let error = result_fields(declaration).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_row(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let row = parsed(vec![Some(&bytes)]);
            let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok();
            prop_assert!(is_object || row.column(5).is_valid(0));
        }

        #[test]
        fn text_survives(id in "\\PC*") {
            let json = serde_json::json!({ "id": id }).to_string();
            let row = parsed(vec![Some(json.as_bytes())]);
            prop_assert_eq!(row.column(0).as_string::<i32>().value(0), id);
        }
    }
}
