#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use datafusion::arrow::array::{ArrayRef, BinaryArray, StructArray};
use datafusion::common::config::ConfigOptions;
use datafusion::common::exec_datafusion_err;
use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A schema of clicks, and the first three records of a producer that used it.
const CLICK: &str = r#"{
    "type": "record", "name": "Click", "namespace": "org.example.shop",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "session_id", "type": ["null", "string"], "default": null},
        {"name": "user_id", "type": ["null", "long"], "default": null},
        {"name": "item_id", "type": "string"},
        {"name": "event_type",
         "type": {"type": "enum", "name": "Kind", "symbols": ["VIEW", "ADD_TO_CART", "PURCHASE"]}},
        {"name": "price", "type": ["null", "double"], "default": null}
    ]
}"#;
const CLICKS: [&str; 3] = [
    "00000186a104653080b4b98d95670002d8040c70726f645f300000",
    "00000186a1046531c0ecbb8d95670204733002d8040c70726f645f3100027b14ae47e1fa2340",
    "00000186a104653280a5be8d95670204733002d8040c70726f645f320200",
];
const ID: u32 = 100_001;
const COLUMNS_OF_CLICKS: &str = "event_id string, at timestamp from $.ts, session_id string, user_id bigint, \
                                 item_id string, event_type string, price double";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = (0..hexadecimal.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap())
        .collect()
}

fn clicks() -> Vec<Vec<u8>> {
    CLICKS.iter().map(|click| bytes(click)).collect()
}

fn framed_with(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0_u8][..], &id.to_be_bytes(), body].concat()
}

