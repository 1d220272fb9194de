//! `clickrec quarantine`: why records and rows were not accepted, and what they hold; `replay` re-evaluates them
//! with the current SQL (`pipeline/replay.rs`).

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use clap::{Args, Subcommand};
use comfy_table::CellAlignment;
use datafusion::common::DFSchema;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::global::Global;
use super::output::{literal, table, thousands, write_all};
use crate::engine;
use crate::pipeline::{Node, Runner};

/// Tables cut longer values.
const SHOWN_CHARS: usize = 100;

/// Show why records were not accepted, list them, and re-evaluate them after you fix the SQL
///
/// A quarantine is a table of that name, in any layer. The one in the layer `system` holds rows that expectations
/// rejected, and records that make the SQL of a step fail. Without a subcommand, this lists every reason with its
/// count, its first and last record, and an example with the value that is wrong (`detail`).
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  clickrec quarantine
  clickrec quarantine show 'event_type is unknown' -n 5
  clickrec quarantine replay"
)]
pub(super) struct QuarantineArgs {
    #[command(subcommand)]
    command: Option<QuarantineCommand>,

    /// Print the reasons as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    Show(ShowArgs),
    Replay(ReplayArgs),
}

/// List records with their origin and their content, newest first
#[derive(Debug, Args)]
struct ShowArgs {
    /// List only records whose reason starts with this text
    reason: Option<String>,

    /// Maximum number of records
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    limit: usize,

    /// Print the records as JSON, with whole values
    #[arg(long)]
    json: bool,
}

