//! What the values of each type look like in JSON.

#![allow(clippy::unwrap_used)]

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array,
    Int8Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::{Int8Type, Int32Type, IntervalMonthDayNano, UnionFields};

use super::*;

fn written(batch: &RecordBatch) -> Vec<String> {
    let mut written = vec![];
    let rows = each_row(batch, 0, |object| {
        written.push(String::from_utf8(object.to_vec()).unwrap());
        true
    });
    assert_eq!(rows.unwrap(), batch.num_rows());
    written
}

/// The values of one column, as written; empty for one that is left out.
fn values(column: impl Array + 'static) -> Vec<String> {
    let batch = RecordBatch::try_from_iter([("v", Arc::new(column) as ArrayRef)]).unwrap();
    let value = |object: &String| object.trim_start_matches("{\"v\":").trim_end_matches('}').to_owned();
    written(&batch)
        .iter()
        .map(|object| value(&object.replace("{}", "")))
        .collect()
}

#[test]
fn numbers_keep_their_digits() {
    assert_eq!(values(UInt64Array::from(vec![u64::MAX])), ["18446744073709551615"]);
    assert_eq!(
        values(Int64Array::from(vec![Some(i64::MIN), None])),
        ["-9223372036854775808", ""]
    );
    let decimals = Decimal128Array::from(vec![12_345_678_901_234_567_890_123_i128, -5]);
    let decimals = decimals.with_precision_and_scale(30, 4).unwrap();
    assert_eq!(values(decimals), ["1234567890123456789.0123", "-0.0005"]);
    assert_eq!(values(Float32Array::from(vec![0.1])), ["0.1"]);
    let floats = values(Float64Array::from(vec![0.1 + 0.2, 1e300, f64::NAN, f64::INFINITY]));
    assert_eq!(floats[0], "0.30000000000000004");
    assert_eq!(floats[1].parse::<f64>().unwrap(), 1e300);
    assert_eq!(floats[2..], ["null", "null"], "JSON has neither");
}

#[test]
fn times_are_texts() {
    let at = 1_772_359_200_123_456;
    let naive = TimestampMicrosecondArray::from(vec![at]);
    assert_eq!(values(naive.clone()), ["\"2026-03-01T10:00:00.123456\""]);
    assert_eq!(values(naive.with_timezone("UTC")), ["\"2026-03-01T10:00:00.123456Z\""]);
    let nanos = TimestampNanosecondArray::from(vec![at * 1_000 + 789]).with_timezone("+01:00");
    assert_eq!(values(nanos), ["\"2026-03-01T11:00:00.123456789+01:00\""]);
    let intervals = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 3_000_000_000)]);
    assert!(values(intervals)[0].starts_with("\"1 mons 2 days"));
}

#[test]
fn bytes_are_text_or_hexadecimal_digits() {
    let bytes: Vec<Option<&[u8]>> = vec![Some("a\"ü".as_bytes()), Some(b"\xff\x00"), None];
    assert_eq!(values(BinaryArray::from(bytes)), ["\"a\\\"ü\"", "\"ff00\"", ""]);
    let fixed = FixedSizeBinaryArray::try_from_iter([b"0123456789abcdef".to_vec()].into_iter()).unwrap();
    assert_eq!(values(fixed.clone()), ["\"30313233343536373839616263646566\""]);
    let uuid = Field::new("v", DataType::FixedSizeBinary(16), false);
    let uuid = uuid.with_metadata([("logicalType".to_owned(), "uuid".to_owned())].into());
    let schema = Arc::new(arrow::datatypes::Schema::new(vec![uuid]));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(fixed)]).unwrap();
    assert_eq!(written(&batch), [r#"{"v":"30313233-3435-3637-3839-616263646566"}"#]);
}

#[test]
fn missing_values_are_left_out_and_nested_ones_are_nested() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
    assert_eq!(values(list), ["[1,null]", ""]);
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("a", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["x\n", "y"])) as ArrayRef,
        ),
    ]);
    let batch = RecordBatch::try_from_iter([("s", Arc::new(inner) as ArrayRef)]).unwrap();
    assert_eq!(written(&batch), [r#"{"s":{"a":1,"b":"x\n"}}"#, r#"{"s":{"b":"y"}}"#]);
}

#[test]
fn a_dictionary_and_a_union_are_the_values_that_they_hold() {
    let chosen = |values: Vec<Option<&str>>| {
        let keys = Int8Array::from(vec![Some(1), Some(0), None]);
        DictionaryArray::<Int8Type>::try_new(keys, Arc::new(StringArray::from(values))).unwrap()
    };
    assert_eq!(values(chosen(vec![Some("a"), Some("b")])), ["\"b\"", "\"a\"", ""]);
    assert_eq!(values(chosen(vec![None, Some("b")])), ["\"b\"", "", ""]);
    let fields = [
        Field::new("int", DataType::Int32, true),
        Field::new("string", DataType::Utf8, true),
    ];
    let union = UnionArray::try_new(
        UnionFields::try_new([0, 1], fields).unwrap(),
        ScalarBuffer::from(vec![0_i8, 1, 0]),
        Some(ScalarBuffer::from(vec![0, 0, 1])),
        vec![
            Arc::new(Int32Array::from(vec![Some(7), None])),
            Arc::new(StringArray::from(vec!["x"])),
        ],
    );
    assert_eq!(values(union.unwrap()), ["7", "\"x\"", ""]);
}

#[test]
fn rows_are_written_from_one_on_until_no_more_are_wanted() {
    let numbers = Arc::new(Int64Array::from_iter_values(0..10)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("v", numbers)]).unwrap();
    let mut written = vec![];
    let rows = each_row(&batch, 7, |object| {
        written.push(String::from_utf8(object.to_vec()).unwrap());
        written.len() < 2
    });
    assert_eq!(rows.unwrap(), 2);
    assert_eq!(written, [r#"{"v":7}"#, r#"{"v":8}"#]);
    assert_eq!(each_row(&batch, 10, |_| true).unwrap(), 0);
}
