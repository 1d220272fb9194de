//! `als_train(relation, user => …, item => …, weight => …, factors => 64, …)`: learns factors in SQL.
//!
//! Planning checks the arguments and fixes the schema; training starts only when the plan runs, so EXPLAIN is free.
//! The input is read once, as of that moment. The result does not depend on the order of the input.
//!
//! Memory: 4 · factors · (users + items) bytes, 28 bytes an interaction, and the ids; reserved before it is allocated.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, plan_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::lit;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use tracing::Level;

use super::factors_table::{self, ITEM, USER};
use super::ids::{Triples, named, read_triples};
use crate::als::{Interactions, Params, train, training_bytes};
use crate::relation::{Arguments, Bound, Kind, Operation, Parameter, RelationFunction};

const NAME: &str = "als_train";
const BATCH_ROWS: usize = 8_192;

/// The function; see the module.
#[derive(Debug)]
pub(super) struct AlsTrain;

impl RelationFunction for AlsTrain {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "Learns a position in taste space for every user (here a session) and item, by alternating least squares for \
         implicit feedback. Returns kind ('user' or 'item'), id, factors, regularization, alpha."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("interactions", Kind::Relation, "one row per user and item"),
                Parameter::required("user", Kind::Column, "who: a session, a customer; any type"),
                Parameter::required("item", Kind::Column, "what; any type"),
                Parameter::optional(
                    "weight",
                    Kind::Column,
                    "1 for every row",
                    "how much the user cared; not negative",
                ),
                Parameter::optional("factors", Kind::Integer, "64", "dimensions of taste space"),
                Parameter::optional("iterations", Kind::Integer, "15", "how often both sides are solved"),
                Parameter::optional("regularization", Kind::Number, "0.1", "higher keeps factors smaller"),
                Parameter::optional(
                    "alpha",
                    Kind::Number,
                    "20",
                    "confidence of a unit of weight: 1 + alpha · weight",
                ),
                Parameter::optional(
                    "solver",
                    Kind::Text,
                    "'cg'",
                    "'cg' (fast), 'block' or 'cholesky' (exact)",
                ),
                Parameter::optional("seed", Kind::Integer, "42", "the same seed gives the same model"),
            ]
        }
    }

    fn bind(&self, arguments: &Arguments) -> Result<Bound> {
        let solver = match arguments.text("solver").unwrap_or("cg").parse() {
            Ok(solver) => solver,
            Err(error) => return plan_err!("{NAME}: {error}"),
        };
        let params = Params {
            factors: arguments.integer("factors", 64, 1..=1_024)? as usize,
            iterations: arguments.integer("iterations", 15, 1..=1_000)? as usize,
            regularization: arguments.number("regularization", 0.1) as f32,
            alpha: arguments.number("alpha", 20.0) as f32,
            solver,
            seed: arguments.integer("seed", 42, i64::MIN..=i64::MAX)?.cast_unsigned(),
        };
        if let Err(error) = params.validate() {
            return plan_err!("{NAME}: {error}");
        }
        let input = arguments.project("interactions", interaction_columns(arguments, "interactions")?)?;
        Ok(Bound {
            inputs: vec![input],
            schema: factors_table::schema(),
            operation: Arc::new(Train { params }),
        })
    }
}

/// User and item as text, weight as a number.
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

#[derive(Debug)]
struct Train {
    params: Params,
}

impl Operation for Train {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = inputs.swap_remove(0);
        let params = self.params;
        let result = async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let triples = read_triples(NAME, rows, None, &mut memory).await?;
            let (users, items, nnz) = (triples.users.len(), triples.items.len(), triples.values.len());
            let bytes = training_bytes(users, items, nnz, &params);
            memory.try_grow(bytes).map_err(|error| {
                error.context(format!(
                    "{NAME}: {users} users, {items} items and {nnz} interactions at {} factors need about {} MiB more; \
                     raise --memory, or lower factors",
                    params.factors,
                    bytes.div_ceil(1 << 20)
                ))
            })?;
            let learned = tokio::task::spawn_blocking(move || learn(triples, &params)).await;
            let batches = learned.map_err(|error| exec_datafusion_err!("{NAME}: training stopped: {error}"))??;
            // The reservation lives as long as the batches do.
            Ok::<_, DataFusionError>(stream::iter(batches).map(move |batch| {
                let _held = &memory;
                Ok(batch)
            }))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            stream::once(result).try_flatten(),
        )))
    }
}

fn learn(triples: Triples, params: &Params) -> Result<Vec<RecordBatch>> {
    let Triples {
        users,
        items,
        mut values,
    } = triples;
    if values.is_empty() {
        tracing::warn!("{NAME}: the input has no rows; the model is empty");
        return Ok(vec![]);
    }
    let (users, user_places) = users.sorted();
    let (items, item_places) = items.sorted();
    for (user, item, _) in &mut values {
        (*user, *item) = (user_places[*user as usize], item_places[*item as usize]);
    }
    let failed = |error| {
        let name = |ids: &[String], index: u32| ids.get(index as usize).cloned().unwrap_or_default();
        exec_datafusion_err!(
            "{}",
            named(NAME, &error, |user| name(&users, user), |item| name(&items, item))
        )
    };
    let interactions = Interactions::from_triples(users.len(), items.len(), values).map_err(failed)?;
    let model = train(&interactions, params, &mut |iteration, loss| {
        if tracing::enabled!(Level::DEBUG) {
            tracing::debug!(iteration, loss = loss(), "{NAME}");
        }
    })
    .map_err(failed)?;

    let settings = (params.regularization, params.alpha);
    let mut batches = vec![];
    for (kind, ids, factors) in [(USER, &users, &model.users), (ITEM, &items, &model.items)] {
        for start in (0..ids.len()).step_by(BATCH_ROWS) {
            let rows = start..(start + BATCH_ROWS).min(ids.len());
            batches.push(factors_table::batch(kind, ids, factors, rows, settings)?);
        }
    }
    Ok(batches)
}