/// A number as Avro writes it.
fn number(n: i64) -> Vec<u8> {
    let mut left = (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned();
    let mut bytes = vec![];
    while left > 0x7f {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [number(i64::try_from(text.len()).unwrap()), text.as_bytes().to_vec()].concat()
}

/// Knows some schemas, and counts requests. It does not answer to ID 13.
#[derive(Debug, Default)]
struct Stub {
    schemas: BTreeMap<u32, &'static str>,
    requested: Mutex<Vec<u32>>,
}

#[async_trait]
impl SchemaRegistry for Stub {
    fn url(&self) -> &str {
        "stub"
    }

    async fn schema(&self, id: u32) -> Result<RegisteredSchema> {
        self.requested.lock().unwrap().push(id);
        match self.schemas.get(&id) {
            _ if id == 13 => Err(exec_datafusion_err!("the registry is down")),
            Some(schema) => Ok(RegisteredSchema::Avro((*schema).into())),
            None => Ok(RegisteredSchema::Unusable(
                format!("schema ID {id} is not in the registry").into(),
            )),
        }
    }
}

fn registry(schemas: impl IntoIterator<Item = (u32, &'static str)>) -> Arc<Stub> {
    Arc::new(Stub {
        schemas: schemas.into_iter().collect(),
        ..Stub::default()
    })
}

/// Calls the function as a query does.
async fn call(schemas: AvroSchemas, values: ArrayRef, arguments: &[&str]) -> Result<StructArray> {
    let function = FromAvro::new(BTreeMap::from([("clicks".to_owned(), schemas)]));
    let literals: Vec<ScalarValue> = arguments.iter().map(|argument| ScalarValue::from(*argument)).collect();
    let field =
        |data_type: &DataType| -> FieldRef { Arc::new(arrow::datatypes::Field::new("a", data_type.clone(), true)) };
    let mut arg_fields = vec![field(values.data_type())];
    arg_fields.extend(literals.iter().map(|literal| field(&literal.data_type())));
    let mut scalars = vec![None];
    scalars.extend(literals.iter().map(Some));
    let return_field = function.return_field_from_args(ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &scalars,
    })?;
    let number_rows = values.len();
    let mut args = vec![ColumnarValue::Array(values)];
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

async fn decoded_with(schemas: AvroSchemas, columns: &str, values: &[Vec<u8>]) -> Result<StructArray> {
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(values));
    call(schemas, values, &[columns]).await
}

/// The values of a column as texts.
fn column(rows: &StructArray, name: &str) -> Vec<Option<String>> {
    let column = cast(rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
    column
        .as_string::<i32>()
        .iter()
        .map(|value| value.map(str::to_owned))
        .collect()
}

fn texts_of(values: &[Option<&str>]) -> Vec<Option<String>> {
    values.iter().map(|value| value.map(str::to_owned)).collect()
}

#[tokio::test]
async fn records_of_a_producer_have_their_values() {
    let stub = registry([(ID, CLICK)]);
    let rows = decoded_with(AvroSchemas::Registry(stub.clone()), COLUMNS_OF_CLICKS, &clicks())
        .await
        .unwrap();
    for (name, expected) in [
        ("event_id", [Some("e0"), Some("e1"), Some("e2")]),
        (
            "at",
            [
                Some("2026-03-01T10:00:00Z"),
                Some("2026-03-01T10:00:20Z"),
                Some("2026-03-01T10:00:40Z"),
            ],
        ),
        ("session_id", [None, Some("s0"), Some("s0")]),
        ("user_id", [Some("300"), Some("300"), Some("300")]),
        ("event_type", [Some("VIEW"), Some("VIEW"), Some("ADD_TO_CART")]),
        ("price", [None, Some("9.99"), None]),
        ("error", [None, None, None]),
    ] {
        assert_eq!(column(&rows, name), texts_of(&expected), "{name}");
    }
    assert_eq!(*stub.requested.lock().unwrap(), [ID], "once for the batch");
}

#[tokio::test]
async fn a_broken_record_loses_only_itself_wherever_it_is() {
    let good = bytes(CLICKS[1]);
    let broken: [Vec<u8>; 6] = [
        good[..good.len() - 1].to_vec(),
        good[..7].to_vec(),
        [&good[..], b"\0"].concat(),
        // Followed by a whole second record.
        [&good[..], &good[5..]].concat(),
        framed_with(ID, b""),
        // A text that is not UTF-8.
        framed_with(ID, &[&number(2)[..], b"\xff\xfe", &good[8..]].concat()),
    ];
    for (case, broken) in broken.iter().enumerate() {
        for place in [0, 1, 8, 16] {
            let mut values = vec![good.clone(); 17];
            values[place].clone_from(broken);
            let stub = registry([(ID, CLICK)]);
            let rows = decoded_with(AvroSchemas::Registry(stub), COLUMNS_OF_CLICKS, &values)
                .await
                .unwrap();
            let mut items = vec![Some("prod_1"); 17];
            let mut errors = vec![None; 17];
            items[place] = None;
            errors[place] = Some("not a record of schema ID 100001");
            assert_eq!(column(&rows, "item_id"), texts_of(&items), "case {case} at {place}");
            assert_eq!(column(&rows, "error"), texts_of(&errors), "case {case} at {place}");
        }
    }
}

#[tokio::test]
async fn values_that_are_not_avro_have_a_reason() {
    let json = br#" {"item_id":"a"}"#;
    let values: ArrayRef = Arc::new(BinaryArray::from(vec![
        None,
        Some(&b""[..]),
        Some(&json[..]),
        Some(&b"\0\0\x01"[..]),
        Some(&b"Obj\x01"[..]),
        Some(&b"\0\0\0\0\x07abc"[..]),
    ]));
    let stub = registry([(ID, CLICK)]);
    let rows = call(AvroSchemas::Registry(stub), values, &["item_id string"])
        .await
        .unwrap();
    let reasons = [
        "no value (a tombstone)",
        "empty",
        "not Avro: JSON, without a schema ID",
        "not Avro: cut off in the schema ID",
        "not Avro: does not begin with a schema ID",
        "schema ID 7 is not in the registry",
    ];
    assert_eq!(column(&rows, "error"), texts_of(&reasons.map(Some)));
    assert_eq!(column(&rows, "item_id"), texts_of(&[None; 6]));
}

#[tokio::test]
async fn a_new_version_of_the_schema_may_come_at_any_time() {
    const OLD: &str = r#"{"type":"record","name":"Click","fields":[
        {"name":"item_id","type":"string"},{"name":"amount","type":"int"}]}"#;
    const NEW: &str = r#"{"type":"record","name":"Click","fields":[
        {"name":"amount","type":"long"},{"name":"coupon","type":["null","string"]},
        {"name":"item_id","type":"string"}]}"#;
    let old = |item: &str| framed_with(1, &[text(item), number(-3)].concat());
    let new = |item: &str| framed_with(2, &[number(5_000_000_000), number(1), text("X"), text(item)].concat());
    let stub = registry([(1, OLD), (2, NEW)]);
    let values = [old("a"), new("b"), old("c"), new("d"), framed_with(3, b"")];
    let rows = decoded_with(
        AvroSchemas::Registry(stub.clone()),
        "item_id string, amount bigint, coupon string",
        &values,
    )
    .await
    .unwrap();
    for (name, expected) in [
        ("item_id", [Some("a"), Some("b"), Some("c"), Some("d"), None]),
        (
            "amount",
            [Some("-3"), Some("5000000000"), Some("-3"), Some("5000000000"), None],
        ),
        ("coupon", [None, Some("X"), None, Some("X"), None]),
        (
            "error",
            [None, None, None, None, Some("schema ID 3 is not in the registry")],
        ),
    ] {
        assert_eq!(column(&rows, name), texts_of(&expected), "{name}");
    }
    let mut requested = stub.requested.lock().unwrap().clone();
    requested.sort_unstable();
    assert_eq!(requested, [1, 2, 3]);
}

