//! `similar_items(FACTORS, item => 'prod_88', k => 10)`: items that the same sessions care for, by the angle between
//! their factors. Without `item`, for all items.
//!
//! Memory: the item factors; reserved before they are read.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float32Array, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use rayon::prelude::*;

use super::factors_table::{ItemModel, item_rows, read_items};
use crate::als::{Scored, similar};
use crate::relation::{Arguments, Bound, Kind, Operation, Parameter, RelationFunction};

const NAME: &str = "similar_items";
/// Items whose neighbours are computed and sent on in one go.
const BLOCK: usize = 512;

/// The function; see the module.
#[derive(Debug)]
pub(super) struct SimilarItems;

impl RelationFunction for SimilarItems {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "The nearest items of an item, or of every item. Returns item_id, similar_item_id, similarity (-1 to 1), rank."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("model", Kind::Relation, "what als_train returned"),
                Parameter::optional("item", Kind::Text, "every item", "the id of an item"),
                Parameter::optional("k", Kind::Integer, "10", "how many neighbours"),
            ]
        }
    }

    fn bind(&self, arguments: &Arguments) -> Result<Bound> {
        let k = arguments.integer("k", 10, 1..=10_000)? as usize;
        let schema = Schema::new(vec![
            Field::new("item_id", DataType::Utf8, false),
            Field::new("similar_item_id", DataType::Utf8, false),
            Field::new("similarity", DataType::Float32, false),
            Field::new("rank", DataType::Int32, false),
        ]);
        Ok(Bound {
            inputs: vec![item_rows(arguments, "model")?],
            schema: Arc::new(schema),
            operation: Arc::new(Neighbours {
                k,
                item: arguments.text("item").map(str::to_owned),
            }),
        })
    }
}

#[derive(Debug, Clone)]
struct Neighbours {
    k: usize,
    item: Option<String>,
}

impl Operation for Neighbours {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = inputs.swap_remove(0);
        let Self { k, item } = self.clone();
        let mut stream = RecordBatchReceiverStream::builder(schema.clone(), 2);
        let out = stream.tx();
        stream.spawn(async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let model = read_items(NAME, rows, &mut memory).await?;
            let wanted: Vec<u32> = match &item {
                None => (0..model.ids.len() as u32).collect(),
                Some(id) => match model.index.get(id) {
                    Some(index) => vec![index],
                    None => return exec_err!("{NAME}: the model has no item '{id}'"),
                },
            };
            let work = move || {
                let _held = memory;
                for block in wanted.chunks(BLOCK) {
                    if out.blocking_send(batch(&model, block, k, &schema)).is_err() {
                        break;
                    }
                }
                Ok(())
            };
            tokio::task::spawn_blocking(work)
                .await
                .map_err(|error| exec_datafusion_err!("{NAME} stopped: {error}"))?
        });
        Ok(stream.build())
    }
}

fn batch(model: &ItemModel, items: &[u32], k: usize, schema: &SchemaRef) -> Result<RecordBatch> {
    let found: Vec<(u32, usize, Scored)> = items
        .par_iter()
        .flat_map_iter(|item| {
            similar(&model.factors, *item, k)
                .into_iter()
                .enumerate()
                .map(|(rank, s)| (*item, rank, s))
        })
        .collect();
    let id = |index: u32| &model.ids[index as usize];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(found.iter().map(|(item, ..)| id(*item)))),
        Arc::new(StringArray::from_iter_values(
            found.iter().map(|(_, _, scored)| id(scored.item)),
        )),
        Arc::new(Float32Array::from_iter_values(
            found.iter().map(|(_, _, scored)| scored.score),
        )),
        Arc::new(Int32Array::from_iter_values(
            found.iter().map(|(_, rank, _)| *rank as i32 + 1),
        )),
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
