//! `item_transitions(HISTORY, session => …, item => …, at => …, steps => 10, k => 20)`: what follows an item in past
//! sessions.
//!
//! Memory: about 80 bytes per click in the history, and 16 per pair of successive items; the former is reserved before
//! it is allocated.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use serde::{Deserialize, Serialize};

use super::clicks::{Clicks, click_columns};
use super::ranked;
use crate::ranking::Scored;
use crate::relation::{Arguments, Bound, Kind, Operation, Parameter, RelationFunction};
use crate::sessions::{SessionHistory, history_bytes, transitions};

const NAME: &str = "item_transitions";

/// The function; see the module.
#[derive(Debug)]
pub(super) struct ItemTransitions;

impl RelationFunction for ItemTransitions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "What follows each item in past sessions (sequential rules). Returns the item column, next_item, weight, rank, best."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("history", Kind::Relation, "clicks of past sessions"),
                Parameter::required("session", Kind::Column, "the session; any type"),
                Parameter::required("item", Kind::Column, "the item; any type"),
                Parameter::required("at", Kind::Column, "the time of the click: a time or a number"),
                Parameter::optional(
                    "steps",
                    Kind::Integer,
                    "10",
                    "up to how many clicks later an item still counts",
                ),
                Parameter::optional("k", Kind::Integer, "20", "how many next items per item"),
            ]
        }
    }

    fn operation(&self, wire: serde_json::Value) -> serde_json::Result<Arc<dyn Operation>> {
        Ok(Arc::new(serde_json::from_value::<Rules>(wire)?))
    }

    fn bind(&self, arguments: &Arguments) -> Result<Bound> {
        Ok(Bound {
            inputs: vec![arguments.project("history", click_columns(arguments, "history")?)?],
            schema: ranked::schema(arguments.column("item")?, "next_item", "weight"),
            operation: Arc::new(Rules {
                steps: arguments.integer("steps", 10, 1..=1_000)? as usize,
                k: arguments.integer("k", 20, 1..=10_000)? as usize,
            }),
        })
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Rules {
    steps: usize,
    k: usize,
}

impl Operation for Rules {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let history = inputs.swap_remove(0);
        let (rules, of_batch) = (*self, schema.clone());
        let result = async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let clicks = Clicks::read(NAME, history, &mut memory).await?;
            memory.try_grow(history_bytes(clicks.clicks.len(), clicks.items.len()))?;
            let learned = tokio::task::spawn_blocking(move || rules.learn(clicks, &of_batch)).await;
            learned.map_err(|error| exec_datafusion_err!("{NAME} stopped: {error}"))?
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(result))))
    }

    fn to_wire(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

impl Rules {
    fn learn(self, clicks: Clicks, schema: &SchemaRef) -> Result<RecordBatch> {
        let (_, items, clicks) = clicks.sorted();
        let history = SessionHistory::new(items.len(), clicks, 0);
        let found = transitions(&history, self.steps, self.k);
        let lists = found.chunk_by(|a, b| a.item == b.item).filter_map(|of_item| {
            let scored = |transition: &crate::sessions::Transition| Scored {
                item: transition.next,
                score: transition.weight,
            };
            let item = &items[of_item.first()?.item as usize];
            Some((item.as_str(), of_item.iter().map(scored).collect()))
        });
        ranked::batch(schema, &items, lists)
    }
}
