//! What it costs to apply a step's changed logic, for `clickrec plan`: each way with its rows, and about how long it takes
//! by the step's earlier runs (`system.runs`), or why it is refused.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;

use super::inputs::Lookup;
use super::runs::{NEW_ROWS, REBUILT};
use super::{Decision, Node, PipelineError, Runner, on_change, step, system};
use crate::engine::{self, Bindings};
use crate::lake::LakeError;

/// How many of the step's newest runs of a kind count.
const RUNS: usize = 100;

/// A way to apply changed logic.
#[derive(Debug)]
pub struct Way {
    /// `rebuild`, `forward` or `backfill`.
    pub name: &'static str,
    /// What it costs; the error says why it is refused.
    pub cost: Result<Cost, PipelineError>,
}

/// What a way costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Rows of its input, where that is known without reading them.
    pub rows: Option<u64>,
    /// About how many seconds it takes; `None` where the step has not run yet.
    pub seconds: Option<f64>,
}

/// What earlier runs tell; `None` where there were none.
#[derive(Debug, Clone, Copy, Default)]
struct Speeds {
    /// Rows a second in the rebuild that read most: in a small one, other things take the time.
    rebuilt: Option<f64>,
    /// The same of runs over new rows.
    new_rows: Option<f64>,
    /// Seconds of the shortest run over new rows. However few are new, it looks up older ones.
    shortest: Option<f64>,
}

impl Speeds {
    fn rebuild(self, rows: Option<u64>) -> Cost {
        cost(rows, self.rebuilt.or(self.new_rows))
    }

    fn read_on(self, rows: Option<u64>) -> Cost {
        let cost = cost(rows, self.new_rows.or(self.rebuilt));
        let seconds = cost.seconds.map(|seconds| seconds.max(self.shortest.unwrap_or(0.0)));
        Cost { seconds, ..cost }
    }
}

fn cost(rows: Option<u64>, speed: Option<f64>) -> Cost {
    let seconds = rows.zip(speed).map(|(rows, speed)| rows as f64 / speed);
    Cost { rows, seconds }
}

impl Runner {
    /// The ways to apply the changed logic of a step that can keep older rows; none for another step.
    pub(super) async fn ways(&self, node: &Node) -> Vec<Way> {
        if node.adds_records() || on_change::check_forward(node).is_err() {
            return vec![];
        }
        let speeds = self.speeds(node).await.unwrap_or_else(|error| {
            tracing::debug!(step = %node.name(), %error, "system.runs does not say how long it takes");
            Speeds::default()
        });
        let full_refresh = Lookup {
            full_refresh: true,
            ..Lookup::default()
        };
        let rebuild = self.inspect(node, full_refresh).await;
        vec![
            Way {
                name: "rebuild",
                cost: rebuild.map(|inputs| speeds.rebuild(inputs.waiting)),
            },
            Way {
                name: "forward",
                cost: self.forward_cost(node, speeds).await,
            },
            Way {
                name: "backfill",
                cost: self.backfill_cost(node, speeds).await,
            },
        ]
    }

    async fn forward_cost(&self, node: &Node, speeds: Speeds) -> Result<Cost, PipelineError> {
        let forward = Lookup {
            forward: true,
            ..Lookup::default()
        };
        let inputs = self.inspect(node, forward).await?;
        if let Decision::Full(reason) = inputs.decision {
            return Err(on_change::not_forward(node, reason));
        }
        let old = inputs.target.schema().map_err(|error| node.lake_error(error))?;
        if let Some(new) = self.schemas().get(node.name()) {
            step::fits(node, old.as_deref(), new).map_err(|error| node.lake_error(error))?;
        }
        Ok(speeds.read_on(inputs.waiting))
    }

    /// It reads the inputs again that name its keys, once the step has gone forward.
    async fn backfill_cost(&self, node: &Node, speeds: Speeds) -> Result<Cost, PipelineError> {
        self.check_backfill(node)?;
        self.forward_cost(node, speeds).await?;
        let mut rows = 0;
        for input in on_change::inputs(node)? {
            let table = self.lake().table(input).await;
            rows += table.map_err(|error| node.lake_error(error))?.rows();
        }
        Ok(speeds.rebuild(Some(rows)))
    }

    /// How fast the step was in its newest runs.
    async fn speeds(&self, node: &Node) -> Result<Speeds, PipelineError> {
        let name = system::name(system::RUNS);
        let failed = |source: LakeError| PipelineError::Lake {
            step: name.to_string(),
            source,
        };
        let table = self.lake().table(&name).await.map_err(failed)?;
        if table.version().is_none() {
            return Ok(Speeds::default());
        }
        let mut bindings = Bindings::default();
        let provider = table.provider(&self.session).await.map_err(failed)?;
        bindings.tables.insert(name.clone(), provider);
        let session = self.engine().session(&bindings).await?;
        let of_largest =
            |status: &str| format!("first_value(rows / seconds order by rows desc) filter (where status = '{status}')");
        let sql = format!(
            "select {} as rebuilt, {} as new_rows, min(seconds) filter (where status = '{NEW_ROWS}') as shortest from \
             (select status, cast(rows_read as double) as rows, seconds, row_number() over (partition by status order by \
             started_at desc) as age from {name} where step = '{}' and rows_read > 0 and seconds > 0) as runs where age \
             <= {RUNS}",
            of_largest(REBUILT),
            of_largest(NEW_ROWS),
            node.name()
        );
        let batches = engine::query(&session, &sql).await?.collect().await?;
        let of = |column: usize| {
            let values = batches.first()?.column(column).as_primitive_opt::<Float64Type>()?;
            (!values.is_empty() && values.is_valid(0)).then(|| values.value(0))
        };
        Ok(Speeds {
            rebuilt: of(0),
            new_rows: of(1),
            shortest: of(2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_follow_from_the_speed_of_the_same_kind_of_run_or_else_of_the_other() {
        let both = Speeds {
            rebuilt: Some(1_000.0),
            new_rows: Some(10.0),
            shortest: Some(2.0),
        };
        assert_eq!(both.rebuild(Some(500)).seconds, Some(0.5));
        assert_eq!(both.read_on(Some(500)).seconds, Some(50.0));
        assert_eq!(both.read_on(Some(0)).seconds, Some(2.0), "no run is shorter");
        let one = Speeds {
            rebuilt: Some(1_000.0),
            ..Speeds::default()
        };
        assert_eq!(one.read_on(Some(500)).seconds, Some(0.5));
        assert_eq!(Speeds::default().rebuild(Some(500)).seconds, None);
        assert_eq!(
            both.rebuild(None),
            Cost {
                rows: None,
                seconds: None
            }
        );
    }
}
