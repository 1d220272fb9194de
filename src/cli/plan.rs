//! `clickrec plan`: checks everything, draws the steps (`graph`), and says what a run would do and why, what waits, what
//! each way to apply changed SQL costs, and what the lake's store allows. Changes nothing.

use std::collections::BTreeSet;
use std::error::Error as _;

use clap::Args;
use serde::Serialize;

use super::global::Global;
use super::graph::{Vertex, draw};
use super::output::write_all;
use crate::config::{Mode, TableName};
use crate::pipeline::{Decision, Logic, Node, Preview, Runner, Way, chain};
use crate::plural::counted;
use crate::store::Access;

const SKIP: &str = "skip";
const BUILD: &str = "build";
const FORWARD: &str = "go forward";
/// The way that does not depend on those of other steps.
const REBUILD: &str = "rebuild";

/// Check the project, and show what a run would read and write
///
/// Checks configuration, SQL, functions and types. Reads the lake's logs and the end positions of the sources, but no
/// data. Where the SQL of a step has changed, it shows the ways to apply it: how many rows each one reads, and about how
/// long that takes by the step's earlier runs (`system.runs`). It refuses what a run would refuse.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec plan
  clickrec plan --target kafka --json")]
pub(super) struct PlanArgs {
    /// The pipeline, if the project has several
    pipeline: Option<String>,

    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    step: String,
    mode: String,
    reads: Vec<String>,
    file: String,
    /// The steps and sources that it reads, for the graph.
    #[serde(skip)]
    inputs: BTreeSet<String>,
    /// `new`, `changed` or `unchanged`: the SQL and settings, compared with those of the table's last commit.
    sql: &'static str,
    columns: Vec<String>,
    column_changes: Vec<String>,
    expectations: Vec<String>,
    action: &'static str,
    reason: Option<String>,
    rows_waiting: Option<u64>,
    /// On a cluster: how many tasks each stage is split into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stages: Vec<usize>,
    /// Where the SQL has changed: the ways to apply it, and what they cost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ways: Vec<WayRow>,
}

/// A way to apply changed SQL.
#[derive(Serialize)]
struct WayRow {
    way: &'static str,
    rows: Option<u64>,
    seconds: Option<f64>,
    /// Why it is not possible.
    refused: Option<String>,
}

impl WayRow {
    /// A way; where an input is rebuilt, the step is, too, whatever was asked for.
    fn of(way: Way, rebuilt: Option<&TableName>) -> Self {
        let with_input = rebuilt.filter(|_| way.name != REBUILD);
        let with_input = with_input.map(|input| format!("`{input}` is rebuilt; let it go forward, too"));
        let refused = way.cost.as_ref().err().map(|error| chain(error, ": ")).or(with_input);
        let cost = way.cost.ok().filter(|_| refused.is_none());
        Self {
            way: way.name,
            rows: cost.and_then(|cost| cost.rows),
            seconds: cost.and_then(|cost| cost.seconds),
            refused,
        }
    }

    fn text(&self, step: &str) -> String {
        if let Some(refused) = &self.refused {
            let reason = refused.lines().next().unwrap_or_default();
            return format!("  {:<8} refused: {reason}", self.way);
        }
        let rows = self.rows.map(|rows| counted(rows, "row", "rows"));
        let rows = rows.unwrap_or_else(|| "an unknown number of rows".to_owned());
        let seconds = self.seconds.map(about).unwrap_or_default();
        let how = match self.way {
            REBUILD => format!(": clickrec run --full-refresh --select {step}"),
            "backfill" => format!(", after going forward: clickrec run --backfill {step}"),
            way => format!(": clickrec run --{way} {step}"),
        };
        format!("  {:<8} {rows}{seconds}{how}", self.way)
    }
}

/// About how long something takes.
fn about(seconds: f64) -> String {
    if seconds < 0.1 {
        ", less than 0.1 s".to_owned()
    } else if seconds < 10.0 {
        format!(", about {seconds:.1} s")
    } else if seconds < 120.0 {
        format!(", about {seconds:.0} s")
    } else {
        format!(", about {:.0} min", seconds / 60.0)
    }
}

