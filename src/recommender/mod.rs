//! Recommends items for given sessions, with the SQL of the project's recommendations in which the sessions replace the
//! view of requests. The table and the answers therefore come from the same statement. The project file declares the
//! names and the parts of the score (`recommender:`), and this module knows no model.
//!
//! - [`Recommender`]: the statement, planned once and run for every request. Whatever does not depend on the request
//!   (models, indices, popularity) is read once.
//! - [`Length`] (`length`): the statement for lists of some length; [`lists`](fn@lists): an answer as lists.
//! - `request_table`: the table of the requested sessions, in place of the view.
//! - `planned`: a plan that is run repeatedly; `once`: the parts of it that are computed once.
//! - [`Requests`] (`events_to_requests`): turns the events of sessions into rows of the view of requests, with the
//!   project's own SQL.
//! - [`events_of_session`], [`events_of_visitor`] (`events`): the events of one session.
//! - [`reasons`](fn@reasons): which of a session's items explain a recommendation.
//! - [`similar`](fn@similar): similar items, by the statement that the project declares.
//! - [`Catalog`] (`catalog`): titles, prices and pictures of items, from the table that the project declares.
//! - `steps`: the steps and tables that the project declares; `columns`: columns of an answer by name.

mod catalog;
mod columns;
mod error;
mod events;
mod events_to_requests;
mod length;
mod lists;
mod once;
mod planned;
mod reasons;
mod request_table;
mod similar;
mod steps;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;

pub use catalog::{Catalog, Details};
pub use columns::{column, floats, texts};
pub use error::RecommenderError;
pub use events::{
    Action, GIVEN_SESSION_ID, SessionId, events_of_session, events_of_visitor, session_parameters, session_query,
};
pub use events_to_requests::Requests;
pub use length::{Length, usual_length};
pub use lists::{Recommended, is_fallback, lists};
pub use reasons::{Reason, reasons};
pub use similar::{Similar, SimilarItem, similar};
pub use steps::{check, step, tables_read};

use crate::config::SqlFile;
use crate::engine::{Bindings, Engine};
use crate::pipeline::Runner;
use planned::Planned;
use request_table::{RequestRows, RequestTable};

/// A statement over the view of requests, planned once for a snapshot of the lake.
#[derive(Debug)]
pub struct Recommender {
    requests: Arc<RequestTable>,
    plan: Planned,
}

impl Recommender {
    /// Plans an SQL file that the project declares. `engine` determines the number of threads of its relational part, and
    /// the values of its `var('…', …)`.
    ///
    /// # Errors
    /// When the project has no view of requests, the lake cannot be read, or the statement does not plan.
    pub async fn of_file(runner: &Runner, engine: &Engine, file: &SqlFile) -> Result<Self, RecommenderError> {
        let planned = Self::over(runner, engine, runner.bindings().await?, &file.sql).await;
        planned.map_err(|error| error.in_file(&file.file))
    }

    /// Plans a statement over tables that are already open.
    ///
    /// # Errors
    /// As [`Recommender::of_file`].
    pub async fn over(
        runner: &Runner,
        engine: &Engine,
        mut bindings: Bindings,
        sql: &str,
    ) -> Result<Self, RecommenderError> {
        let name = step(runner, &runner.recommender().requests)?.name().clone();
        let requests = Arc::new(RequestTable::new(name.clone(), steps::schema(runner, &name)?));
        bindings.views.retain(|view| view.name != name);
        bindings.tables.insert(name, requests.clone());
        Ok(Self {
            requests,
            plan: Planned::new(engine, &bindings, sql).await?,
        })
    }

    /// The columns of the answer.
    pub fn schema(&self) -> SchemaRef {
        self.plan.plan.schema()
    }

    /// Runs the statement for some sessions, given as rows of the view of requests. Calls may run concurrently.
    ///
    /// # Errors
    /// When the rows have other columns, or the statement fails.
    pub async fn answer(&self, requests: &RecordBatch) -> Result<Vec<RecordBatch>, DataFusionError> {
        let mut rows = RequestRows::default();
        rows.insert(&self.requests.name, vec![self.requests.conform(requests)?]);
        self.plan.run(rows).await
    }
}
