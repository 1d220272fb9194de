//! `als_train(relation, user => …, item => …, weight => …, factors => 64, …)`: learns factors in SQL.
//!
//! Planning checks the arguments and fixes the schema; training starts only when the plan runs, so EXPLAIN is free. The
//! input is read once, at that time. The result does not depend on the order of the input.
//!
//! Memory: 8 · factors · (users + items) bytes (half of them for the rows of the table; half as much again with
//! `holdout`), 28 bytes per interaction, and the IDs; reserved before it is allocated.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::lit;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tracing::Level;

use super::ids::{Triples, named, read_triples};
use super::model_argument::vector_rows;
use super::warm_start;
use crate::als::{
    AlsError, Holdout, Interactions, Model, Params, Solver, loss, train_from, train_until_best, training_bytes,
};
use crate::als_sql::Training;
use crate::factors_table::{self, ModelRow};
use crate::relation::{Arguments, Bound, ByQueries, FewRows, Kind, Operation, Parameter, RelationFunction};

const NAME: &str = "als_train";

/// The function; see the module.
#[derive(Debug)]
pub(super) struct AlsTrain;

impl RelationFunction for AlsTrain {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "Learns a position in taste space for every user (here a session) and item, by alternating least squares for \
         implicit feedback. Returns kind ('user', 'item', or 'model' for the one row that describes the training), \
         id, factors, and model (that description)."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("interactions", Kind::Relation, "one row per user and item"),
                Parameter::required("user", Kind::Column, "a user or a session; any type"),
                Parameter::required("item", Kind::Column, "the item; any type"),
                Parameter::optional(
                    "weight",
                    Kind::Column,
                    "1 for every row",
                    "how strong the interaction is; below 0, how strong the dislike",
                ),
                Parameter::optional("factors", Kind::Integer, "64", "dimensions of taste space"),
                Parameter::optional("iterations", Kind::Integer, "15", "how many times each side is solved"),
                Parameter::optional("regularization", Kind::Number, "0.1", "higher values shrink factors"),
                Parameter::optional(
                    "alpha",
                    Kind::Number,
                    "0: a twentieth of the number of items, at least 20",
                    "confidence per unit of weight: 1 + alpha · weight",
                ),
                Parameter::optional(
                    "solver",
                    Kind::Text,
                    "'cg'",
                    "'cg' (fast), 'block' or 'cholesky' (exact)",
                ),
                Parameter::optional("seed", Kind::Integer, "42", "the same seed gives the same model"),
                Parameter::optional(
                    "nu",
                    Kind::Number,
                    "0",
                    "how much more strongly rows with many interactions are regularized, 0 to 1",
                ),
                Parameter::optional(
                    "init_scale",
                    Kind::Number,
                    "0.1",
                    "random factors start with the standard deviation init_scale / √factors",
                ),
                Parameter::optional(
                    "holdout",
                    Kind::Number,
                    "0",
                    "share of users for whom one item is held out of training, 0 to 0.5",
                ),
                Parameter::optional(
                    "patience",
                    Kind::Integer,
                    "2",
                    "with holdout: stop after this many iterations without improvement",
                ),
                Parameter::optional("track_loss", Kind::Flag, "false", "compute the loss of every iteration"),
                Parameter::optional(
                    "engine",
                    Kind::Text,
                    "'auto'",
                    "'memory': in one process; 'sql': with joins and aggregates, for a pipeline step whose matrix does \
                     not fit into one process; 'auto': in memory, or with SQL if a step finds that the matrix does not \
                     fit",
                ),
                Parameter::optional(
                    "warm_start",
                    Kind::Relation,
                    "random factors",
                    "an earlier model to start from; new users and items start with random factors",
                ),
            ]
        }
    }

    fn operation(&self, wire: serde_json::Value) -> serde_json::Result<Arc<dyn Operation>> {
        Ok(Arc::new(serde_json::from_value::<Train>(wire)?))
    }

    fn bind(&self, arguments: &Arguments) -> Result<Bound> {
        let solver = match arguments.text("solver").unwrap_or("cg").parse() {
            Ok(solver) => solver,
            Err(error) => return plan_err!("{NAME}: {error}"),
        };
        let alpha = arguments.number("alpha", 0.0) as f32;
        let usual_alpha = alpha == 0.0;
        let params = Params {
            factors: arguments.integer("factors", 64, 1..=1_024)? as usize,
            iterations: arguments.integer("iterations", 15, 1..=1_000)? as usize,
            regularization: arguments.number("regularization", 0.1) as f32,
            alpha: if usual_alpha { Params::default().alpha } else { alpha },
            nu: arguments.number("nu", 0.0) as f32,
            init_scale: arguments.number("init_scale", 0.1) as f32,
            solver,
            seed: arguments.integer("seed", 42, i64::MIN..=i64::MAX)?.cast_unsigned(),
        };
        if let Err(error) = params.validate() {
            return plan_err!("{NAME}: {error}");
        }
        let holdout = arguments.number("holdout", 0.0) as f32;
        if !(0.0..=0.5).contains(&holdout) {
            return plan_err!("{NAME}: holdout is {holdout}; it must be from 0 to 0.5");
        }
        let only_in_memory =
            holdout > 0.0 || params.nu > 0.0 || arguments.flag("track_loss", false) || arguments.has("warm_start");
        let engine = match arguments.text("engine").unwrap_or("auto") {
            "auto" if !only_in_memory => TrainingEngine::Auto,
            "auto" | "memory" => TrainingEngine::Memory,
            "sql" => TrainingEngine::Sql,
            other => return plan_err!("{NAME}: engine is '{other}'; it must be 'auto', 'memory' or 'sql'"),
        };
        if engine == TrainingEngine::Sql && only_in_memory {
            return plan_err!(
                "{NAME}: engine => 'sql' does not support nu, holdout, track_loss or warm_start; leave them out"
            );
        }
        let mut inputs = vec![arguments.project("interactions", interaction_columns(arguments, "interactions")?)?];
        inputs.extend(vector_rows(arguments, "warm_start")?);
        Ok(Bound {
            inputs,
            schema: factors_table::schema(),
            operation: Arc::new(Train {
                params,
                usual_alpha,
                holdout,
                patience: arguments.integer("patience", 2, 1..=1_000)? as usize,
                track_loss: arguments.flag("track_loss", false),
                engine,
            }),
        })
    }
}