/// Re-evaluate the quarantined records with the current SQL
///
/// Records that are now accepted move on to Silver, each exactly once, and leave the quarantine. The others stay, with
/// their current reason. The next run does not rebuild these tables, even though their SQL has changed: rows that were
/// accepted before stay as they were. If the fix affects those rows too, use `run` instead of a replay: it recomputes
/// everything from Bronze. Stop `run --follow` first, because it keeps the SQL that it started with. If a replay is
/// killed, run it again.
#[derive(Debug, Args)]
struct ReplayArgs {
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Reason {
    table: String,
    reason: String,
    records: i64,
    first: Option<String>,
    last: Option<String>,
    example: Option<String>,
    /// The value that is wrong in the example.
    detail: Option<String>,
}

#[derive(Serialize)]
struct Record {
    table: String,
    topic: Option<String>,
    partition: i64,
    offset: i64,
    received_at: Option<String>,
    reason: Option<String>,
    /// The value that is wrong.
    detail: Option<String>,
    /// As text, in which bytes that are not UTF-8 are replaced.
    value: Option<String>,
    /// The bytes, if they are not UTF-8.
    value_hex: Option<String>,
}

#[derive(Serialize)]
struct Outcome {
    table: String,
    steps: Vec<String>,
    before: u64,
    after: u64,
}

pub(super) async fn run(args: &QuarantineArgs, global: &Global) -> anyhow::Result<()> {
    let (_, runner) = global.reader().await?;
    if runner.quarantines().next().is_none() && !matches!(args.command, None | Some(QuarantineCommand::Show(_))) {
        anyhow::bail!("no step of the project writes a table named `quarantine`, so there is nothing to replay");
    }
    match &args.command {
        None => reasons(&runner, args.json).await,
        Some(QuarantineCommand::Show(args)) => show(&runner, args).await,
        Some(QuarantineCommand::Replay(args)) => replay(&runner, args).await,
    }
}

async fn reasons(runner: &Runner, json: bool) -> anyhow::Result<()> {
    let session = runner.session().await?;
    let mut found = vec![];
    for node in runner.quarantines() {
        let detail = detail(&session, node).await?;
        let sql = format!(
            "select * from (select cast(reason as varchar) as reason, count(*) as records, cast(min(received_at) as \
             varchar), cast(max(received_at) as varchar), first_value(value order by received_at desc), \
             first_value({detail} order by received_at desc) from {} group by reason) order by records desc, reason",
            node.name()
        );
        for batch in rows(&session, &sql).await? {
            for row in 0..batch.num_rows() {
                found.push(Reason {
                    table: node.name().to_string(),
                    reason: text(&batch, 0, row)?.unwrap_or_default(),
                    records: number(&batch, 1, row)?,
                    first: text(&batch, 2, row)?,
                    last: text(&batch, 3, row)?,
                    example: bytes(&batch, 4, row)?.map(|value| String::from_utf8_lossy(&value).into_owned()),
                    detail: text(&batch, 5, row)?,
                });
            }
        }
    }
    if let Some(schema) = of_the_engine(&session).await {
        let (reason, detail) = engine_columns(&schema);
        let sql = format!(
            "select * from (select {reason} as reason, count(*) as records, cast(min(quarantined_at) as varchar), \
             cast(max(quarantined_at) as varchar), first_value({detail} order by quarantined_at desc), \
             first_value(\"row\" order by quarantined_at desc) from system.quarantine group by 1) order by records desc, \
             reason"
        );
        for batch in rows(&session, &sql).await? {
            for row in 0..batch.num_rows() {
                found.push(Reason {
                    table: "system.quarantine".to_owned(),
                    reason: text(&batch, 0, row)?.unwrap_or_default(),
                    records: number(&batch, 1, row)?,
                    first: text(&batch, 2, row)?,
                    last: text(&batch, 3, row)?,
                    detail: text(&batch, 4, row)?,
                    example: text(&batch, 5, row)?,
                });
            }
        }
    }
    if json {
        return print_json(&found);
    }
    let mut list = table(["table", "reason", "records", "first", "last", "detail", "example"]);
    for reason in found {
        list.add_row([
            reason.table,
            reason.reason,
            thousands(u64::try_from(reason.records).unwrap_or_default()),
            reason.first.unwrap_or_default(),
            reason.last.unwrap_or_default(),
            short(&reason.detail.unwrap_or_default()),
            short(&reason.example.unwrap_or_default()),
        ]);
    }
    if let Some(column) = list.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    write_all(&format!("{list}\n"))
}

/// The columns of `system.quarantine`, if the lake has it. It holds rows that expectations rejected, and records that
/// make the SQL of a step fail.
async fn of_the_engine(session: &SessionContext) -> Option<DFSchema> {
    let table = session.table("system.quarantine").await.ok()?;
    Some(table.schema().clone())
}

/// SQL for the reason of a row of `system.quarantine`, and for the value that is wrong.
fn engine_columns(schema: &DFSchema) -> (&'static str, &'static str) {
    match schema.has_column_with_unqualified_name("error") {
        true => (
            "concat(step, ': ', coalesce(expectation, concat('its SQL fails on records of ', input)))",
            "error",
        ),
        // An older version wrote this table, for expectations only.
        false => ("concat(step, ': ', expectation)", "cast(null as varchar)"),
    }
}

async fn show(runner: &Runner, args: &ShowArgs) -> anyhow::Result<()> {
    let session = runner.session().await?;
    let filter = match &args.reason {
        Some(reason) => format!("where starts_with(reason, {})", literal(reason)),
        None => String::new(),
    };
    let mut found = vec![];
    for node in runner.quarantines() {
        let sql = format!(
            "select topic, partition, \"offset\", received_at, reason, value, {} from {} {filter} order by received_at desc, topic, \
             partition, \"offset\" limit {}",
            detail(&session, node).await?,
            node.name(),
            args.limit
        );
        for batch in rows(&session, &sql).await? {
            for row in 0..batch.num_rows() {
                found.push(record(&node.name().to_string(), &batch, row)?);
            }
        }
    }
    if let Some(schema) = of_the_engine(&session).await {
        let (reason, detail) = engine_columns(&schema);
        let sql = format!(
            "select place['topic'], coalesce(place['partition'], 0), coalesce(place['offset'], 0), cast(quarantined_at as \
             varchar) as received_at, reason, cast(\"row\" as bytea), detail from (select *, {reason} as reason, {detail} as detail, \
             from_json(row_key, 'topic string, partition int, offset bigint') as place from system.quarantine) {filter} order \
             by quarantined_at desc, row_key limit {}",
            args.limit
        );
        for batch in rows(&session, &sql).await? {
            for row in 0..batch.num_rows() {
                found.push(record("system.quarantine", &batch, row)?);
            }
        }
    }
    if args.json {
        return print_json(&found);
    }
    let mut list = table([
        "table",
        "topic",
        "partition",
        "offset",
        "received at",
        "reason",
        "detail",
        "value",
    ]);
    for record in found {
        list.add_row([
            record.table,
            record.topic.unwrap_or_default(),
            record.partition.to_string(),
            record.offset.to_string(),
            record.received_at.unwrap_or_default(),
            record.reason.unwrap_or_default(),
            short(&record.detail.unwrap_or_default()),
            short(&record.value.unwrap_or_else(|| "(null)".to_owned())),
        ]);
    }
    write_all(&format!("{list}\n"))
}

/// SQL for the value of a record that is wrong, if the quarantine has it.
async fn detail(session: &SessionContext, node: &Node) -> anyhow::Result<&'static str> {
    let table = session.table(node.name().to_string()).await?;
    Ok(match table.schema().has_column_with_unqualified_name("detail") {
        true => "cast(detail as varchar)",
        false => "cast(null as varchar)",
    })
}

