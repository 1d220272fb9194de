//! `recommend(FACTORS, INTERACTIONS, user => …, item => …, weight => …, k => 10, exclude_seen => true)`: the best items
//! for every user in the interactions.
//!
//! Users are folded in exactly with the model's item factors, so a session that training has not seen is served like
//! any other, and one that has continued since is served in its current state. Items unknown to the model are skipped;
//! a user who likes no known item (with a weight above 0) gets no rows. Users are returned block by block, ascending by ID.
//!
//! A plan that runs again does not reread the model: everything derived from it is kept as long as the plan.
//!
//! Memory: three and a quarter times the item factors, 12 bytes per interaction, and the IDs; reserved before it is
//! allocated.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::als_train::interaction_columns;
use super::blocks::{FEW, after, in_blocks, made_of};
use super::ids::{Ids, Triples, named, read_triples};
use super::model_argument::{ItemModel, item_rows, read_items};
use super::ranked;
use crate::als::{AlsError, Factors, FoldIn, Interactions, ItemIndex, Seen};
use crate::relation::{Arguments, Bound, Kind, Operation, Parameter, RelationFunction};

const NAME: &str = "recommend";
/// The number of users computed and returned at once.
const BLOCK: usize = 2_048;

/// The function; see the module.
#[derive(Debug)]
pub(super) struct Recommend;