/// Casts user and item to text, and weight to a number.
pub(super) fn interaction_columns(
    arguments: &Arguments,
    relation: &str,
) -> Result<Vec<datafusion::logical_expr::Expr>> {
    let weight = match arguments.has("weight") {
        true => arguments.column_of(relation, arguments.column("weight")?, &DataType::Float32)?,
        false => lit(1.0_f32).alias("weight"),
    };
    let (user, item) = (arguments.column("user")?, arguments.column("item")?);
    if user == item {
        return plan_err!("{}: user and item are both the column `{user}`", arguments.function());
    }
    Ok(vec![
        arguments.column_of(relation, user, &DataType::Utf8)?,
        arguments.column_of(relation, item, &DataType::Utf8)?,
        weight,
    ])
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Train {
    params: Params,
    /// Whether alpha is derived from the number of items.
    usual_alpha: bool,
    holdout: f32,
    patience: usize,
    track_loss: bool,
    engine: TrainingEngine,
}

/// Where training runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum TrainingEngine {
    /// In this function, in memory.
    Memory,
    /// In queries, by the caller that runs the plan.
    Sql,
    /// In this function, or in queries if it does not have enough memory.
    Auto,
}

impl Operation for Train {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut train = *self;
        if self.engine == TrainingEngine::Sql && context.session_config().get_extension::<FewRows>().is_some() {
            // The solver that queries use.
            train.params.solver = Solver::Cholesky;
        } else if self.engine == TrainingEngine::Sql {
            return exec_err!("{NAME}: engine => 'sql' works only in pipeline steps (clickrec run); leave it out here");
        }
        let earlier = (inputs.len() > 1).then(|| inputs.swap_remove(1));
        let rows = inputs.swap_remove(0);
        let result = async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let triples = read_triples(NAME, rows, None, &mut memory).await?;
            train.reserve(&triples, &mut memory)?;
            let Some(mut task) = blocking(move || train.prepare(triples)).await? else {
                tracing::warn!("{NAME}: the input has no rows; the model is empty");
                return Ok(stream::iter(vec![]).boxed());
            };
            if let Some(earlier) = earlier {
                let found = warm_start::read(NAME, earlier, &task.users, &task.items, &mut task.start).await?;
                tracing::info!(found, "{NAME}: users and items start from the earlier model");
            }
            let batches = blocking(move || train.learn(task)).await?;
            // The reservation lives as long as the batches.
            Ok::<_, DataFusionError>(
                stream::iter(batches)
                    .map(move |batch| {
                        let _held = &memory;
                        Ok(batch)
                    })
                    .boxed(),
            )
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            stream::once(result).try_flatten(),
        )))
    }

    fn by_queries(&self) -> Option<Arc<dyn ByQueries>> {
        if self.engine == TrainingEngine::Memory {
            return None;
        }
        Some(Arc::new(Training {
            params: self.params,
            usual_alpha: self.usual_alpha,
            is_required: self.engine == TrainingEngine::Sql,
        }))
    }

    fn to_wire(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| exec_datafusion_err!("{NAME}: training stopped: {error}"))?
}

