//! Lists of scored items as rows: what they are for, the item, score, rank.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float32Array, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;

use crate::ranking::Scored;

/// The columns `OF, ITEM, SCORE, rank`, the first two text.
pub(super) fn schema(of: &str, item: &str, score: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(of, DataType::Utf8, false),
        Field::new(item, DataType::Utf8, false),
        Field::new(score, DataType::Float32, false),
        Field::new("rank", DataType::Int32, false),
    ]))
}

/// Rows of lists, each best first, in the order given; ranks count from 1.
pub(super) fn batch<'a>(
    schema: &SchemaRef,
    items: &[String],
    lists: impl Iterator<Item = (&'a str, Vec<Scored>)>,
) -> Result<RecordBatch> {
    let rows: Vec<(&str, Scored, i32)> = lists
        .flat_map(|(of, list)| (1..).zip(list).map(move |(rank, scored)| (of, scored, rank)))
        .collect();
    let item = |scored: &Scored| items[scored.item as usize].as_str();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(of, ..)| of))),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(_, scored, _)| item(scored)),
        )),
        Arc::new(Float32Array::from_iter_values(
            rows.iter().map(|(_, scored, _)| scored.score),
        )),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(.., rank)| *rank))),
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