fn record(table: &str, batch: &RecordBatch, row: usize) -> anyhow::Result<Record> {
    let value = bytes(batch, 5, row)?;
    let hex = |value: &Vec<u8>| value.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Record {
        table: table.to_owned(),
        topic: text(batch, 0, row)?,
        partition: number(batch, 1, row)?,
        offset: number(batch, 2, row)?,
        received_at: text(batch, 3, row)?,
        reason: text(batch, 4, row)?,
        detail: text(batch, 6, row)?,
        value_hex: value
            .as_ref()
            .filter(|value| std::str::from_utf8(value).is_err())
            .map(hex),
        value: value.map(|value| String::from_utf8_lossy(&value).into_owned()),
    })
}

async fn replay(runner: &Runner, args: &ReplayArgs) -> anyhow::Result<()> {
    let mut outcomes = vec![];
    for node in runner.quarantines() {
        let replayed = runner.replay(node).await?;
        outcomes.push(Outcome {
            table: replayed.table.to_string(),
            steps: replayed.steps.iter().map(ToString::to_string).collect(),
            before: replayed.before,
            after: replayed.after,
        });
    }
    if args.json {
        return print_json(&outcomes);
    }
    let mut list = table(["quarantine", "evaluated by", "records before", "records now"]);
    for outcome in outcomes {
        list.add_row([
            outcome.table,
            outcome.steps.join(", "),
            thousands(outcome.before),
            thousands(outcome.after),
        ]);
    }
    write_all(&format!("{list}\n"))
}

async fn rows(session: &SessionContext, sql: &str) -> anyhow::Result<Vec<RecordBatch>> {
    Ok(engine::query(session, sql).await?.collect().await?)
}

fn text(batch: &RecordBatch, column: usize, row: usize) -> anyhow::Result<Option<String>> {
    let column = cast(batch.column(column), &DataType::Utf8)?;
    let column = column.as_string::<i32>();
    Ok(column.is_valid(row).then(|| column.value(row).to_owned()))
}

fn number(batch: &RecordBatch, column: usize, row: usize) -> anyhow::Result<i64> {
    let column = cast(batch.column(column), &DataType::Int64)?;
    Ok(column.as_primitive::<Int64Type>().value(row))
}

fn bytes(batch: &RecordBatch, column: usize, row: usize) -> anyhow::Result<Option<Vec<u8>>> {
    let column = cast(batch.column(column), &DataType::Binary)?;
    let column = column.as_binary::<i32>();
    Ok(column.is_valid(row).then(|| column.value(row).to_vec()))
}

/// The beginning, without characters that would disturb a terminal.
fn short(value: &str) -> String {
    let clean = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut short: String = clean.clone().take(SHOWN_CHARS).collect();
    if clean.count() > SHOWN_CHARS {
        short.push('…');
    }
    short
}

fn print_json<T: Serialize>(rows: &[T]) -> anyhow::Result<()> {
    write_all(&format!("{}\n", serde_json::to_string_pretty(rows)?))
}
