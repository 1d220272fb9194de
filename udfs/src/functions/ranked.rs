//! Lists of scored items as rows: whom they are for, the item, its score and rank, and the best score of the list.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float32Array, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;

use crate::ranking::Scored;

/// The columns `OF, ITEM, SCORE, rank, best`, the first two text; `best` is the score of rank 1, to divide by.
pub(super) fn schema(of: &str, item: &str, score: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(of, DataType::Utf8, false),
        Field::new(item, DataType::Utf8, false),
        Field::new(score, DataType::Float32, false),
        Field::new("rank", DataType::Int32, false),
        Field::new("best", DataType::Float32, false),
    ]))
}

/// The rows of lists, each best first, in the given order; ranks count from 1.
pub(super) fn batch<'a>(
    schema: &SchemaRef,
    items: &[String],
    lists: impl Iterator<Item = (&'a str, Vec<Scored>)>,
) -> Result<RecordBatch> {
    let rows: Vec<(&str, Scored, i32, f32)> = lists
        .flat_map(|(of, list)| {
            let best = list.first().map_or(0.0, |first| first.score);
            (1..).zip(list).map(move |(rank, scored)| (of, scored, rank, best))
        })
        .collect();
    let item = |scored: &Scored| items[scored.item as usize].as_str();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(of, ..)| of))),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(_, scored, ..)| item(scored)),
        )),
        Arc::new(Float32Array::from_iter_values(
            rows.iter().map(|(_, scored, ..)| scored.score),
        )),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(_, _, rank, _)| *rank))),
        Arc::new(Float32Array::from_iter_values(rows.iter().map(|(.., best)| *best))),
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
