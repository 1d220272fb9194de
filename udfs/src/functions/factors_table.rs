//! The table of factors: what `als_train` returns, and what the functions that use a model read.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float32Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Schema, SchemaRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, cast, ident, lit};
use futures::TryStreamExt;

use super::ids::Ids;
use crate::als::Factors;
use crate::relation::Arguments;

/// `kind` of a row that stands for an item; the other is [`USER`].
pub(super) const ITEM: &str = "item";
pub(super) const USER: &str = "user";

static VECTOR: LazyLock<FieldRef> = LazyLock::new(|| Arc::new(Field::new("element", DataType::Float32, true)));

/// The columns of the table.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("kind", DataType::Utf8, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("factors", DataType::List(VECTOR.clone()), false),
        Field::new("regularization", DataType::Float32, false),
        Field::new("alpha", DataType::Float32, false),
    ]))
}

/// Some rows of the table: the vectors `start..end` of one side.
pub(super) fn batch(
    kind: &str,
    ids: &[String],
    factors: &Factors,
    rows: std::ops::Range<usize>,
    (regularization, alpha): (f32, f32),
) -> Result<RecordBatch> {
    let (count, d) = (rows.len(), factors.dims());
    let values = Float32Array::from(factors.as_slice()[rows.start * d..rows.end * d].to_vec());
    let vectors = ListArray::try_new(
        VECTOR.clone(),
        OffsetBuffer::from_lengths(std::iter::repeat_n(d, count)),
        Arc::new(values),
        None,
    )?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(kind, count))),
        Arc::new(StringArray::from_iter_values(&ids[rows])),
        Arc::new(vectors),
        Arc::new(Float32Array::from(vec![regularization; count])),
        Arc::new(Float32Array::from(vec![alpha; count])),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// The item rows of the relation that an argument names, checked to be such a table.
pub(super) fn item_rows(arguments: &Arguments, relation: &str) -> Result<LogicalPlan> {
    let plan = arguments.relation(relation)?;
    let columns = schema();
    for field in columns.fields() {
        let found = plan.schema().qualified_field_with_unqualified_name(field.name());
        let fits = found.is_ok_and(|(_, found)| match field.data_type() {
            DataType::List(_) => found.data_type().is_list(),
            DataType::Float32 => found.data_type().is_numeric(),
            _ => !found.data_type().is_nested(),
        });
        if !fits {
            return plan_err!(
                "{}: `{relation}` has no column `{}` ({}); it must be what als_train returns",
                arguments.function(),
                field.name(),
                field.data_type()
            );
        }
    }
    LogicalPlanBuilder::from(plan.clone())
        .filter(ident("kind").eq(lit(ITEM)))?
        .project(
            columns
                .fields()
                .iter()
                .skip(1)
                .map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name())),
        )?
        .build()
}

/// A model as far as it is needed for new sessions: items, ascending by id.
#[derive(Debug)]
pub(super) struct ItemModel {
    pub ids: Vec<String>,
    pub index: Ids,
    pub factors: Factors,
    pub regularization: f32,
    pub alpha: f32,
}

/// Reads the rows of [`item_rows`]. What is held is reserved first.
pub(super) async fn read_items(
    function: &str,
    mut rows: SendableRecordBatchStream,
    memory: &mut MemoryReservation,
) -> Result<ItemModel> {
    let mut found: Vec<(String, Vec<f32>)> = vec![];
    let (mut dims, mut settings) = (0, (0.0, 0.0));
    while let Some(batch) = rows.try_next().await? {
        let ids = batch.column(0).as_string::<i32>();
        let vectors = batch.column(1).as_list::<i32>();
        for row in 0..batch.num_rows() {
            let vector = vectors.value(row);
            let vector = vector.as_primitive::<Float32Type>();
            if found.is_empty() {
                let number = |column: usize| batch.column(column).as_primitive::<Float32Type>().value(row);
                (dims, settings) = (vector.len(), (number(2), number(3)));
            }
            if vector.len() != dims || vector.null_count() > 0 {
                return exec_err!(
                    "{function}: the factors of item '{}' have {} numbers, others have {dims}; train the model again",
                    ids.value(row),
                    vector.len() - vector.null_count()
                );
            }
            found.push((ids.value(row).to_owned(), vector.values().to_vec()));
        }
        let bytes = found.len() * (8 * dims + 128);
        memory
            .try_resize(bytes)
            .map_err(|error| error.context(format!("{function}: reading the model")))?;
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut index = Ids::default();
    let mut values = Vec::with_capacity(found.len() * dims);
    for (id, vector) in &found {
        index.add(id);
        values.extend_from_slice(vector);
    }
    if index.len() != found.len() {
        return exec_err!("{function}: the model has an item twice; read one model only");
    }
    let factors = Factors::from_vec(found.len(), dims, values)
        .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
    let ids = found.into_iter().map(|(id, _)| id).collect();
    Ok(ItemModel {
        ids,
        index,
        factors,
        regularization: settings.0,
        alpha: settings.1,
    })
}
