//! The search for records that make a step's SQL fail, by halving one of its inputs. `leave_out_failed_records` calls
//! it after a step failed with an error that data can cause, and runs the step on the other records.
//!
//! The input is spilled to a file, and the SQL runs on halves of it, without writing, until each record that fails by
//! itself is known. An input with one such record is read about twice more; each further record costs as many small
//! runs as the input can be halved.
//!
//! What it does not do: an error that no single record causes (a sum that overflows) remains an error of the step, and
//! so does one that too many records cause, which is the fault of the SQL or the source (`check_number`): 1,000
//! records, or, from 20 failed records on, half of those looked at so far. Fewer than 20 are left out, even if there
//! are no others.

use std::ops::Range;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use futures::future::BoxFuture;

use super::data_error::is_of_data;
use super::failed_records::FailedRecord;
use super::failing_expression::failing_expression;
use super::spilled::Spilled;
use super::step::{self, Tools};
use super::step_error::query_error;
use super::{Inputs, Node, PipelineError, chain};
use crate::config::TableName;
use crate::engine::Bindings;

/// This many records are not left out.
const RECORDS_MAX: usize = 1_000;
/// Nor are this many, if they are half or more of those looked at.
const RECORDS_OF_ALL: usize = 20;
/// For this many records the failing expression is looked for too.
const EXPLAINED: usize = 10;

/// An input of a step, as its SQL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NamedInput {
    /// `changes('NAME')`.
    Changes(String),
    /// A table by its plain name.
    Table(TableName),
}

impl NamedInput {
    pub fn name(&self) -> String {
        match self {
            Self::Changes(name) => name.clone(),
            Self::Table(name) => name.to_string(),
        }
    }

    fn table(&self, bindings: &Bindings) -> Option<Arc<dyn TableProvider>> {
        match self {
            Self::Changes(name) => bindings.changes.get(name).cloned(),
            Self::Table(name) => bindings.tables.get(name).cloned(),
        }
    }

    pub fn bind(&self, bindings: &mut Bindings, table: Arc<dyn TableProvider>) {
        match self {
            Self::Changes(name) => bindings.changes.insert(name.clone(), table),
            Self::Table(name) => bindings.tables.insert(name.clone(), table),
        };
    }
}

/// What a search of one input found.
pub(super) struct Searched {
    pub records: Vec<FailedRecord>,
    /// All rows of the input.
    pub rows: u64,
    /// The rows that do not fail.
    pub good: Arc<dyn TableProvider>,
}

/// A search of one input of a step.
pub(super) struct Search<'a> {
    pub tools: Tools<'a>,
    pub node: &'a Node,
    pub inputs: &'a Inputs,
    /// The input to search.
    pub input: NamedInput,
    /// Whether the other inputs that are read in part stand empty meanwhile.
    pub is_alone: bool,
}

/// Rows that fail by themselves, by number.
type Failures = Vec<(u64, PipelineError)>;

impl Search<'_> {
    /// `None` where no record of this input makes the SQL fail by itself.
    pub async fn run(&self) -> Result<Option<Searched>, PipelineError> {
        let Some(table) = self.input.table(&self.inputs.bindings) else {
            return Ok(None);
        };
        // Where the SQL fails without any row of this input too, the cause lies elsewhere.
        let nothing = Arc::new(EmptyTable::new(table.schema()));
        if self.rehearse(nothing).await?.is_some() {
            return Ok(None);
        }
        let session = self.tools.engine_here().session(&Bindings::default()).await?;
        let can_read = self.inputs.target.register_store(&session.state());
        can_read.map_err(|error| self.node.lake_error(error))?;
        let spilled = Spilled::new(&session, table).await;
        let spilled = Arc::new(spilled.map_err(|source| query_error(self.node, source))?);
        let mut failures = vec![];
        self.search(&spilled, 0..spilled.rows(), &mut failures).await?;
        match failures.is_empty() {
            true => Ok(None),
            false => self.found(&spilled, failures).await.map(Some),
        }
    }

    /// Adds the rows of a range that fail by themselves.
    fn search<'f>(
        &'f self,
        spilled: &'f Arc<Spilled>,
        rows: Range<u64>,
        failures: &'f mut Failures,
    ) -> BoxFuture<'f, Result<(), PipelineError>> {
        Box::pin(async move {
            let table = self.part(spilled, std::slice::from_ref(&rows), 1)?;
            let Some(error) = self.rehearse(table).await? else {
                return Ok(());
            };
            if rows.end - rows.start == 1 {
                failures.push((rows.start, error));
                return self.check_number(failures, rows.end);
            }
            let middle = rows.start + (rows.end - rows.start) / 2;
            self.search(spilled, rows.start..middle, failures).await?;
            self.search(spilled, middle..rows.end, failures).await
        })
    }

    /// Gives up where so many records fail that the SQL must be wrong.
    fn check_number(&self, failures: &mut Failures, looked_at: u64) -> Result<(), PipelineError> {
        let number = failures.len();
        if number < RECORDS_MAX && (number < RECORDS_OF_ALL || (number as u64) * 2 < looked_at) {
            return Ok(());
        }
        let (_, first) = failures.swap_remove(0);
        Err(PipelineError::RecordsFail {
            step: self.node.name().to_string(),
            file: self.node.step.file.clone(),
            input: self.input.name(),
            failed: number,
            looked_at,
            source: Box::new(first),
        })
    }

    /// Runs the SQL over a table in the place of the input; the error that its data cause, if they do.
    async fn rehearse(&self, table: Arc<dyn TableProvider>) -> Result<Option<PipelineError>, PipelineError> {
        let inputs = self.inputs_with(table);
        match step::rehearse(self.tools, self.node, &inputs).await {
            Ok(()) => Ok(None),
            Err(error) if is_of_data(&error) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }

    fn inputs_with(&self, table: Arc<dyn TableProvider>) -> Inputs {
        let mut inputs = self.inputs.clone();
        if self.is_alone {
            for other in inputs.bindings.changes.values_mut() {
                *other = Arc::new(EmptyTable::new(other.schema()));
            }
        }
        self.input.bind(&mut inputs.bindings, table);
        inputs
    }

    fn part(
        &self,
        spilled: &Arc<Spilled>,
        rows: &[Range<u64>],
        partitions: usize,
    ) -> Result<Arc<dyn TableProvider>, PipelineError> {
        let table = spilled.table(rows, partitions);
        table.map_err(|source| query_error(self.node, source))
    }

    async fn found(&self, spilled: &Arc<Spilled>, failures: Failures) -> Result<Searched, PipelineError> {
        let query = |source| query_error(self.node, source);
        let (mut records, mut good, mut next) = (vec![], vec![], 0);
        for (row, error) in failures {
            good.push(next..row);
            next = row + 1;
            let mut reason = chain(&error, ": ");
            if records.len() < EXPLAINED {
                let inputs = self.inputs_with(self.part(spilled, std::slice::from_ref(&(row..row + 1)), 1)?);
                let expression = failing_expression(self.tools.engine_here(), self.node, &inputs).await?;
                reason.extend(expression.map(|expression| format!(" (in {expression})")));
            }
            let values = spilled.row(row).map_err(query)?;
            records.push(FailedRecord::new(&self.input.name(), &values, reason).map_err(query)?);
        }
        good.push(next..spilled.rows());
        let threads = self.tools.engine_here().threads();
        Ok(Searched {
            records,
            rows: spilled.rows(),
            good: self.part(spilled, &good, threads)?,
        })
    }
}
