//! What a step would do now, for `clickrec plan`: its decision, what waits, and its plan.

use arrow::datatypes::Schema;

use super::step_error::{backend_error, query_error};
use super::{Decision, Inputs, Lookup, Node, PipelineError, Runner, Way, step};
use crate::config::Mode;
use crate::lake::{LakeTable, positions};

/// What a step would do now.
#[derive(Debug)]
pub struct Preview {
    /// What it would do; `None` for a view, which is read in place.
    pub decision: Option<Decision>,
    /// Whether it is what its table was made with.
    pub logic: Logic,
    /// What happens to the columns of its table, in words.
    pub columns: Vec<String>,
    /// Rows and records that wait, where that is known without reading them.
    pub waiting: Option<u64>,
    /// Where several processes share a plan: into how many parts each stage of it is split, in order.
    pub stages: Vec<usize>,
    /// Where its logic has changed: the ways to apply it, if there are several.
    pub ways: Vec<Way>,
}

/// The SQL and settings of a step, compared with those that its table was last written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logic {
    /// There is no table yet.
    New,
    /// Another one.
    Changed,
    /// The same.
    Same,
}

impl Runner {
    /// What a step would do now. Reads logs and the ends of sources, and no rows.
    ///
    /// # Errors
    /// As [`Runner::inspect`], and where the step's columns do not fit the rows that stay: whatever a run refuses, unless
    /// an input is rebuilt before.
    pub async fn preview(&self, node: &Node) -> Result<Preview, PipelineError> {
        self.check([node.name()])?;
        if node.step.mode == Mode::View {
            return Ok(Preview {
                decision: None,
                logic: Logic::Same,
                columns: vec![],
                waiting: None,
                stages: vec![],
                ways: vec![],
            });
        }
        let inputs = self.inspect(node, Lookup::default()).await?;
        let failed = |error| node.lake_error(error);
        let old = inputs.target.schema().map_err(failed)?;
        let columns = match (&old, self.schemas().get(node.name())) {
            (Some(old), Some(new)) => {
                // A step that adds records is never rebuilt unasked: its next record would be refused.
                if inputs.decision.keeps_rest() || node.adds_records() {
                    step::fits(node, Some(old), new).map_err(failed)?;
                }
                column_changes(old, new)
            }
            _ => vec![],
        };
        let stages = match inputs.decision {
            Decision::UpToDate(_) => vec![],
            _ => self.stages(node, &inputs).await?,
        };
        let logic = logic(node, &inputs.target).await?;
        let ways = match logic {
            Logic::Changed => self.ways(node).await,
            Logic::New | Logic::Same => vec![],
        };
        Ok(Preview {
            stages,
            logic,
            ways,
            decision: Some(inputs.decision),
            columns,
            waiting: inputs.waiting,
        })
    }
}

impl Runner {
    /// How the plan of a step will be split, if it is.
    async fn stages(&self, node: &Node, inputs: &Inputs) -> Result<Vec<usize>, PipelineError> {
        let backend = self.tools().backend;
        let Some(split) = backend.stages() else {
            return Ok(vec![]);
        };
        let session = backend.engine().session(&inputs.bindings).await?;
        let result = step::result(node, &session).await?;
        let plan = result.create_physical_plan().await;
        let plan = plan.map_err(|error| query_error(node, error))?;
        split(plan, &session.copied_config()).map_err(|error| backend_error(node, error))
    }
}

async fn logic(node: &Node, table: &LakeTable) -> Result<Logic, PipelineError> {
    if table.version().is_none() {
        return Ok(Logic::New);
    }
    let stored = table.transaction(positions::SQL).await;
    Ok(match stored.map_err(|error| node.lake_error(error))? {
        Some(stored) if stored == node.fingerprint => Logic::Same,
        _ => Logic::Changed,
    })
}

fn column_changes(old: &Schema, new: &Schema) -> Vec<String> {
    let added = new
        .fields()
        .iter()
        .filter_map(|field| match old.field_with_name(field.name()) {
            Err(_) => Some(format!("adds column {} {}", field.name(), field.data_type())),
            Ok(before) if before.data_type() != field.data_type() => Some(format!(
                "changes the type of column {} from {} to {}",
                field.name(),
                before.data_type(),
                field.data_type()
            )),
            Ok(_) => None,
        });
    let gone = old
        .fields()
        .iter()
        .filter(|field| new.field_with_name(field.name()).is_err());
    added
        .chain(gone.map(|field| format!("drops column {}", field.name())))
        .collect()
}
