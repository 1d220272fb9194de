#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float32Array, Float64Array, Int64Array, ListArray, StringArray};
use arrow::datatypes::Int32Type;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;

use super::*;

fn batch() -> RecordBatch {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let columns: [(&str, ArrayRef); 5] = [
        (
            "item",
            Arc::new(StringArray::from(vec![
                Some("prod_1"),
                None,
                Some("a|b\nc, \"d\"\u{1b}[31m"),
            ])),
        ),
        ("clicks", Arc::new(Int64Array::from(vec![Some(12), Some(-3), None]))),
        ("score", Arc::new(Float64Array::from(vec![0.5, 1e-9, 2.0]))),
        (
            "value",
            Arc::new(BinaryArray::from(vec![b"{\"a\": 1}".as_ref(), b"\xc3\xbc", b""])),
        ),
        ("list", Arc::new(list)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

async fn printed(batches: Vec<RecordBatch>, format: Format, limit: Option<usize>, width: u16) -> (String, Printed) {
    let layout = Layout {
        format,
        limit,
        width,
        decimals: None,
    };
    printed_as(batches, &layout).await
}

async fn printed_as(batches: Vec<RecordBatch>, layout: &Layout) -> (String, Printed) {
    let schema = batches[0].schema();
    let rows = stream::iter(batches.into_iter().map(Ok));
    let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
    let mut out = vec![];
    let printed = print_stream(rows, layout, &mut out).await.unwrap();
    (String::from_utf8(out).unwrap(), printed)
}

#[tokio::test]
async fn every_format() {
    for format in Format::all() {
        let (text, _) = printed(vec![batch()], format, None, 80).await;
        insta::assert_snapshot!(format!("print_{format}"), text);
    }
}

#[tokio::test]
async fn no_rows_in_every_format() {
    let mut all = String::new();
    for format in Format::all() {
        let (text, rows) = printed(vec![batch().slice(0, 0)], format, None, 80).await;
        assert_eq!(rows, Printed::default());
        all.push_str(&format!("{format}:\n{text}\n"));
    }
    insta::assert_snapshot!("print_no_rows", all);
}

#[tokio::test]
async fn a_table_is_fitted_to_the_width() {
    let long = Arc::new(StringArray::from(vec![
        "a long text of many words that go over several lines",
    ]));
    let columns: [(&str, ArrayRef); 2] = [("one", long.clone()), ("two", long)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let (text, _) = printed(vec![batch], Format::Table, None, 40).await;
    assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    insta::assert_snapshot!("print_fitted", text);
}

#[tokio::test]
async fn columns_without_room_stand_one_below_the_other() {
    let (text, _) = printed(vec![batch()], Format::Table, None, 40).await;
    assert_eq!(text, printed(vec![batch()], Format::Vertical, None, 80).await.0);
}

#[tokio::test]
async fn rows_over_the_limit_are_counted_and_not_shown() {
    for format in [Format::Table, Format::Markdown, Format::Vertical] {
        let (text, rows) = printed(vec![batch(), batch(), batch()], format, Some(4), 80).await;
        assert_eq!(rows, Printed { rows: 9, left_out: 5 });
        assert_eq!(text.matches("prod_1").count(), 2, "{text}");
    }
    let (text, rows) = printed(vec![batch(), batch()], Format::Csv, Some(1), 80).await;
    assert_eq!(rows, Printed { rows: 6, left_out: 0 }, "programs get everything");
    assert_eq!(text.matches("prod_1").count(), 2);
}

#[tokio::test]
async fn scores_have_few_digits_for_people_and_all_of_them_for_programs() {
    let scores = [
        1.016_621_808_292_445_4,
        0.0,
        1e-6,
        -3.333e-7,
        f64::NAN,
        0.000_05,
        12_345.678_9,
    ];
    let narrow = Float32Array::from_iter(scores.iter().map(|score| (*score != 0.0).then_some(*score as f32)));
    let columns: [(&str, ArrayRef); 2] = [
        ("score", Arc::new(Float64Array::from(scores.to_vec()))),
        ("narrow", Arc::new(narrow)),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
    let layout = |format| Layout {
        format,
        limit: None,
        width: 80,
        decimals: Some(4),
    };
    let (text, _) = printed_as(vec![batch.clone()], &layout(Format::Markdown)).await;
    let expected = "| score | narrow |
| ---: | ---: |
| 1.0166 | 1.0166 |
| 0 | NULL |
| 1.0e-6 | 1.0e-6 |
| -3.3e-7 | -3.3e-7 |
| NaN | NaN |
| 0.0001 | 5.0e-5 |
| 12345.6789 | 12345.6787 |
";
    assert_eq!(text, expected);
    let (text, _) = printed_as(vec![batch], &layout(Format::Csv)).await;
    assert!(text.contains("1.0166218082924454,"), "{text}");
}