#[tokio::test]
async fn policies_and_nested_types_are_those_of_from_json() {
    const ORDER: &str = r#"{"type":"record","name":"Order","fields":[
        {"name":"id","type":"long"},
        {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
            {"name":"item","type":"string"},
            {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}}]}}},
        {"name":"tags","type":{"type":"map","values":"int"}},
        {"name":"day","type":{"type":"int","logicalType":"date"}}]}"#;
    let lines = [number(1), text("a"), number(2), vec![0x07, 0xc6], number(0)];
    let tags = [number(1), text("t"), number(4), number(0)];
    let order = [vec![number(12)], lines.to_vec(), tags.to_vec(), vec![number(20_513)]].concat();
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values([order.concat()]));
    let one = || AvroSchemas::One(ORDER.into());
    let columns = "id string, lines struct(item string, price decimal(10, 2))[], tags map(string, bigint), day date, \
                   extra rest";
    let refused = call(one(), values.clone(), &[columns]).await.unwrap();
    assert_eq!(
        column(&refused, "error"),
        texts_of(&[Some("id: expected string, found number")])
    );
    let rows = call(one(), values.clone(), &[columns, "evolve"]).await.unwrap();
    assert_eq!(column(&rows, "id"), texts_of(&[Some("12")]));
    assert_eq!(column(&rows, "day"), texts_of(&[Some("2026-03-01")]));
    assert_eq!(column(&rows, "error"), texts_of(&[None]));
    let rows = call(one(), values, &["lines json, tags json, id bigint"])
        .await
        .unwrap();
    assert_eq!(
        column(&rows, "lines"),
        texts_of(&[Some(r#"[{"item":"a","price":19.90}]"#)])
    );
    assert_eq!(column(&rows, "tags"), texts_of(&[Some(r#"{"t":4}"#)]));
}

#[tokio::test]
async fn a_registry_that_does_not_answer_fails_the_query() {
    let stub = registry([(ID, CLICK)]);
    let values = [bytes(CLICKS[0]), framed_with(13, b"a")];
    let error = decoded_with(AvroSchemas::Registry(stub), "item_id string", &values)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the registry is down"), "{error}");
}

#[test]
fn a_source_is_named_if_there_are_several() {
    let one = |schema: &str| AvroSchemas::One(schema.into());
    let sources = |sources: &[(&str, &str)]| {
        let sources = sources.iter().map(|(name, schema)| ((*name).to_owned(), one(schema)));
        FromAvro::new(sources.collect())
    };
    let name = |name: &str| ScalarValue::from(name);
    let found = |function: &FromAvro, argument: Option<Option<&ScalarValue>>| {
        let found = function.schemas_of(argument).cloned();
        found.map_err(|error| error.to_string())
    };
    let none = found(&sources(&[]), None).unwrap_err();
    assert!(
        none.contains("no source has schemas") && none.contains("schema_registry: { url"),
        "{none}"
    );
    assert_eq!(found(&sources(&[("a", "1"), ("b", "1")]), None).unwrap(), one("1"));
    let several = sources(&[("a", "1"), ("b", "2")]);
    let ambiguous = found(&several, None).unwrap_err();
    assert!(ambiguous.contains("the sources are a, b"), "{ambiguous}");
    assert_eq!(found(&several, Some(Some(&name("b")))).unwrap(), one("2"));
    let unknown = found(&several, Some(Some(&name("c")))).unwrap_err();
    assert!(unknown.contains("source `c` has neither"), "{unknown}");
    assert!(found(&several, Some(None)).unwrap_err().contains("fourth argument"));
}

#[test]
fn schemas_are_checked() {
    check_avro_schema(CLICK).unwrap();
    for schema in ["", "{}", "\"string\"", r#"{"type":"record","name":"A"}"#] {
        check_avro_schema(schema).unwrap_err();
    }
    // Refers to itself.
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    check_avro_schema(list).unwrap_err();
}

proptest! {
    #[test]
    fn any_bytes_give_a_row_and_harm_no_other(
        noise in vec(any::<u8>(), 0..40), place in 0..CLICKS.len()
    ) {
        let mut values = clicks();
        values.insert(place, framed_with(ID, &noise));
        let stub = registry([(ID, CLICK)]);
        let rows = block_on(decoded_with(AvroSchemas::Registry(stub), COLUMNS_OF_CLICKS, &values)).unwrap();
        let mut events = column(&rows, "event_id");
        events.remove(place);
        prop_assert_eq!(events, texts_of(&[Some("e0"), Some("e1"), Some("e2")]));
    }
}
