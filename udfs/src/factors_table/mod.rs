//! The table of factors: the rows that `als_train` returns.

mod model_row;

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, Float32Array, ListArray, RecordBatch, StringArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::Result;

use crate::als::Model;

pub(crate) use model_row::ModelRow;

/// The `kind` of an item's row; the others are [`USER`] and [`MODEL`].
pub(crate) const ITEM: &str = "item";
pub(crate) const USER: &str = "user";
/// The `kind` of the row that records how the model was trained; its `id` is `als`.
pub(crate) const MODEL: &str = "model";
const BATCH_ROWS: usize = 8_192;

static VECTOR: LazyLock<FieldRef> = LazyLock::new(|| Arc::new(Field::new("element", DataType::Float32, true)));

/// The columns of the table.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("kind", DataType::Utf8, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("factors", DataType::List(VECTOR.clone()), false),
        Field::new("model", model_row::data_type(), true),
    ]))
}

/// The whole table.
pub(crate) fn batches(users: &[String], items: &[String], model: &Model, row: &ModelRow) -> Result<Vec<RecordBatch>> {
    let nulls = model_row::nulls(BATCH_ROWS.min(users.len().max(items.len())));
    let mut batches = vec![];
    for (kind, ids, factors) in [(USER, users, &model.users), (ITEM, items, &model.items)] {
        let d = factors.dims();
        for start in (0..ids.len()).step_by(BATCH_ROWS) {
            let end = (start + BATCH_ROWS).min(ids.len());
            let values = factors.as_slice()[start * d..end * d].to_vec();
            batches.push(batch(kind, &ids[start..end], (values, d), nulls.slice(0, end - start))?);
        }
    }
    batches.push(model_batch(row)?);
    Ok(batches)
}

/// Only the row that describes a model.
pub(crate) fn model_batch(row: &ModelRow) -> Result<RecordBatch> {
    batch(MODEL, &["als".to_owned()], (vec![], 0), row.array()?)
}

/// Rows of one kind, with vectors of length `d`.
fn batch(kind: &str, ids: &[String], (values, d): (Vec<f32>, usize), model: StructArray) -> Result<RecordBatch> {
    let vectors = ListArray::try_new(
        VECTOR.clone(),
        OffsetBuffer::from_lengths(std::iter::repeat_n(d, ids.len())),
        Arc::new(Float32Array::from(values)),
        None,
    )?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(kind, ids.len()))),
        Arc::new(StringArray::from_iter_values(ids)),
        Arc::new(vectors),
        Arc::new(model),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
