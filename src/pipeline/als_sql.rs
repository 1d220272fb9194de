//! `als_train(…, engine => 'sql')`, or where memory does not hold the matrix: the half-steps as queries, one after another,
//! each over the files of the one before. No process holds the matrix; what comes back between them are counts and a
//! Gramian of `factors x factors`.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use async_trait::async_trait;
use clickrec_udfs::FunctionExec;
use clickrec_udfs::als::{AlsError, Params};
use clickrec_udfs::als_sql::{
    Solve, Start, Training, als_error, als_gramian, als_solve, als_start, als_weight, model_batch,
};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as QueryResult, exec_datafusion_err};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableType};
use datafusion::execution::SessionStateBuilder;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, JoinType, cast, ident, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::SessionContext;
use deltalake::kernel::Add;

use super::distributed::Plans;
use super::{Failure, PipelineError, chain};
use crate::lake::DataFilesScan;
use crate::lake::write::{Layout, discard};

/// Rows of a batch: with their vectors they are wide, and an aggregate needs room for one batch more at least.
const ROWS_AT_ONCE: usize = 1024;
/// What each sort sets aside to merge what it spilled: some batches. There are four of them a thread.
const SORT_RESERVATION_BYTES: usize = 1 << 20;

/// Which calls of a plan are trained by queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// Those that ask for it.
    Asking,
    /// All that can be.
    All,
}

