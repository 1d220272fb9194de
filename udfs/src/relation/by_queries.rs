//! The interface between a call that can be computed by queries ([`ByQueries`]) and whoever runs them
//! ([`QueryRunner`]).
//!
//! `als_sql/train.rs` implements the call, for `als_train`; `src/backend/by_queries.rs` of the program runs the
//! queries, and `src/pipeline/step/write.rs` chooses them when memory does not suffice and a step's write begins again
//! by queries.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;

/// Computes the result of a call by a sequence of queries instead of by [`Operation::execute`](super::Operation::execute):
/// for an operation whose data may not fit into the memory of one process. Queries can spill, and run wherever the
/// runner runs them.
#[async_trait]
pub trait ByQueries: Debug + Send + Sync {
    /// Whether the call requires it; otherwise it is the way out if memory does not suffice.
    fn is_required(&self) -> bool;

    /// What a user reads when it is taken as the way out.
    fn notice(&self) -> &'static str;

    /// Runs the queries over the inputs of the call. Returns the query of its result, over tables that were stored on
    /// the way; `None` if it has no rows.
    ///
    /// # Errors
    /// When a query fails, or the inputs cannot be used.
    async fn run(&self, inputs: &[Arc<dyn TableProvider>], runner: &dyn QueryRunner) -> Result<Option<DataFrame>>;
}

/// Runs queries, and keeps the rows of some in tables for later ones.
#[async_trait]
pub trait QueryRunner: Send + Sync {
    /// Where queries are planned.
    fn session(&self) -> &SessionContext;

    /// Runs a query whose result is small.
    ///
    /// # Errors
    /// When the query fails.
    async fn collect(&self, query: DataFrame) -> Result<Vec<RecordBatch>>;

    /// Runs a query into a table.
    ///
    /// # Errors
    /// When the query fails, or its rows cannot be stored.
    async fn store(&self, query: DataFrame) -> Result<StoredTable>;

    /// Deletes a table that no further query reads. What is left when all is done is deleted then.
    async fn delete(&self, table: StoredTable);

    /// Counts rows that were read from the inputs, for whoever watches the progress.
    fn add_read(&self, rows: u64);
}

/// Rows that a query was run into.
#[derive(Debug, Clone)]
pub struct StoredTable {
    /// The runner's number of it.
    pub id: usize,
    /// The number of its rows.
    pub rows: usize,
    /// Reads them.
    pub provider: Arc<dyn TableProvider>,
}
