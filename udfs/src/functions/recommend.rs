//! `recommend(FACTORS, INTERACTIONS, user => …, item => …, weight => …, k => 10, exclude_seen => true)`: the best items
//! for every user of the interactions.
//!
//! Users are folded in exactly with the model's item factors, so a session that training has not seen is served like
//! any other, and one that went on since is served as it is now. Items that the model does not know are passed over; a
//! user with no known item gets no rows. Users come ascending by id, a block of them at a time.
//!
//! Memory: three times the item factors, 12 bytes an interaction, and the ids; reserved before it is allocated.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use rayon::prelude::*;
use tokio::sync::mpsc::Sender;

use super::als_train::interaction_columns;
use super::factors_table::{ItemModel, item_rows, read_items};
use super::ids::{Ids, Triples, named, read_triples};
use super::ranked;
use crate::als::{Factors, FoldIn, Interactions, ItemIndex, Seen};
use crate::relation::{Arguments, Bound, Kind, Operation, Parameter, RelationFunction};

const NAME: &str = "recommend";
/// Users whose recommendations are computed and sent on in one go.
const BLOCK: usize = 2_048;

/// The function; see the module.
#[derive(Debug)]
pub(super) struct Recommend;

impl RelationFunction for Recommend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "The best items for every user of the interactions, by a model of als_train. Returns the user column, the item \
         column, score, rank."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("model", Kind::Relation, "what als_train returned"),
                Parameter::required("interactions", Kind::Relation, "what the users did"),
                Parameter::required("user", Kind::Column, "who: a session, a customer"),
                Parameter::required("item", Kind::Column, "what"),
                Parameter::optional("weight", Kind::Column, "1 for every row", "as in training"),
                Parameter::optional("k", Kind::Integer, "10", "how many items a user"),
                Parameter::optional("exclude_seen", Kind::Flag, "true", "leave out what the user has had"),
            ]
        }
    }

    fn bind(&self, arguments: &Arguments) -> Result<Bound> {
        let k = arguments.integer("k", 10, 1..=10_000)? as usize;
        let exclude_seen = arguments.flag("exclude_seen", true);
        let interactions = arguments.project("interactions", interaction_columns(arguments, "interactions")?)?;
        Ok(Bound {
            inputs: vec![item_rows(arguments, "model")?, interactions],
            schema: ranked::schema(arguments.column("user")?, arguments.column("item")?, "score"),
            operation: Arc::new(Best { k, exclude_seen }),
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Best {
    k: usize,
    exclude_seen: bool,
}

impl Operation for Best {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (interactions, model) = (inputs.remove(1), inputs.remove(0));
        let best = *self;
        let mut stream = RecordBatchReceiverStream::builder(schema.clone(), 2);
        let out = stream.tx();
        stream.spawn(async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let model = read_items(NAME, model, &mut memory).await?;
            let mut held = memory.new_empty();
            let ItemModel {
                ids,
                index,
                factors,
                regularization,
                alpha,
                nu,
            } = model;
            let triples = read_triples(NAME, interactions, Some(index), &mut held).await?;
            // The factors by length, and what all users' equations share.
            memory.try_grow(2 * size_of_val(factors.as_slice()))?;
            let model = Model {
                ids,
                factors,
                regularization,
                alpha,
                nu,
            };
            let work = move || best.blocks(&model, triples, &schema, &out, (memory, held));
            tokio::task::spawn_blocking(work)
                .await
                .map_err(|error| exec_datafusion_err!("{NAME} stopped: {error}"))?
        });
        Ok(stream.build())
    }
}

struct Model {
    ids: Vec<String>,
    factors: Factors,
    regularization: f32,
    alpha: f32,
    nu: f32,
}

impl Best {
    /// Block after block of users, ascending by id, until all are sent or nobody listens any more.
    fn blocks(
        self,
        model: &Model,
        triples: Triples,
        schema: &SchemaRef,
        out: &Sender<Result<RecordBatch>>,
        _memory: (MemoryReservation, MemoryReservation),
    ) -> Result<()> {
        let Triples { users, mut values, .. } = triples;
        if model.ids.is_empty() || values.is_empty() {
            return Ok(());
        }
        let (users, places): (Vec<String>, Vec<u32>) = Ids::sorted(users);
        values.iter_mut().for_each(|(user, ..)| *user = places[*user as usize]);
        let failed = |error| {
            let name = |ids: &[String], index: u32| ids.get(index as usize).cloned().unwrap_or_default();
            exec_datafusion_err!(
                "{}",
                named(NAME, &error, |user| name(&users, user), |item| name(&model.ids, item))
            )
        };
        let interactions = Interactions::from_triples(users.len(), model.ids.len(), values).map_err(failed)?;
        let index = ItemIndex::new(&model.factors);
        let fold_in = FoldIn::new(&model.factors, model.regularization, model.alpha)
            .map_err(failed)?
            .with_nu(model.nu);
        for start in (0..users.len()).step_by(BLOCK) {
            let block = start..(start + BLOCK).min(users.len());
            let d = model.factors.dims();
            let mut queries = vec![0.0; block.len() * d];
            queries
                .par_chunks_exact_mut(d)
                .enumerate()
                .try_for_each(|(row, query)| {
                    let (items, weights) = interactions.row(start + row);
                    fold_in.solve(items, weights, query)
                })
                .map_err(failed)?;
            let queries = Factors::from_vec(block.len(), d, queries).map_err(failed)?;
            let seen = |query: usize| interactions.row(start + query).0;
            let left_out: Option<&Seen<'_, '_>> = if self.exclude_seen { Some(&seen) } else { None };
            let best = index.top(&queries, self.k, left_out);
            // A user whose items the model does not know has no place in taste space.
            let known = users[block]
                .iter()
                .zip(best)
                .enumerate()
                .filter(|(query, _)| !seen(*query).is_empty());
            let lists = known.map(|(_, (user, best))| (user.as_str(), best));
            if out.blocking_send(ranked::batch(schema, &model.ids, lists)).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}
