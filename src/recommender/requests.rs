use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::catalog::MemTable;
use datafusion::error::DataFusionError;

use super::{EVENTS, REQUESTS, RecommenderError, schema, step};
use crate::config::{Mode, TableName};
use crate::engine::{Bindings, query};
use crate::pipeline::{Node, Runner};

/// Turns the events of sessions into the rows of `gold.requests`, by the SQL of the steps between the two: the steps run
/// in memory, over these events alone.
#[derive(Debug)]
pub struct Requests<'a> {
    runner: &'a Runner,
    bindings: Bindings,
    events: TableName,
    steps: Vec<&'a Node>,
}

impl<'a> Requests<'a> {
    /// Finds the steps.
    ///
    /// # Errors
    /// When the project has no step `silver.events` or `gold.requests`, or the lake does not answer.
    pub async fn new(runner: &'a Runner) -> Result<Self, RecommenderError> {
        let events = step(runner, EVENTS)?.name().clone();
        let mut needed = BTreeSet::new();
        let mut nodes = vec![];
        let inputs = |node: &Node| node.inputs().cloned().collect::<Vec<_>>();
        needed.extend(inputs(step(runner, REQUESTS)?));
        for node in runner.dag().nodes().iter().rev() {
            if needed.contains(node.name()) && *node.name() != events && node.step.mode != Mode::View {
                needed.extend(inputs(node));
                nodes.push(node);
            }
        }
        // Only what follows from events: tables beside them (a catalogue) stay as the lake has them.
        let mut follows = BTreeSet::from([events.clone()]);
        nodes.reverse();
        nodes.retain(|node| node.reads_any(&follows) && follows.insert(node.name().clone()));
        Ok(Self {
            runner,
            bindings: runner.bindings().await?,
            events,
            steps: nodes,
        })
    }

    /// Events that have these columns, and NULL in all others that `silver.events` has; they are cast where need be.
    ///
    /// # Errors
    /// When a column cannot be cast.
    pub fn events(&self, known: &[(&str, ArrayRef)]) -> Result<RecordBatch, RecommenderError> {
        let declared = schema(self.runner, &self.events)?;
        let schema = nullable(&declared);
        let rows = known.first().map_or(0, |(_, column)| column.len());
        let column = |field: &FieldRef| match known.iter().find(|(name, _)| name == field.name()) {
            Some((_, column)) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows)),
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>();
        let events = columns.and_then(|columns| RecordBatch::try_new(schema, columns));
        Ok(events.map_err(DataFusionError::from)?)
    }

    /// The rows of `gold.requests` for sessions of these events, which have the columns of `silver.events`.
    ///
    /// # Errors
    /// When a step's SQL fails.
    pub async fn of_events(&self, events: Vec<RecordBatch>) -> Result<RecordBatch, RecommenderError> {
        let mut bindings = self.bindings.clone();
        let declared = schema(self.runner, &self.events)?;
        bind(&mut bindings, &self.events, &declared, events)?;
        for node in &self.steps {
            let (schema, rows) = self.run(&bindings, &node.step.sql).await?;
            bind(&mut bindings, node.name(), &schema, rows)?;
        }
        let (schema, rows) = self.run(&bindings, &format!("select * from {REQUESTS}")).await?;
        Ok(concat_batches(&nullable(&schema), &rows).map_err(DataFusionError::from)?)
    }

    async fn run(&self, bindings: &Bindings, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), RecommenderError> {
        let session = self.runner.engine().session(bindings).await?;
        let rows = query(&session, sql).await?;
        let schema = rows.schema().inner().clone();
        Ok((schema, rows.collect().await?))
    }
}

/// The columns, all of which may be NULL: one plan's idea of that is not another's.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A table that holds these rows, all of which are new.
fn bind(
    bindings: &mut Bindings,
    name: &TableName,
    schema: &Schema,
    rows: Vec<RecordBatch>,
) -> Result<(), RecommenderError> {
    let schema = nullable(schema);
    let conform = |rows: &RecordBatch| {
        let columns = rows.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()));
        RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
    };
    let rows = rows.iter().map(conform).collect::<Result<Vec<_>, _>>();
    let table = Arc::new(MemTable::try_new(
        schema.clone(),
        vec![rows.map_err(DataFusionError::from)?],
    )?);
    bindings.changes.insert(name.to_string(), table.clone());
    bindings.tables.insert(name.clone(), table);
    Ok(())
}
