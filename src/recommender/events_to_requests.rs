//! From the events of sessions to rows of the view of requests, by the project's own SQL: the steps in between
//! (`steps`, `between`) run in memory. Steps that build on the rows that they wrote before (`sql/silver/people.sql`) do
//! not: their tables are empty in a request, so a visitor whom Gold leaves out is answered like everybody.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::DFSchema;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};

use super::RecommenderError;
use super::planned::Planned;
use super::request_table::{RequestRows, RequestTable};
use super::steps::{between, schema, step};
use crate::config::TableName;
use crate::engine::{Bindings, Engine};
use crate::lake::schema::nullable;
use crate::pipeline::Runner;

/// Turns the events of sessions into rows of the view of requests, with the SQL of the steps in between: these run in
/// memory, over these events alone. Each is planned once.
#[derive(Debug)]
pub struct Requests {
    events: Arc<RequestTable>,
    steps: Vec<(Arc<RequestTable>, Planned)>,
    requests: Planned,
}

impl Requests {
    /// Finds the steps and plans them.
    ///
    /// # Errors
    /// When the project has no table of events or no view of requests, or the lake cannot be read.
    pub async fn new(runner: &Runner) -> Result<Self, RecommenderError> {
        Self::over(runner, runner.engine(), runner.bindings().await?).await
    }

    /// The same over tables that are already open.
    ///
    /// # Errors
    /// As [`Requests::new`].
    pub async fn over(runner: &Runner, engine: &Engine, mut bindings: Bindings) -> Result<Self, RecommenderError> {
        let names = runner.recommender();
        let (events, requests) = (&names.events, step(runner, &names.requests)?.name());
        let declared = schema(runner, events)?;
        let events_table = bind(&mut bindings, events, &declared);
        let mut steps = vec![];
        for node in between(runner, events)? {
            if node.reads_itself {
                bind_nothing(&mut bindings, node.name(), &schema(runner, node.name())?)?;
                continue;
            }
            let plan = Planned::new(engine, &bindings, &node.step.sql).await?;
            steps.push((bind(&mut bindings, node.name(), &plan.plan.schema()), plan));
        }
        Ok(Self {
            events: events_table,
            steps,
            requests: Planned::new(engine, &bindings, &format!("select * from {requests}")).await?,
        })
    }

    /// The columns of events.
    pub fn event_schema(&self) -> &SchemaRef {
        &self.events.schema
    }

    /// Events with these columns, which are cast if necessary, and NULL in all other columns of the table of events.
    ///
    /// # Errors
    /// When a column cannot be cast.
    pub fn events(&self, known: &[(&str, ArrayRef)]) -> Result<RecordBatch, RecommenderError> {
        let schema = self.event_schema().clone();
        let rows = known.first().map_or(0, |(_, column)| column.len());
        let column = |field: &FieldRef| match known.iter().find(|(name, _)| name == field.name()) {
            Some((_, column)) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows)),
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>();
        let events = columns.and_then(|columns| RecordBatch::try_new(schema, columns));
        Ok(events.map_err(DataFusionError::from)?)
    }

    /// The rows of the view of requests for sessions with these events, which have the columns of the table of events.
    ///
    /// # Errors
    /// When a step's SQL fails.
    pub async fn of_events(&self, events: Vec<RecordBatch>) -> Result<RecordBatch, RecommenderError> {
        let mut content = RequestRows::default();
        let conformed = |table: &RequestTable, rows: Vec<RecordBatch>| {
            let rows = rows.iter().map(|rows| table.conform(rows));
            rows.collect::<Result<Vec<_>, _>>()
        };
        content.insert(&self.events.name, conformed(&self.events, events)?);
        for (table, plan) in &self.steps {
            let rows = plan.run(content.clone()).await?;
            content.insert(&table.name, conformed(table, rows)?);
        }
        let rows = self.requests.run(content).await?;
        let schema = nullable(&self.requests.plan.schema());
        Ok(concat_batches(&schema, &rows).map_err(DataFusionError::from)?)
    }
}

/// A table without rows: a relation that is known to be empty, so that the planner removes joins with it.
fn bind_nothing(bindings: &mut Bindings, name: &TableName, schema: &SchemaRef) -> Result<(), DataFusionError> {
    let schema = DFSchema::try_from(schema.as_ref().clone())?;
    let nothing = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(schema),
    });
    let table: Arc<dyn TableProvider> = Arc::new(ViewTable::new(nothing, None));
    bindings.changes.insert(name.to_string(), table.clone());
    bindings.tables.insert(name.clone(), table);
    Ok(())
}

/// A request table, all of whose rows are new.
fn bind(bindings: &mut Bindings, name: &TableName, schema: &Schema) -> Arc<RequestTable> {
    let table = Arc::new(RequestTable::new(name.clone(), nullable(schema)));
    bindings.changes.insert(name.to_string(), table.clone());
    bindings.tables.insert(name.clone(), table.clone());
    table
}
