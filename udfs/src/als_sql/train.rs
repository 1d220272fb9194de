//! Training as a sequence of queries: the half-steps one after another, each over the rows of the one before. What
//! comes back between them are counts and a Gramian of `factors x factors`.
//!
//! Implements `relation/by_queries.rs` for `als_train`; the program's `backend/by_queries.rs` runs the queries. It does
//! so if the call says `engine => 'sql'`, or when memory does not suffice and `pipeline/step/write.rs` begins again by
//! queries.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::catalog::TableProvider;
use datafusion::common::{JoinType, Result, ScalarValue, exec_datafusion_err};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, ident, lit};

use super::{Solve, Start, als_error, als_gramian, als_solve, als_start, als_weight};
use crate::als::{AlsError, Params, Solver};
use crate::factors_table::{self, ITEM, ModelRow, USER};
use crate::relation::{ByQueries, QueryRunner, StoredTable};

/// Training by queries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Training {
    /// The requested parameters; rows are always solved exactly, whatever the solver.
    pub params: Params,
    /// Whether alpha is derived from the number of items.
    pub usual_alpha: bool,
    /// Whether it was requested; otherwise it is the way out if the matrix does not fit in memory.
    pub is_required: bool,
}

#[async_trait]
impl ByQueries for Training {
    fn is_required(&self) -> bool {
        self.is_required
    }

    fn notice(&self) -> &'static str {
        "the model does not fit into memory; training it with SQL queries, as with als_train(…, engine => 'sql')"
    }

    async fn run(&self, inputs: &[Arc<dyn TableProvider>], runner: &dyn QueryRunner) -> Result<Option<DataFrame>> {
        let [input] = inputs else {
            return Err(exec_datafusion_err!("als_train has {} inputs", inputs.len()));
        };
        let trainer = Trainer {
            params: self.params,
            runner,
        };
        trainer.train(input, self.usual_alpha).await
    }
}

struct Trainer<'a> {
    params: Params,
    runner: &'a dyn QueryRunner,
}

