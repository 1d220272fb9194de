//! `similar_items(FACTORS, item => 'prod_88', k => 10)`: items of interest to the same sessions, by the angle between
//! their factors. Without `item`, for all items.
//!
//! Memory: the item factors; reserved before they are read.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::blocks::{after, in_blocks};
use super::model_argument::{ItemModel, item_rows, read_items};
use super::ranked;
use crate::als::similar;
use crate::ranking::Scored;
use crate::relation::{Arguments, Bound, Kind, Operation, Parameter, RelationFunction};

const NAME: &str = "similar_items";
/// The number of items whose neighbors are computed and returned at once.
const BLOCK: usize = 512;

/// The model does not know the item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("similar_items: the model has no item '{item}'")]
pub struct UnknownItem {
    /// Its ID.
    pub item: String,
}

/// The function; see the module.
#[derive(Debug)]
pub(super) struct SimilarItems;

impl RelationFunction for SimilarItems {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "The items nearest to one item, or to every item. Returns item_id, similar_item_id, similarity (-1 to 1), rank."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("model", Kind::Relation, "a result of als_train"),
                Parameter::optional("item", Kind::Text, "every item", "the ID of an item"),
                Parameter::optional("k", Kind::Integer, "10", "how many neighbors"),
            ]
        }
    }

    fn operation(&self, wire: serde_json::Value) -> serde_json::Result<Arc<dyn Operation>> {
        Ok(Arc::new(serde_json::from_value::<Neighbors>(wire)?))
    }

    fn bind(&self, arguments: &Arguments) -> Result<Bound> {
        let k = arguments.integer("k", 10, 1..=10_000)? as usize;
        Ok(Bound {
            inputs: vec![item_rows(arguments, "model")?],
            schema: ranked::schema("item_id", "similar_item_id", "similarity"),
            operation: Arc::new(Neighbors {
                k,
                item: arguments.text("item").map(str::to_owned),
            }),
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Neighbors {
    k: usize,
    item: Option<String>,
}

impl Operation for Neighbors {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = inputs.swap_remove(0);
        let Self { k, item } = self.clone();
        Ok(after(schema.clone(), async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let model = read_items(NAME, rows, &mut memory).await?;
            let wanted: Vec<u32> = match &item {
                None => (0..model.ids.len() as u32).collect(),
                Some(id) => match model.index.get(id) {
                    Some(index) => vec![index],
                    None => return Err(DataFusionError::External(Box::new(UnknownItem { item: id.clone() }))),
                },
            };
            Ok(in_blocks(schema.clone(), wanted.len(), (BLOCK, 0), move |block| {
                let _held = &memory;
                batch(&model, &wanted[block], k, &schema)
            }))
        }))
    }

    fn to_wire(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

fn batch(model: &ItemModel, items: &[u32], k: usize, schema: &SchemaRef) -> Result<RecordBatch> {
    let lists: Vec<(&str, Vec<Scored>)> = items
        .par_iter()
        .map(|item| (model.ids[*item as usize].as_str(), similar(&model.factors, *item, k)))
        .collect();
    ranked::batch(schema, &model.ids, lists.into_iter())
}