impl RelationFunction for Recommend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "The best items for every user of the interactions, according to a model from als_train. Returns the user \
         column, the item column, score, rank, best (the score of rank 1)."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("model", Kind::Relation, "a result of als_train"),
                Parameter::required("interactions", Kind::Relation, "the users' interactions"),
                Parameter::required("user", Kind::Column, "a user or a session; any type"),
                Parameter::required("item", Kind::Column, "the item; any type"),
                Parameter::optional("weight", Kind::Column, "1 for every row", "as in training"),
                Parameter::optional("k", Kind::Integer, "10", "how many items per user"),
                Parameter::optional(
                    "exclude_seen",
                    Kind::Flag,
                    "true",
                    "leave out items that the user has interacted with",
                ),
            ]
        }
    }

    fn operation(&self, wire: serde_json::Value) -> serde_json::Result<Arc<dyn Operation>> {
        Ok(Arc::new(serde_json::from_value::<Best>(wire)?))
    }

    fn bind(&self, arguments: &Arguments) -> Result<Bound> {
        let k = arguments.integer("k", 10, 1..=10_000)? as usize;
        let exclude_seen = arguments.flag("exclude_seen", true);
        let interactions = arguments.project("interactions", interaction_columns(arguments, "interactions")?)?;
        Ok(Bound {
            inputs: vec![item_rows(arguments, "model")?, interactions],
            schema: ranked::schema(arguments.column("user")?, arguments.column("item")?, "score"),
            operation: Arc::new(Best {
                k,
                exclude_seen,
                model: Arc::default(),
            }),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Best {
    k: usize,
    exclude_seen: bool,
    #[serde(skip)]
    model: Arc<OnceCell<Arc<Model>>>,
}

impl Operation for Best {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (interactions, rows) = (inputs.remove(1), inputs.remove(0));
        let (k, exclude_seen, model) = (self.k, self.exclude_seen, self.model.clone());
        Ok(after(schema.clone(), async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let read = || Model::read(rows, memory.new_empty());
            let model = model.get_or_try_init(read).await?.clone();
            let triples = read_triples(NAME, interactions, Some(&model.index), &mut memory).await?;
            let (rows, columns) = (triples.values.len(), schema.clone());
            let lists = made_of(rows, move || {
                Lists::new(model, triples, k, exclude_seen, columns, memory)
            })
            .await?;
            Ok(in_blocks(schema, lists.users.len(), (BLOCK, FEW), move |users| {
                lists.block(users)
            }))
        }))
    }

    fn inputs_kept(&self) -> usize {
        usize::from(self.model.initialized())
    }

    fn fresh(&self) -> Option<Arc<dyn Operation>> {
        Some(Arc::new(Self {
            model: Arc::default(),
            ..*self
        }))
    }

    fn independent_by(&self) -> Option<usize> {
        Some(0)
    }

    fn to_wire(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// What all users share.
#[derive(Debug)]
struct Model {
    ids: Vec<String>,
    index: Ids,
    items: ItemIndex,
    /// `None` for a model without items.
    fold_in: Option<FoldIn>,
    dims: usize,
    _memory: MemoryReservation,
}

impl Model {
    async fn read(rows: SendableRecordBatchStream, mut memory: MemoryReservation) -> Result<Arc<Self>> {
        let model = read_items(NAME, rows, &mut memory).await?;
        // The factors sorted by length, their approximate copy, and what all users' equations share.
        memory.try_grow(9 * size_of_val(model.factors.as_slice()) / 4)?;
        tokio::task::spawn_blocking(move || Self::new(model, memory))
            .await
            .map_err(|error| exec_datafusion_err!("{NAME} stopped: {error}"))?
    }

    fn new(model: ItemModel, memory: MemoryReservation) -> Result<Arc<Self>> {
        let factors = model.factors;
        let fold_in = match factors.rows() {
            0 => None,
            _ => Some(
                FoldIn::new(&factors, model.regularization, model.alpha)
                    .map_err(|error| exec_datafusion_err!("{NAME}: {error}"))?
                    .with_nu(model.nu),
            ),
        };
        Ok(Arc::new(Self {
            ids: model.ids,
            index: model.index,
            items: ItemIndex::new(&factors),
            fold_in,
            dims: factors.dims(),
            _memory: memory,
        }))
    }
}

/// The users' lists, computed on demand.
struct Lists {
    model: Arc<Model>,
    /// Ascending.
    users: Vec<String>,
    interactions: Interactions,
    k: usize,
    exclude_seen: bool,
    schema: SchemaRef,
    _memory: MemoryReservation,
}

impl Lists {
    fn new(
        model: Arc<Model>,
        triples: Triples,
        k: usize,
        exclude_seen: bool,
        schema: SchemaRef,
        memory: MemoryReservation,
    ) -> Result<Self> {
        let Triples { users, mut values, .. } = triples;
        let (users, places): (Vec<String>, Vec<u32>) = Ids::sorted(users);
        values.iter_mut().for_each(|(user, ..)| *user = places[*user as usize]);
        let interactions = Interactions::from_triples(users.len(), model.ids.len(), values)
            .map_err(|error| as_named(&error, &users, &model.ids))?;
        Ok(Self {
            model,
            users,
            interactions,
            k,
            exclude_seen,
            schema,
            _memory: memory,
        })
    }

    /// The lists of some users.
    fn block(&self, block: Range<usize>) -> Result<RecordBatch> {
        let Some(fold_in) = &self.model.fold_in else {
            return Ok(RecordBatch::new_empty(self.schema.clone()));
        };
        let (first, users) = (block.start, &self.users[block]);
        let named = |error| as_named(&error, users, &self.model.ids);
        let d = self.model.dims;
        let mut queries = vec![0.0; users.len() * d];
        queries
            .par_chunks_exact_mut(d)
            .with_min_len(FEW)
            .enumerate()
            .try_for_each(|(row, query)| {
                let (items, weights) = self.interactions.row(first + row);
                fold_in.solve(items, weights, query)
            })
            .map_err(named)?;
        let queries = Factors::from_vec(users.len(), d, queries).map_err(named)?;
        let seen = |query: usize| self.interactions.row(first + query).0;
        let left_out: Option<&Seen<'_, '_>> = if self.exclude_seen { Some(&seen) } else { None };
        let best = self.model.items.top(&queries, self.k, left_out);
        // A user who likes no known item has factors of 0, which rank nothing.
        let known = users.iter().zip(best).enumerate();
        let known = known.filter(|(query, _)| self.interactions.liked(first + query).next().is_some());
        let lists = known.map(|(_, (user, best))| (user.as_str(), best));
        ranked::batch(&self.schema, &self.model.ids, lists)
    }
}

/// An error that names users and items by ID.
fn as_named(error: &AlsError, users: &[String], items: &[String]) -> DataFusionError {
    let name = |ids: &[String], index: u32| ids.get(index as usize).cloned().unwrap_or_default();
    exec_datafusion_err!(
        "{}",
        named(NAME, error, |user| name(users, user), |item| name(items, item))
    )
}
