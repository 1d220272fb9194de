//! Calls that are computed by queries, one after another, each over the files of the ones before: for data that memory
//! does not hold. What the queries are is the business of the call's function.
//!
//! Takes such calls out of a step's plan and runs their queries on the backend. `pipeline/step/write.rs` decides when:
//! always for calls that require it; for others, when memory did not suffice and the step's write begins again by
//! queries. `udfs/src/relation/by_queries.rs` is the interface to the calls; a function implements it next to its
//! queries.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use clickrec_udfs::FunctionExec;
use clickrec_udfs::relation::{ByQueries, QueryRunner, StoredTable};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as QueryResult;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::TableType;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::prelude::SessionContext;
use deltalake::kernel::Add;

use super::{Backend, BackendError, Job, Target};
use crate::lake::schema::nullable;
use crate::lake::write::{Layout, discard};
use crate::lake::{DataFilesScan, LakeTable};

/// Rows of a batch: they may be wide (with the vectors of a model, say), and an aggregate needs room for one batch more
/// at least.
const ROWS_AT_ONCE: usize = 1024;
/// What each sort sets aside to merge what it spilled: some batches. There are four of them a thread.
const SORT_RESERVATION_BYTES: usize = 1 << 20;

/// Which calls of a plan are computed by queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Those that require it.
    Required,
    /// All that can be.
    Possible,
}

/// A call in a plan, and how to compute it.
type Call = (Arc<dyn ExecutionPlan>, Arc<dyn ByQueries>);

fn calls(plan: &Arc<dyn ExecutionPlan>, which: Calls) -> QueryResult<Vec<Call>> {
    let mut calls = vec![];
    plan.apply(|node| {
        let by_queries = node.downcast_ref::<FunctionExec>().and_then(FunctionExec::by_queries);
        if let Some(by_queries) = by_queries.filter(|call| call.is_required() || which == Calls::Possible) {
            calls.push((node.clone(), by_queries));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(calls)
}

/// Whether a plan holds such calls.
pub fn holds(plan: &Arc<dyn ExecutionPlan>, which: Calls) -> bool {
    calls(plan, which).is_ok_and(|calls| !calls.is_empty())
}

/// For a plan that needs too much memory: what to tell the user about the first call that could be computed by queries
/// and was not.
pub fn way_out(plan: &Arc<dyn ExecutionPlan>) -> Option<&'static str> {
    let calls = calls(plan, Calls::Possible).ok()?;
    let in_memory = calls.iter().find(|(_, call)| !call.is_required())?;
    Some(in_memory.1.notice())
}

/// A plan whose calls can be taken out and run by themselves: no value of a subquery is shared by all of it.
///
/// # Errors
/// When the query does not plan.
pub async fn in_parts(session: &SessionContext, query: &DataFrame) -> QueryResult<Arc<dyn ExecutionPlan>> {
    let mut state = session.state();
    let optimizer = &mut state.config_mut().options_mut().optimizer;
    optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    state.create_physical_plan(query.logical_plan()).await
}

/// Computes calls of a plan by queries; the plan then reads their results. They are in files next to the data of a
/// table and belong to no version of it: [`Results::delete`] deletes them once the plan has run.
///
/// # Errors
/// When a query fails.
pub async fn compute(
    backend: &dyn Backend,
    job: Job<'_>,
    table: &LakeTable,
    plan: Arc<dyn ExecutionPlan>,
    which: Calls,
) -> Result<(Arc<dyn ExecutionPlan>, Results), BackendError> {
    let calls = calls(&plan, which)?;
    let session = session_of(job.session);
    let (mut plan, mut results) = (plan, Results::default());
    for (call, by_queries) in calls {
        let runner = Runner {
            backend,
            outer: job,
            job: Job {
                session: &session,
                progress: None,
                ..job
            },
            table,
            stored: Mutex::default(),
        };
        let inputs = call.children().into_iter().cloned();
        let inputs: Vec<Arc<dyn TableProvider>> = inputs.map(planned).collect();
        let result: Arc<dyn ExecutionPlan> = match by_queries.run(&inputs, &runner).await? {
            // Like the call that it stands for, it has one partition.
            Some(query) => Arc::new(CoalescePartitionsExec::new(query.create_physical_plan().await?)),
            None => Arc::new(EmptyExec::new(call.schema())),
        };
        results.0.extend(runner.left());
        let replaced = plan.transform_up(|node| match Arc::ptr_eq(&node, &call) {
            true => Ok(Transformed::yes(result.clone())),
            false => Ok(Transformed::no(node)),
        });
        plan = replaced.data()?;
    }
    Ok((plan, results))
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

/// The files that hold the results of calls.
#[derive(Debug, Default)]
pub struct Results(Vec<Add>);

impl Results {
    /// Deletes them.
    pub async fn delete(self, table: &LakeTable) {
        discard(table, &self.0).await;
    }
}

/// Runs the queries of one call on a backend, into files next to the data of a table.
struct Runner<'a> {
    backend: &'a dyn Backend,
    /// What the call is run for.
    outer: Job<'a>,
    job: Job<'a>,
    table: &'a LakeTable,
    /// The files of each table by its number, until it is deleted.
    stored: Mutex<Vec<Vec<Add>>>,
}

impl Runner<'_> {
    /// The files of tables that were not deleted.
    fn left(self) -> Vec<Add> {
        self.stored
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .concat()
    }

    async fn try_store(&self, query: DataFrame) -> Result<StoredTable, BackendError> {
        let layout = Layout {
            schema: nullable(query.schema().as_arrow()),
            partition_by: vec![],
        };
        let to = Target {
            table: self.table,
            layout: &layout,
            merge: None,
            keeps_rest: false,
        };
        let plan = query.create_physical_plan().await?;
        let (written, _) = self.backend.write(self.job, plan, to).await?;
        self.table.register_store(&self.job.session.state())?;
        let provider = Arc::new(DataFilesScan::of_new(self.table, &layout, &written.files)?);
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.push(written.files);
        Ok(StoredTable {
            id: stored.len() - 1,
            rows: usize::try_from(written.rows).unwrap_or(usize::MAX),
            provider,
        })
    }
}

#[async_trait]
impl QueryRunner for Runner<'_> {
    fn session(&self) -> &SessionContext {
        self.job.session
    }

    async fn collect(&self, query: DataFrame) -> QueryResult<Vec<RecordBatch>> {
        let plan = query.create_physical_plan().await?;
        Ok(self.backend.collect(self.job, plan).await?)
    }

    async fn store(&self, query: DataFrame) -> QueryResult<StoredTable> {
        Ok(self.try_store(query).await?)
    }

    async fn delete(&self, table: StoredTable) {
        let files = {
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            stored.get_mut(table.id).map(std::mem::take).unwrap_or_default()
        };
        discard(self.table, &files).await;
    }

    fn add_read(&self, rows: u64) {
        if let Some(progress) = self.outer.progress {
            progress.add_read_elsewhere(rows, 0);
        }
    }
}

fn planned(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn TableProvider> {
    Arc::new(Planned(plan))
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
            let column = Arc::new(Column::new(name, *index)) as Arc<dyn PhysicalExpr>;
            (column, name.clone())
        };
        let columns: Vec<_> = columns.iter().map(column).collect();
        Ok(Arc::new(ProjectionExec::try_new(columns, self.0.clone())?))
    }
}
