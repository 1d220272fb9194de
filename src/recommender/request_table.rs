//! The tables that hold the requested sessions in a run of a plan: they stand in place of the view of requests, so that
//! one plan answers every request. They are empty when they are planned; each run brings its rows through the task
//! context ([`RequestRows::task`]).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{FieldRef, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_datafusion_err, project_schema};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::config::TableName;

/// The content of the request tables in one run of a plan: rows by table. Concurrent runs of one plan have separate
/// content.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestRows(BTreeMap<TableName, Vec<RecordBatch>>);

impl RequestRows {
    /// Sets the rows of a table.
    pub fn insert(&mut self, table: &TableName, rows: Vec<RecordBatch>) {
        self.0.insert(table.clone(), rows);
    }

    /// A task context for a run that reads these rows.
    pub fn task(self, task: &TaskContext) -> Arc<TaskContext> {
        let config = task.session_config().clone().with_extension(Arc::new(self));
        // The plan already contains its functions; those in the context are for deserialized plans.
        let runtime = task.runtime_env();
        Arc::new(TaskContext::new(
            None,
            task.session_id(),
            config,
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            runtime,
        ))
    }
}

/// A table of the requested sessions: its plan reads them when it runs.
#[derive(Debug)]
pub(super) struct RequestTable {
    pub name: TableName,
    pub schema: SchemaRef,
}

impl RequestTable {
    pub fn new(name: TableName, schema: SchemaRef) -> Self {
        Self { name, schema }
    }

    /// Converts rows to the table's columns; they may be in any order, and of types that can be cast.
    ///
    /// # Errors
    /// When a column is missing or cannot be cast.
    pub fn conform(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        if *rows.schema_ref() == self.schema {
            return Ok(rows.clone());
        }
        let column = |field: &FieldRef| {
            let column = rows.column(rows.schema_ref().index_of(field.name())?);
            cast(column, field.data_type())
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

#[async_trait]
impl TableProvider for RequestTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
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
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = project_schema(&self.schema, projection)?;
        Ok(Arc::new(RequestExec {
            name: self.name.clone(),
            projection: projection.cloned(),
            properties: Arc::new(
                PlanProperties::new(
                    EquivalenceProperties::new(schema),
                    Partitioning::UnknownPartitioning(1),
                    EmissionType::Incremental,
                    Boundedness::Bounded,
                )
                // A few rows block nothing.
                .with_scheduling_type(SchedulingType::Cooperative),
            ),
        }))
    }
}

/// The leaf that reads the requested sessions.
#[derive(Debug)]
pub(super) struct RequestExec {
    name: TableName,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for RequestExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestExec: {}", self.name)
    }
}

impl ExecutionPlan for RequestExec {
    fn name(&self) -> &str {
        "RequestExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().get_extension::<RequestRows>();
        let rows = rows.as_deref().and_then(|rows| rows.0.get(&self.name));
        let rows = rows.ok_or_else(|| exec_datafusion_err!("{} has no rows in this run", self.name))?;
        let projected = |rows: &RecordBatch| match &self.projection {
            Some(columns) => rows.project(columns),
            None => Ok(rows.clone()),
        };
        let rows = rows.iter().map(projected).collect::<Result<Vec<_>, _>>()?;
        let stream = MemoryStream::try_new(rows, self.schema(), None)?;
        Ok(Box::pin(stream))
    }
}
