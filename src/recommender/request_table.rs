use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, project_schema};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use tokio::sync::{Mutex as Turns, MutexGuard as Turn};

/// A table of the sessions that are asked about now: its plan reads what they are when it runs.
#[derive(Debug)]
pub(super) struct RequestTable {
    schema: SchemaRef,
    current: Arc<Mutex<RecordBatch>>,
    turns: Turns<()>,
}

impl RequestTable {
    /// With no session yet.
    pub fn new(schema: SchemaRef) -> Self {
        Self {
            current: Arc::new(Mutex::new(RecordBatch::new_empty(schema.clone()))),
            schema,
            turns: Turns::new(()),
        }
    }

    /// Takes rows with the table's columns, in any order, as what is asked about until the turn is dropped.
    pub async fn ask(&self, rows: &RecordBatch) -> Result<Turn<'_, ()>> {
        let column = |field: &Arc<arrow::datatypes::Field>| {
            let column = rows.column(rows.schema_ref().index_of(field.name())?);
            cast(column, field.data_type())
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let rows = RecordBatch::try_new(self.schema.clone(), columns)?;
        let turn = self.turns.lock().await;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = rows;
        Ok(turn)
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
            current: self.current.clone(),
            projection: projection.cloned(),
            properties: Arc::new(PlanProperties::new(
                EquivalenceProperties::new(schema),
                Partitioning::UnknownPartitioning(1),
                EmissionType::Incremental,
                Boundedness::Bounded,
            )),
        }))
    }
}

/// The leaf that reads the sessions that are asked about.
#[derive(Debug)]
pub(super) struct RequestExec {
    current: Arc<Mutex<RecordBatch>>,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for RequestExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestExec")
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

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stream = MemoryStream::try_new(vec![rows], self.schema(), self.projection.clone())?;
        Ok(Box::pin(stream))
    }
}