impl Trainer<'_> {
    async fn train(mut self, input: &Arc<dyn TableProvider>, usual_alpha: bool) -> Result<Option<DataFrame>> {
        let interactions = self.interactions(input).await?;
        self.runner.add_read(interactions.rows as u64);
        if interactions.rows == 0 {
            tracing::warn!("als_train: the input has no rows; the model is empty");
            return Ok(None);
        }
        let mut items = self.start(&interactions).await?;
        if usual_alpha {
            self.params.alpha = Params::usual_alpha(items.rows);
        }
        let mut users: Option<StoredTable> = None;
        for iteration in 1..=self.params.iterations {
            let solved = self.half_step(&interactions, ("user", "item"), &items).await?;
            if let Some(old) = users.replace(solved) {
                self.runner.delete(old).await;
            }
            if let Some(users) = &users {
                let solved = self.half_step(&interactions, ("item", "user"), users).await?;
                self.runner.delete(std::mem::replace(&mut items, solved)).await;
            }
            tracing::info!(iteration, "als_train by queries");
        }
        let users = users.ok_or_else(|| exec_datafusion_err!("als_train has no iterations"))?;
        let loss = self.loss(&interactions, &users, &items).await?;
        if !loss.is_finite() {
            return Err(exec_datafusion_err!("als_train: {}", AlsError::NotFinite));
        }
        let row = model_batch(self.params, [users.rows, items.rows, interactions.rows], loss)?;
        let model = self.model(&users, &items, row)?;
        self.runner.delete(interactions).await;
        Ok(Some(model))
    }

    /// The input by position: user, item and weight, once a pair.
    async fn interactions(&self, input: &Arc<dyn TableProvider>) -> Result<StoredTable> {
        let input = self.runner.session().read_table(input.clone())?;
        let fields = input.schema().fields().iter();
        let columns: Vec<String> = fields.map(|field| field.name().clone()).collect();
        let [user, item, weight] = &columns[..] else {
            return Err(exec_datafusion_err!("als_train reads {} columns", columns.len()));
        };
        // Refuses what training in memory refuses, row by row.
        let weight = als_weight().call(vec![ident(user), ident(item), cast(ident(weight), DataType::Float32)]);
        let weight = cast(weight, DataType::Float64);
        let pairs = [ident(user).alias("user"), ident(item).alias("item")];
        let pairs = input.aggregate(pairs.to_vec(), vec![sum(weight).alias("weight")])?;
        let pairs = pairs.select(vec![
            ident("user"),
            ident("item"),
            cast(ident("weight"), DataType::Float32).alias("weight"),
        ])?;
        self.runner.store(pairs).await
    }

    /// The vectors that items start from, by their index among all.
    async fn start(&self, interactions: &StoredTable) -> Result<StoredTable> {
        let items = self.read(interactions)?.select(vec![ident("item").alias("id")])?;
        let place = row_number().order_by(vec![ident("id").sort(true, false)]).build()?;
        let placed = items.distinct()?.window(vec![place.alias("place")])?;
        let start = als_start(Start { params: self.params });
        // From 0, as the rows of a matrix.
        let place = cast(ident("place") - lit(1), DataType::UInt64);
        let started = placed.select(vec![ident("id"), start.call(vec![place]).alias("factors")])?;
        self.runner.store(started).await
    }

    /// Solves one side, with the other as it is.
    async fn half_step(
        &self,
        interactions: &StoredTable,
        (side, other): (&str, &str),
        fixed: &StoredTable,
    ) -> Result<StoredTable> {
        let solve = als_solve(Solve {
            params: self.params,
            gramian: self.gramian(fixed).await?,
            others: fixed.rows,
        })?;
        let pairs = self.read(interactions)?.select(vec![
            ident(side).alias("row"),
            ident(other).alias("other"),
            ident("weight"),
        ])?;
        let joined = pairs.join_on(self.read(fixed)?, JoinType::Inner, [ident("other").eq(ident("id"))])?;
        let solved = solve.call(vec![ident("factors"), ident("weight")]).alias("solved");
        let rows = joined.aggregate(vec![ident("row")], vec![solved])?;
        let rows = rows.select(vec![ident("row").alias("id"), ident("solved").alias("factors")])?;
        self.runner.store(rows).await
    }

    async fn gramian(&self, factors: &StoredTable) -> Result<Vec<f64>> {
        let gramian = als_gramian().call(vec![ident("factors")]).alias("gramian");
        let query = self.read(factors)?.aggregate(vec![], vec![gramian])?;
        let batches = self.runner.collect(query).await?;
        let sums = batches.iter().find(|batch| batch.num_rows() > 0);
        let sums = sums.and_then(|batch| batch.column(0).as_list_opt::<i32>().cloned());
        match sums {
            Some(sums) if sums.is_valid(0) => Ok(sums.value(0).as_primitive::<Float64Type>().values().to_vec()),
            // Of no rows.
            _ => Ok(vec![0.0; self.params.factors.pow(2)]),
        }
    }

    /// The loss of [`crate::als::loss`], for ν = 0.
    async fn loss(&self, interactions: &StoredTable, users: &StoredTable, items: &StoredTable) -> Result<f64> {
        let (of_users, of_items) = (self.gramian(users).await?, self.gramian(items).await?);
        let all: f64 = of_users.iter().zip(&of_items).map(|(x, y)| x * y).sum();
        let squares = |gramian: &[f64]| gramian.iter().step_by(self.params.factors + 1).sum::<f64>();
        let named = |side: &StoredTable, id: &str, factors: &str| {
            self.read(side)?
                .select(vec![ident("id").alias(id), ident("factors").alias(factors)])
        };
        let by_user = [ident("user").eq(ident("user_id"))];
        let by_item = [ident("item").eq(ident("item_id"))];
        let joined = self
            .read(interactions)?
            .join_on(named(users, "user_id", "x")?, JoinType::Inner, by_user)?
            .join_on(named(items, "item_id", "y")?, JoinType::Inner, by_item)?;
        let error = als_error(self.params.alpha).call(vec![ident("x"), ident("y"), ident("weight")]);
        let query = joined.aggregate(vec![], vec![sum(error).alias("errors")])?;
        let batches = self.runner.collect(query).await?;
        let errors: f64 = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Float64Type>().iter().flatten())
            .sum();
        Ok(all + errors + f64::from(self.params.regularization) * (squares(&of_users) + squares(&of_items)))
    }

    /// The table of factors.
    fn model(&self, users: &StoredTable, items: &StoredTable, row: RecordBatch) -> Result<DataFrame> {
        let schema = row.schema();
        let of_kind = |side: &StoredTable, kind: &str| {
            let model = ScalarValue::try_from(schema.field(3).data_type())?;
            self.read(side)?.select(vec![
                lit(kind).alias("kind"),
                ident("id"),
                ident("factors"),
                Expr::Literal(model, None).alias("model"),
            ])
        };
        let row = MemTable::try_new(schema.clone(), vec![vec![row]])?;
        let row = self.runner.session().read_table(Arc::new(row))?;
        of_kind(users, USER)?.union(of_kind(items, ITEM)?)?.union(row)
    }

    fn read(&self, stored: &StoredTable) -> Result<DataFrame> {
        self.runner.session().read_table(stored.provider.clone())
    }
}

/// The row that records how a model was trained, in the columns of a table of factors.
fn model_batch(params: Params, [users, items, interactions]: [usize; 3], loss: f64) -> Result<RecordBatch> {
    factors_table::model_batch(&ModelRow {
        params: Params {
            solver: Solver::Cholesky,
            ..params
        },
        iterations: params.iterations,
        users,
        items,
        interactions,
        loss,
        losses: vec![loss],
        holdout: 0.0,
        held_out_score: None,
    })
}
