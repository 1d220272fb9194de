//! Runs one test: its step over the given rows, batch by batch, up to the first one that does not match.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::MemTable;

use super::Diff;
use crate::config::{Mode, TableName};
use crate::engine::{Bindings, Engine, query};
use crate::lake::schema::storable;
use crate::lake::write::conform;
use crate::pipeline::{Node, PipelineError, Trial, chain, trial};

/// A test that is ready to run.
#[derive(Debug)]
pub struct Test {
    /// Its name, which says what it checks.
    pub name: String,
    /// The step that it tests.
    pub step: TableName,
    /// The file it is in.
    pub file: PathBuf,
    /// The line it starts on.
    pub line: u64,
    pub(super) node: Node,
    pub(super) engine: Engine,
    /// The statement that returns the rows of one CTE.
    pub(super) cte: Option<String>,
    pub(super) ordered: bool,
    /// Whether the SQL reads the step's own rows.
    pub(super) reads_previous: bool,
    /// The rows of the table before the first batch, if it exists.
    pub(super) before: Option<RecordBatch>,
    /// The columns of the step's table.
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<Batch>,
}

/// The input of a step at one time, and the expected result.
#[derive(Debug)]
pub(super) struct Batch {
    pub bindings: Bindings,
    pub expect: Option<RecordBatch>,
    pub expect_table: Option<RecordBatch>,
}

/// The result of a test.
#[derive(Debug)]
pub struct Outcome {
    /// What did not match; empty if it passed.
    pub failures: Vec<Failure>,
    /// Wall time.
    pub took: Duration,
}

/// A mismatch or an error.
#[derive(Debug)]
pub enum Failure {
    /// Rows differ.
    Rows {
        /// Which rows: `batch 2, table`.
        of: String,
        /// How they differ.
        diff: Diff,
    },
    /// The SQL failed.
    Error(String),
}

impl Test {
    /// Runs the batches one after another, and stops at the first failure.
    pub async fn run(&self) -> Outcome {
        let started = Instant::now();
        let failures = self
            .batches()
            .await
            .unwrap_or_else(|message| vec![Failure::Error(message)]);
        let took = started.elapsed();
        Outcome { failures, took }
    }

    async fn batches(&self) -> Result<Vec<Failure>, String> {
        let mut table = self.before.clone();
        for (index, batch) in self.batches.iter().enumerate() {
            let of = |what: &str| match self.batches.len() {
                1 => what.to_owned(),
                _ => format!("batch {}, {what}", index + 1),
            };
            let bindings = self.bindings(batch, table.as_ref())?;
            let mut failures = vec![];
            let mut compare = |what: &str, expected: &RecordBatch, found: &RecordBatch, ordered: bool| {
                let diff =
                    Diff::of(expected, found, &self.node.step.key, ordered).map_err(|error| error.to_string())?;
                failures.extend(diff.map(|diff| Failure::Rows { of: of(what), diff }));
                Ok::<_, String>(())
            };
            if let (Some(statement), Some(expected)) = (&self.cte, &batch.expect) {
                let found = rows(&self.engine, &bindings, statement).await?;
                compare("CTE", expected, &found, self.ordered)?;
            }
            if self.cte.is_none() || self.batches.len() > 1 {
                let Trial { result, table: after } = self.trial(&bindings, table.take()).await?;
                if let Some(expected) = batch.expect.as_ref().filter(|_| self.cte.is_none()) {
                    compare("result", expected, &result, self.ordered)?;
                }
                if let Some(expected) = &batch.expect_table {
                    compare("table", expected, &after, false)?;
                }
                table = Some(after);
            }
            if !failures.is_empty() {
                return Ok(failures);
            }
        }
        Ok(vec![])
    }

    /// Runs the first batch as a step would.
    ///
    /// # Errors
    /// When the step fails.
    pub(super) async fn first(&self) -> Result<RecordBatch, PipelineError> {
        let nothing = RecordBatch::new_empty(self.schema.clone());
        match self.batches.first() {
            Some(batch) => Ok(trial(&self.engine, &self.node, &batch.bindings, nothing).await?.result),
            None => Ok(nothing),
        }
    }

    async fn trial(&self, bindings: &Bindings, before: Option<RecordBatch>) -> Result<Trial, String> {
        let before = before.unwrap_or_else(|| RecordBatch::new_empty(self.schema.clone()));
        let tried = trial(&self.engine, &self.node, bindings, before).await;
        tried.map_err(|error| chain(&error, "\n  because: "))
    }

    /// The input of a batch, and the table as the previous batches left it.
    fn bindings(&self, batch: &Batch, table: Option<&RecordBatch>) -> Result<Bindings, String> {
        let mut bindings = batch.bindings.clone();
        if let Some(table) = table.filter(|_| self.reads_previous && self.node.step.mode != Mode::Overwrite) {
            let provider = MemTable::try_new(table.schema(), vec![vec![table.clone()]]);
            bindings.previous = Some(Arc::new(provider.map_err(|error| error.to_string())?));
        }
        Ok(bindings)
    }
}

/// The rows of a statement, with types that tests can express.
async fn rows(engine: &Engine, bindings: &Bindings, statement: &str) -> Result<RecordBatch, String> {
    let run = async {
        let session = engine.session(bindings).await?;
        let result = query(&session, statement).await?;
        let schema = writable(result.schema().as_arrow());
        let batches = result.collect().await?;
        let batches = batches.iter().map(|batch| conform(batch, &schema));
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        Ok::<_, datafusion::error::DataFusionError>(concat_batches(&schema, &batches)?)
    };
    run.await.map_err(|error| error.strip_backtrace())
}

/// The columns as a table would store them, or text if no table could.
pub(super) fn writable(schema: &Schema) -> SchemaRef {
    let name = TableName {
        layer: String::new(),
        table: String::new(),
    };
    let field = |field: &Arc<Field>| {
        let alone = storable(&name, &Schema::new(vec![field.clone()]));
        let data_type = alone.map_or(DataType::Utf8, |schema| schema.field(0).data_type().clone());
        Field::new(field.name(), data_type, true)
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}