/// The input of training; IDs are ascending.
struct Task {
    users: Vec<String>,
    items: Vec<String>,
    interactions: Interactions,
    start: Model,
}

impl Train {
    fn reserve(&self, triples: &Triples, memory: &mut MemoryReservation) -> Result<()> {
        let (users, items, nnz) = (triples.users.len(), triples.items.len(), triples.values.len());
        let factors = self.params.factors;
        // With a holdout, the best model is kept in addition to the current one.
        let best = if self.holdout > 0.0 {
            4 * factors * (users + items)
        } else {
            0
        };
        // The table's rows are built while the model still exists.
        let rows = 4 * factors * (users + items);
        let bytes = training_bytes(users, items, nnz, &self.params) + best + rows;
        memory.try_grow(bytes).map_err(|error| {
            error.context(format!(
                "{NAME}: {users} users, {items} items and {nnz} interactions at {factors} factors need about {} MiB \
                 more; raise --memory, lower factors, or train with SQL queries in a pipeline step (engine => 'sql')",
                bytes.div_ceil(1 << 20)
            ))
        })
    }

    /// The matrix and the random start; `None` if there are no rows.
    fn prepare(&self, triples: Triples) -> Result<Option<Task>> {
        let Triples {
            users,
            items,
            mut values,
        } = triples;
        if values.is_empty() {
            return Ok(None);
        }
        let (users, user_places) = users.sorted();
        let (items, item_places) = items.sorted();
        for (user, item, _) in &mut values {
            (*user, *item) = (user_places[*user as usize], item_places[*item as usize]);
        }
        let interactions = Interactions::from_triples(users.len(), items.len(), values)
            .map_err(|error| failed(&error, &users, &items))?;
        Ok(Some(Task {
            start: Model::start(users.len(), items.len(), &self.params),
            users,
            items,
            interactions,
        }))
    }

    fn learn(&self, task: Task) -> Result<Vec<RecordBatch>> {
        let Task {
            users,
            items,
            mut interactions,
            start,
        } = task;
        let failed = |error| failed(&error, &users, &items);
        let alpha = match self.usual_alpha {
            true => Params::usual_alpha(items.len()),
            false => self.params.alpha,
        };
        let params = &Params { alpha, ..self.params };
        let mut held_out = None;
        if self.holdout > 0.0 {
            let (rest, holdout) = Holdout::split(interactions, self.holdout, params.seed).map_err(failed)?;
            interactions = rest;
            if holdout.cases().is_empty() {
                tracing::warn!("{NAME}: no user has two items, so none can be held out");
            } else {
                held_out = Some(holdout);
            }
        }
        let (mut iterations, mut losses) = (0, vec![]);
        let mut observe = |iteration: usize, model: &Model, held_out_score: Option<f64>| {
            iterations = iteration;
            let loss = (self.track_loss || tracing::enabled!(Level::DEBUG)).then(|| loss(&interactions, model, params));
            if loss.is_some() || held_out_score.is_some() {
                tracing::info!(iteration, loss, held_out_score, "{NAME}");
            }
            losses.extend(loss.filter(|_| self.track_loss));
        };
        let (model, held_out_score) = match &held_out {
            Some(holdout) => {
                let until = (holdout, self.patience);
                let mut each = |iteration, model: &_, score| observe(iteration, model, Some(score));
                let (model, score) =
                    train_until_best(start, &interactions, params, until, &mut each).map_err(failed)?;
                (model, Some(score))
            }
            None => {
                let mut each = |iteration, model: &_| {
                    observe(iteration, model, None);
                    Ok(ControlFlow::Continue(()))
                };
                (
                    train_from(start, &interactions, params, &mut each).map_err(failed)?,
                    None,
                )
            }
        };
        let loss = loss(&interactions, &model, params);
        if !self.track_loss {
            losses = vec![loss];
        }
        let row = ModelRow {
            params: *params,
            iterations,
            users: users.len(),
            items: items.len(),
            interactions: interactions.nnz(),
            loss,
            losses,
            holdout: self.holdout,
            held_out_score,
        };
        factors_table::batches(&users, &items, &model, &row)
    }
}

fn failed(error: &AlsError, users: &[String], items: &[String]) -> DataFusionError {
    let name = |ids: &[String], index: u32| ids.get(index as usize).cloned().unwrap_or_default();
    exec_datafusion_err!(
        "{}",
        named(NAME, error, |user| name(users, user), |item| name(items, item))
    )
}
