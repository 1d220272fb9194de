//! `item_transitions(HISTORY, session => …, item => …, at => …, steps => 10, k => 20)`: what follows an item in past
//! sessions. The mathematics is in the module `transitions`, which knows neither SQL nor Arrow.
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
use crate::sessions::{SessionHistory, history_bytes};

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
        let found = transitions::learn(&history, self.steps, self.k);
        let lists = found.chunk_by(|a, b| a.item == b.item).filter_map(|of_item| {
            let scored = |transition: &transitions::Transition| Scored {
                item: transition.next,
                score: transition.weight,
            };
            let item = &items[of_item.first()?.item as usize];
            Some((item.as_str(), of_item.iter().map(scored).collect()))
        });
        ranked::batch(schema, &items, lists)
    }
}

/// The mathematics, independent of SQL and Arrow.
mod transitions {
    use std::collections::HashMap;

    use crate::ranking::{Best, Scored};
    use crate::sessions::SessionHistory;

    /// An item that follows another.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub(super) struct Transition {
        /// The item that was clicked first.
        pub item: u32,
        /// The item that follows it.
        pub next: u32,
        /// How often it follows, each time divided by the clicks between them.
        pub weight: f32,
    }

    /// Sequential rules (Ludewig, Jannach, "Evaluation of Session-based Recommendation Algorithms", UMUAI 2018): for
    /// every item, the `k` items that followed it most within `steps` clicks, best first; one that came `n` clicks
    /// later counts `1/n`. Items are ascending. Repeats of an item are not transitions.
    pub(super) fn learn(history: &SessionHistory, steps: usize, k: usize) -> Vec<Transition> {
        let mut weights: HashMap<(u32, u32), f32> = HashMap::new();
        for place in 0..history.len() as u32 {
            let clicks = history.clicks(place);
            for (position, item) in clicks.iter().enumerate() {
                for (between, next) in clicks[position + 1..].iter().take(steps).enumerate() {
                    if next != item {
                        *weights.entry((*item, *next)).or_default() += 1.0 / (between + 1) as f32;
                    }
                }
            }
        }
        let mut ordered: Vec<((u32, u32), f32)> = weights.into_iter().collect();
        ordered.sort_unstable_by_key(|(pair, _)| *pair);
        let of_items = ordered.chunk_by(|a, b| a.0.0 == b.0.0);
        of_items
            .flat_map(|pairs| {
                let mut best = Best::new(k);
                let item = pairs.first().map_or(0, |((item, _), _)| *item);
                pairs.iter().for_each(|((_, next), weight)| {
                    best.offer(Scored {
                        item: *next,
                        score: *weight,
                    });
                });
                best.into_sorted().into_iter().map(move |scored| Transition {
                    item,
                    next: scored.item,
                    weight: scored.score,
                })
            })
            .collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::sessions::Click;

        /// The items that follow 1, with their weights.
        fn after_one(history: &SessionHistory, steps: usize, k: usize) -> Vec<(u32, f32)> {
            let found = learn(history, steps, k);
            assert!(
                found.iter().all(|found| found.item != 4),
                "a repeat is not a transition"
            );
            let of_one = found.iter().filter(|found| found.item == 1);
            of_one.map(|found| (found.next, found.weight)).collect()
        }

        #[test]
        fn weights_agree_with_a_computation_by_hand() {
            // 1 -> 2: twice adjacent, and once two clicks later; 1 -> 3: once adjacent, and once two clicks later.
            let sessions: [&[u32]; 4] = [&[1, 2, 3], &[1, 2], &[1, 3, 2], &[4, 4]];
            let mut clicks = vec![];
            for (items, session) in sessions.iter().zip(0..) {
                let of_session = items.iter().zip(0..);
                clicks.extend(of_session.map(|(item, at)| Click {
                    session,
                    at,
                    item: *item,
                }));
            }
            let history = SessionHistory::new(5, clicks, 0);
            assert_eq!(after_one(&history, 10, 10), [(2, 2.5), (3, 1.5)]);
            assert_eq!(after_one(&history, 1, 1), [(2, 2.0)]);
        }
    }
}