/// The calls in a plan, with how to train them.
fn calls(plan: &Arc<dyn ExecutionPlan>, which: Calls) -> QueryResult<Vec<(Arc<dyn ExecutionPlan>, Training)>> {
    let mut calls = vec![];
    plan.apply(|node| {
        let training = node.downcast_ref::<FunctionExec>().and_then(FunctionExec::training);
        if let Some(training) = training.filter(|training| training.asked || which == Calls::All) {
            calls.push((node.clone(), training));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(calls)
}

/// Whether calls of a plan are trained by queries.
pub(super) fn trains(plan: &Arc<dyn ExecutionPlan>, which: Calls) -> bool {
    calls(plan, which).is_ok_and(|calls| !calls.is_empty())
}

/// Whether a plan holds a call that is trained in memory and need not be.
pub(super) fn has_a_way_out(plan: &Arc<dyn ExecutionPlan>) -> bool {
    calls(plan, Calls::All).is_ok_and(|calls| calls.iter().any(|(_, training)| !training.asked))
}

/// Whether training is what memory did not suffice for: its errors name it, those of executors too.
pub(super) fn is_out_of_memory(error: &PipelineError) -> bool {
    error.failure() == Failure::OutOfMemory && chain(error, ": ").contains("als_train")
}

/// A plan whose calls can be taken out and run by themselves: no value of a subquery is shared by all of it.
pub(super) async fn in_parts(session: &SessionContext, result: &DataFrame) -> QueryResult<Arc<dyn ExecutionPlan>> {
    let mut state = session.state();
    let optimizer = &mut state.config_mut().options_mut().optimizer;
    optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    state.create_physical_plan(result.logical_plan()).await
}

/// Trains models of a plan by queries; the plan then reads them. Their files are part of no version of a table:
/// [`Trained::forget`] takes them away once the plan has run.
pub(super) async fn train(
    plan: Arc<dyn ExecutionPlan>,
    which: Calls,
    plans: &Plans<'_>,
) -> Result<(Arc<dyn ExecutionPlan>, Trained), PipelineError> {
    let calls = calls(&plan, which).map_err(|error| plans.query_error(error))?;
    let session = session_of(plans.session);
    let plans = &Plans {
        session: &session,
        ..*plans
    };
    let (mut plan, mut trained) = (plan, Trained::default());
    for (call, training) in calls {
        let trainer = Trainer { plans, training };
        let (model, files) = trainer.train(&call).await?;
        trained.0.extend(files);
        let replaced = plan.transform_up(|node| match Arc::ptr_eq(&node, &call) {
            true => Ok(Transformed::yes(model.clone())),
            false => Ok(Transformed::no(node)),
        });
        plan = replaced.data().map_err(|error| plans.query_error(error))?;
    }
    Ok((plan, trained))
}

/// A session for queries that memory may not hold.
fn session_of(session: &SessionContext) -> SessionContext {
    let mut config = session.copied_config().with_batch_size(ROWS_AT_ONCE);
    // Joins that can spill.
    config.options_mut().optimizer.prefer_hash_join = false;
    config.options_mut().execution.sort_spill_reservation_bytes = SORT_RESERVATION_BYTES;
    let state = SessionStateBuilder::new_from_existing(session.state()).with_config(config);
    SessionContext::new_with_state(state.build())
}

/// The files of trained models.
#[derive(Debug, Default)]
pub(super) struct Trained(Vec<Add>);

impl Trained {
    /// Deletes them.
    pub async fn forget(self, plans: &Plans<'_>) {
        discard(plans.table, &self.0).await;
    }
}

struct Trainer<'a> {
    plans: &'a Plans<'a>,
    training: Training,
}

/// Rows that were written, to be read by the next query.
struct Stored {
    files: Vec<Add>,
    layout: Layout,
    rows: usize,
}

impl Trainer<'_> {
    async fn train(&self, call: &Arc<dyn ExecutionPlan>) -> Result<(Arc<dyn ExecutionPlan>, Vec<Add>), PipelineError> {
        let input = call.children().first().map(|input| Arc::clone(input));
        let input = input.ok_or_else(|| self.failed(exec_datafusion_err!("als_train has no input")))?;
        let interactions = self.interactions(input).await?;
        self.plans.progress.add_read_elsewhere(interactions.rows as u64, 0);
        if interactions.rows == 0 {
            tracing::warn!("als_train: the input has no rows; the model is empty");
            return Ok((Arc::new(EmptyExec::new(call.schema())), interactions.files));
        }
        let mut items = self.start(&interactions).await?;
        let mut params = self.training.params;
        if self.training.usual_alpha {
            params.alpha = Params::usual_alpha(items.rows);
        }
        let mut users: Option<Stored> = None;
        for iteration in 1..=params.iterations {
            let solved = self.half_step(&interactions, ("user", "item"), &items, params).await?;
            self.forget(users.replace(solved)).await;
            if let Some(users) = &users {
                let solved = self.half_step(&interactions, ("item", "user"), users, params).await?;
                self.forget(Some(std::mem::replace(&mut items, solved))).await;
            }
            tracing::info!(iteration, "als_train by queries");
        }
        let users = users.ok_or_else(|| self.failed(exec_datafusion_err!("als_train has no iterations")))?;
        let loss = self.loss(&interactions, &users, &items, params).await?;
        if !loss.is_finite() {
            return Err(self.failed(exec_datafusion_err!("als_train: {}", AlsError::NotFinite)));
        }
        let counts = [users.rows, items.rows, interactions.rows];
        let row = model_batch(params, counts, loss).map_err(|error| self.failed(error))?;
        let model = self
            .model(&users, &items, row)
            .await
            .map_err(|error| self.failed(error))?;
        self.forget(Some(interactions)).await;
        Ok((model, [users.files, items.files].concat()))
    }

    /// The input by position: user, item and weight, once a pair.
    async fn interactions(&self, input: Arc<dyn ExecutionPlan>) -> Result<Stored, PipelineError> {
        let query = async {
            let input = self.plans.session.read_table(Arc::new(Planned(input)))?;
            let columns: Vec<String> = input
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            let [user, item, weight] = &columns[..] else {
                return Err(exec_datafusion_err!("als_train reads {} columns", columns.len()));
            };
            // Refuses what training in memory refuses, row by row.
            let weight = als_weight().call(vec![ident(user), ident(item), cast(ident(weight), DataType::Float32)]);
            let weight = cast(weight, DataType::Float64);
            let pairs = [ident(user).alias("user"), ident(item).alias("item")];
            let pairs = input.aggregate(pairs.to_vec(), vec![sum(weight).alias("weight")])?;
            pairs.select(vec![
                ident("user"),
                ident("item"),
                cast(ident("weight"), DataType::Float32).alias("weight"),
            ])
        };
        self.store(query.await).await
    }

    /// The vectors that items start from, by their place among all.
    async fn start(&self, interactions: &Stored) -> Result<Stored, PipelineError> {
        let query = async {
            let items = self
                .read(interactions)?
                .select(vec![ident("item").alias("id")])?
                .distinct()?;
            let place = row_number().order_by(vec![ident("id").sort(true, false)]).build()?;
            let placed = items.window(vec![place.alias("place")])?;
            let start = als_start(Start {
                params: self.training.params,
            });
            // From 0, as the rows of a matrix.
            let place = cast(ident("place") - lit(1), DataType::UInt64);
            placed.select(vec![ident("id"), start.call(vec![place]).alias("factors")])
        };
        self.store(query.await).await
    }

    /// Solves one side, with the other as it is.
    async fn half_step(
        &self,
        interactions: &Stored,
        (side, other): (&str, &str),
        fixed: &Stored,
        params: Params,
    ) -> Result<Stored, PipelineError> {
        let solve = Solve {
            params,
            gramian: self.gramian(fixed).await?,
            others: fixed.rows,
        };
        let query = async {
            let solve = als_solve(solve)?;
            let pairs = self.read(interactions)?.select(vec![
                ident(side).alias("row"),
                ident(other).alias("other"),
                ident("weight"),
            ])?;
            let joined = pairs.join_on(self.read(fixed)?, JoinType::Inner, [ident("other").eq(ident("id"))])?;
            let solved = solve.call(vec![ident("factors"), ident("weight")]).alias("solved");
            let rows = joined.aggregate(vec![ident("row")], vec![solved])?;
            rows.select(vec![ident("row").alias("id"), ident("solved").alias("factors")])
        };
        self.store(query.await).await
    }

    async fn gramian(&self, factors: &Stored) -> Result<Vec<f64>, PipelineError> {
        let query = || {
            let gramian = als_gramian().call(vec![ident("factors")]).alias("gramian");
            self.read(factors)?.aggregate(vec![], vec![gramian])
        };
        let batches = self.collect(query()).await?;
        let sums = batches.iter().find(|batch| batch.num_rows() > 0);
        let sums = sums.and_then(|batch| batch.column(0).as_list_opt::<i32>().cloned());
        match sums {
            Some(sums) if sums.is_valid(0) => Ok(sums.value(0).as_primitive::<Float64Type>().values().to_vec()),
            // Of no rows.
            _ => Ok(vec![0.0; self.training.params.factors.pow(2)]),
        }
    }

    /// The loss of [`clickrec_udfs::als::loss`], for ν = 0.
    async fn loss(
        &self,
        interactions: &Stored,
        users: &Stored,
        items: &Stored,
        params: Params,
    ) -> Result<f64, PipelineError> {
        let (of_users, of_items) = (self.gramian(users).await?, self.gramian(items).await?);
        let all: f64 = of_users.iter().zip(&of_items).map(|(x, y)| x * y).sum();
        let squares = |gramian: &[f64]| gramian.iter().step_by(params.factors + 1).sum::<f64>();
        let query = || {
            let named = |side: &Stored, id: &str, factors: &str| {
                self.read(side)?
                    .select(vec![ident("id").alias(id), ident("factors").alias(factors)])
            };
            let joined = self
                .read(interactions)?
                .join_on(
                    named(users, "user_id", "x")?,
                    JoinType::Inner,
                    [ident("user").eq(ident("user_id"))],
                )?
                .join_on(
                    named(items, "item_id", "y")?,
                    JoinType::Inner,
                    [ident("item").eq(ident("item_id"))],
                )?;
            let error = als_error(params.alpha).call(vec![ident("x"), ident("y"), ident("weight")]);
            joined.aggregate(vec![], vec![sum(error).alias("errors")])
        };
        let batches = self.collect(query()).await?;
        let errors: f64 = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Float64Type>().iter().flatten())
            .sum();
        Ok(all + errors + f64::from(params.regularization) * (squares(&of_users) + squares(&of_items)))
    }

    /// The table of factors.
    async fn model(&self, users: &Stored, items: &Stored, row: RecordBatch) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let schema = row.schema();
        let of_kind = |side: &Stored, kind: &str| {
            let model = datafusion::common::ScalarValue::try_from(schema.field(3).data_type())?;
            self.read(side)?.select(vec![
                lit(kind).alias("kind"),
                ident("id"),
                ident("factors"),
                Expr::Literal(model, None).alias("model"),
            ])
        };
        let row = self
            .plans
            .session
            .read_table(Arc::new(MemTable::try_new(schema.clone(), vec![vec![row]])?))?;
        let all = of_kind(users, "user")?.union(of_kind(items, "item")?)?.union(row)?;
        let plan = all.create_physical_plan().await?;
        // As the call that it stands for, it has one partition.
        Ok(Arc::new(CoalescePartitionsExec::new(plan)))
    }

    fn read(&self, stored: &Stored) -> QueryResult<DataFrame> {
        let let_read = self.plans.table.let_read(&self.plans.session.state());
        let_read.map_err(|error| exec_datafusion_err!("{error}"))?;
        let scan = DataFilesScan::of_new(self.plans.table, &stored.layout, &stored.files);
        let scan = scan.map_err(|error| exec_datafusion_err!("{error}"))?;
        self.plans.session.read_table(Arc::new(scan))
    }

    /// Runs a query into files.
    async fn store(&self, query: QueryResult<DataFrame>) -> Result<Stored, PipelineError> {
        let query = query.map_err(|error| self.failed(error))?;
        let layout = Layout {
            schema: nullable(query.schema().as_arrow()),
            partition_by: vec![],
        };
        let plan = query.create_physical_plan().await.map_err(|error| self.failed(error))?;
        let written = self.plans.files(plan, &layout).await?;
        Ok(Stored {
            files: written.files,
            rows: usize::try_from(written.rows).unwrap_or(usize::MAX),
            layout,
        })
    }

    async fn collect(&self, query: QueryResult<DataFrame>) -> Result<Vec<RecordBatch>, PipelineError> {
        let query = query.map_err(|error| self.failed(error))?;
        let plan = query.create_physical_plan().await.map_err(|error| self.failed(error))?;
        self.plans.run(plan).await
    }

    async fn forget(&self, stored: Option<Stored>) {
        if let Some(stored) = stored {
            discard(self.plans.table, &stored.files).await;
        }
    }

    fn failed(&self, error: datafusion::error::DataFusionError) -> PipelineError {
        self.plans.query_error(error)
    }
}

fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| Field::new(field.name(), field.data_type().clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A plan as a table that is read once.
#[derive(Debug)]
struct Planned(Arc<dyn ExecutionPlan>);

#[async_trait]
impl TableProvider for Planned {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let Some(columns) = projection else {
            return Ok(self.0.clone());
        };
        let schema = self.0.schema();
        let column = |index: &usize| {
            let name = schema.field(*index).name();
            let column = datafusion::physical_expr::expressions::Column::new(name, *index);
            (
                Arc::new(column) as Arc<dyn datafusion::physical_expr::PhysicalExpr>,
                name.clone(),
            )
        };
        let columns: Vec<_> = columns.iter().map(column).collect();
        Ok(Arc::new(
            datafusion::physical_plan::projection::ProjectionExec::try_new(columns, self.0.clone())?,
        ))
    }
}