pub(super) async fn run(args: &PlanArgs, global: &Global) -> anyhow::Result<()> {
    let (project, runner) = global.runner().await?;
    let pipeline = project.pipeline(args.pipeline.as_deref())?;
    let (mut rows, mut busy, mut rebuilt) = (vec![], BTreeSet::new(), BTreeSet::new());
    for node in runner
        .dag()
        .nodes()
        .iter()
        .filter(|node| node.pipeline == pipeline.name)
    {
        let row = row(&runner, node, &busy, &rebuilt).await?;
        if row.action == BUILD || rebuilt_input(node, &rebuilt).is_some() {
            rebuilt.insert(node.name().clone());
        }
        if row.action != SKIP && node.step.mode != Mode::View {
            busy.insert(node.name().clone());
        }
        rows.push(row);
    }
    let access = runner.lake().access().await?;
    if args.json {
        // Permissions are not part of the plan: they go to standard error.
        eprint!("{}", describe_access(&runner, &access));
        return write_all(&format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    let mut vertices: Vec<Vertex> = sources(runner.dag().nodes(), &pipeline.name)
        .map(source_vertex)
        .collect();
    vertices.extend(rows.iter().map(|row| Vertex {
        name: row.step.clone(),
        reads: row.inputs.clone(),
        glyph: if row.mode == "view" { "◇" } else { "◆" },
        text: text(row),
    }));
    let busy = rows
        .iter()
        .filter(|row| row.mode != "view" && row.action != SKIP)
        .count();
    let idle = rows
        .iter()
        .filter(|row| row.mode != "view" && row.action == SKIP)
        .count();
    write_all(&format!(
        "{}{}{}, {}\n",
        draw(&vertices),
        describe_access(&runner, &access),
        counted(busy as u64, "step has work to do", "steps have work to do"),
        counted(idle as u64, "does not", "do not"),
    ))
}

/// The permissions that the store of a cloud lake grants, and those that are missing.
fn describe_access(runner: &Runner, access: &[Access]) -> String {
    if access.is_empty() {
        return String::new();
    }
    let granted = access.iter().filter(|access| access.granted.is_ok());
    let granted: Vec<String> = granted.map(|access| access.permission.to_string()).collect();
    let mut text = format!("{} allows {}\n", runner.lake().url(), granted.join(", "));
    for Access { permission, granted } in access {
        if let Err(error) = granted {
            // The store's own reason, without the library's wrapping.
            let error = error.source().unwrap_or(error);
            text.push_str(&format!("  cannot {permission}: {}\n", chain(error, ": ")));
        }
    }
    text
}

fn sources<'a>(nodes: &'a [Node], pipeline: &'a str) -> impl Iterator<Item = &'a String> {
    let of_pipeline = nodes.iter().filter(move |node| node.pipeline == pipeline);
    of_pipeline
        .flat_map(|node| &node.sources)
        .collect::<BTreeSet<_>>()
        .into_iter()
}

fn source_vertex(name: &String) -> Vertex {
    Vertex {
        name: name.clone(),
        reads: BTreeSet::new(),
        glyph: "○",
        text: format!("source {name}"),
    }
}

/// The text next to a step in the graph.
fn text(row: &Row) -> String {
    let reason = row
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let waiting = row.rows_waiting.filter(|rows| *rows > 0);
    let waiting = waiting
        .map(|rows| format!(", {}", counted(rows, "row waiting", "rows waiting")))
        .unwrap_or_default();
    let mut lines = vec![format!(
        "{:<24} {:<9} {}{reason}{waiting}",
        row.step, row.mode, row.action
    )];
    if row.sql == "changed" && ![BUILD, FORWARD].contains(&row.action) && row.mode != "overwrite" {
        let note = "  its SQL or a variable in it has changed; only new rows are affected unless you rebuild the table with \
                    --full-refresh";
        lines.push(note.to_owned());
    }
    if !row.stages.is_empty() {
        let parts = row
            .stages
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        lines.push(format!("  tasks of each stage on the cluster: {parts}"));
    }
    lines.extend(row.column_changes.iter().map(|change| format!("  {change}")));
    lines.extend(row.ways.iter().map(|way| way.text(&row.step)));
    lines.join("\n")
}

/// What a step would do after those in `busy` have run; those in `rebuilt` will have new rows only.
async fn row(
    runner: &Runner,
    node: &Node,
    busy: &BTreeSet<TableName>,
    rebuilt: &BTreeSet<TableName>,
) -> anyhow::Result<Row> {
    let rebuilt = rebuilt_input(node, rebuilt);
    let preview = match (runner.preview(node).await, rebuilt) {
        // Older rows that a change does not suit will not be there any more.
        (Err(error), Some(input)) if error.is_of_older_rows() => Preview {
            decision: Some(is_rebuilt_with(input)),
            logic: Logic::Changed,
            columns: vec![],
            waiting: None,
            stages: vec![],
            ways: vec![],
        },
        // Nor will those that were to stay.
        (Ok(preview), Some(input)) if matches!(preview.decision, Some(Decision::Forward(_))) => Preview {
            decision: Some(is_rebuilt_with(input)),
            waiting: None,
            ..preview
        },
        (preview, _) => preview?,
    };
    let waiting = preview.waiting;
    let (action, reason, rows_waiting) = match preview.decision {
        None => ("computed when read", None, None),
        Some(Decision::UpToDate(_)) if node.reads_any(busy) => ("process what earlier steps write", None, None),
        Some(Decision::UpToDate(reason)) => (SKIP, Some(reason), waiting),
        Some(Decision::Incremental) => ("process new rows", None, waiting),
        Some(Decision::Forward(reason)) => (FORWARD, Some(reason), waiting),
        Some(Decision::Backfill(rows)) => ("backfill", Some(rows), waiting),
        Some(Decision::Full(reason)) => (BUILD, Some(reason), waiting),
    };
    // What earlier steps will add is not known yet.
    let rows_waiting = rows_waiting.filter(|_| !node.reads_any(busy));
    let schema = runner.schemas().get(node.name());
    Ok(Row {
        step: node.name().to_string(),
        mode: node.step.mode.to_string(),
        reads: reads(node),
        inputs: inputs(node),
        file: node.step.file.display().to_string(),
        sql: match preview.logic {
            Logic::New => "new",
            Logic::Changed => "changed",
            Logic::Same => "unchanged",
        },
        columns: schema
            .iter()
            .flat_map(|schema| schema.fields())
            .map(|f| format!("{} {}", f.name(), f.data_type()))
            .collect(),
        column_changes: preview.columns,
        expectations: node
            .step
            .expect
            .iter()
            .map(|e| format!("{} ({})", e.name, e.severity))
            .collect(),
        action,
        reason,
        rows_waiting,
        ways: preview.ways.into_iter().map(|way| WayRow::of(way, rebuilt)).collect(),
        // The number of tasks is unknown while inputs are still to come.
        stages: if node.reads_any(busy) { vec![] } else { preview.stages },
    })
}

/// The input because of which a step is rebuilt, as it is rebuilt itself.
fn rebuilt_input<'a>(node: &Node, rebuilt: &'a BTreeSet<TableName>) -> Option<&'a TableName> {
    let mut inputs = node.inputs().filter(|_| !node.adds_records());
    inputs.find_map(|input| rebuilt.get(input))
}

fn is_rebuilt_with(input: &TableName) -> Decision {
    Decision::Full(format!("`{input}` is rebuilt"))
}

fn reads(node: &Node) -> Vec<String> {
    let changes = node
        .changed_tables
        .iter()
        .map(ToString::to_string)
        .chain(node.sources.iter().cloned());
    let changes = changes.map(|name| format!("changes('{name}')"));
    changes.chain(node.tables.iter().map(ToString::to_string)).collect()
}

fn inputs(node: &Node) -> BTreeSet<String> {
    let tables = node.inputs().chain(&node.latest).chain(&node.expectations);
    let views = node.views.iter().map(|view| view.name.to_string());
    tables
        .map(ToString::to_string)
        .chain(views)
        .chain(node.sources.iter().cloned())
        .collect()
}
