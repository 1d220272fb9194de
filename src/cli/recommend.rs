use std::sync::Arc;

use anyhow::bail;
use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, TimestampSecondArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use clap::Args;
use datafusion::prelude::SessionContext;

use super::global::{Global, warn_of_broken};
use super::output::{Format, literal, print_rows};
use crate::config::{Project, Secret};
use crate::engine::query;
use crate::pipeline::Runner;
use crate::recommender::{EVENTS, RECOMMENDATIONS, Reason, Recommender, Requests, reasons};

/// So long are the lists in which reasons are looked for.
const DEEP: &str = "1000";

/// What to show a session next
///
/// The SQL of gold.recommendations answers, for the session as it is now: sessions that training has not seen, and
/// clicks that came after the last run, count as well.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec recommend --session sess_102
  clickrec recommend --session sess_102 --explain
  clickrec recommend --items prod_88,prod_12 -k 5 --json")]
pub(super) struct RecommendArgs {
    /// A session of the lake
    #[arg(long, value_name = "ID", required_unless_present = "items", conflicts_with = "items")]
    session: Option<String>,

    /// The items that a session viewed which the lake does not know, oldest first; an item may come twice
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    items: Vec<String>,

    /// How many items: var('k', …) in the SQL
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    k: Option<u32>,

    /// Recommend items again that the session has had: var('seen', …) in the SQL
    #[arg(long)]
    include_seen: bool,

    /// Say which items of the session speak for each recommendation, and how much
    #[arg(long)]
    explain: bool,

    /// Print them as JSON, with all digits of the scores
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RecommendArgs, global: &Global) -> anyhow::Result<()> {
    let mut project = global.project()?;
    if let Some(k) = args.k {
        set(&mut project, "k", &k.to_string());
    }
    if args.include_seen {
        set(&mut project, "seen", "show");
    }
    let runner = Runner::new(&project, global.engine()?).await?;
    warn_of_broken(&runner);
    let session = runner.session().await?;
    let requests = Requests::new(&runner).await?;
    let events = match &args.session {
        Some(id) => of_session(&session, id).await?,
        None => of_items(&requests, &args.items)?,
    };
    let asked = requests.of_events(vec![events]).await?;
    let recommender = Recommender::of_project(&runner).await?;
    let answer = concat_batches(&recommender.schema(), &recommender.answer(&asked).await?)?;
    let answer = without_sessions(&answer)?;
    if answer.num_rows() == 0 {
        bail!(
            "there is nothing to recommend\n  help: `clickrec run` learns from events; `clickrec sql -c 'select \
             count(*) from gold.item_popularity'` tells how many items there are"
        );
    }
    if is_popularity(&answer) {
        tracing::warn!("no item of the session is known to a model: these are the most popular items");
    }
    let answer = match args.explain {
        true => explained(&mut project, &runner, &answer, &asked).await?,
        false => answer,
    };
    let rows = session.read_batch(answer)?;
    print_rows(rows, if args.json { Format::Json } else { Format::Table }).await
}

fn set(project: &mut Project, name: &str, value: &str) {
    project.vars.insert(name.to_owned(), Secret::new(value));
}

/// The events of a session of the lake.
async fn of_session(session: &SessionContext, id: &str) -> anyhow::Result<RecordBatch> {
    let sql = format!("select * from {EVENTS} where session_id = {}", literal(id));
    let rows = query(session, &sql).await?;
    let schema = rows.schema().inner().clone();
    let events = concat_batches(&schema, &rows.collect().await?)?;
    if events.num_rows() == 0 {
        bail!(
            "the lake has no session `{id}`\n  help: `clickrec run` takes up new sessions; `clickrec recommend --items` \
             needs none"
        );
    }
    Ok(events)
}

/// Views of these items, a second apart, as events of a session that the lake does not know.
fn of_items(requests: &Requests, items: &[String]) -> anyhow::Result<RecordBatch> {
    let seconds = 0..i64::try_from(items.len())?;
    let known: [(&str, ArrayRef); 4] = [
        (
            "session_id",
            Arc::new(StringArray::from_iter_values(items.iter().map(|_| "request"))),
        ),
        (
            "item_id",
            Arc::new(StringArray::from_iter_values(items.iter().map(|item| item.trim()))),
        ),
        (
            "event_type",
            Arc::new(StringArray::from_iter_values(items.iter().map(|_| "view"))),
        ),
        ("event_at", Arc::new(TimestampSecondArray::from_iter_values(seconds))),
    ];
    Ok(requests.events(&known)?)
}

/// The answer for one session, best first, and without the column that says which.
fn without_sessions(answer: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let Some(ranks) = answer.column_by_name("rank") else {
        bail!("{RECOMMENDATIONS} has no column `rank`");
    };
    let order = arrow::compute::sort_to_indices(ranks, None, None)?;
    let sorted = arrow::compute::take_record_batch(answer, &order)?;
    let ranked = arrow::compute::is_not_null(sorted.column_by_name("rank").unwrap_or(ranks))?;
    let mut sorted = arrow::compute::filter_record_batch(&sorted, &ranked)?;
    if let Ok(session) = sorted.schema().index_of("session_id") {
        sorted.remove_column(session);
    }
    Ok(sorted)
}

/// Whether no model has added anything: the SQL says so by a column for each model.
fn is_popularity(answer: &RecordBatch) -> bool {
    let parts = ["session_knn", "als"].map(|model| {
        let part = cast(answer.column_by_name(model)?, &DataType::Float64).ok()?;
        let part = part.as_primitive::<arrow::datatypes::Float64Type>().clone();
        Some(part.iter().flatten().all(|score| score == 0.0))
    });
    parts == [Some(true), Some(true)]
}

/// The answer with a column `because`.
async fn explained(
    project: &mut Project,
    runner: &Runner,
    answer: &RecordBatch,
    asked: &RecordBatch,
) -> anyhow::Result<RecordBatch> {
    // Long lists, in which no item takes the place of another.
    for name in ["k", "max_per_category"] {
        set(project, name, DEEP);
    }
    let runner = Runner::new(project, runner.engine().clone()).await?;
    let found = reasons(&Recommender::of_project(&runner).await?, asked).await?;
    let Some(items) = answer.column_by_name("item_id") else {
        bail!("{RECOMMENDATIONS} has no column `item_id`");
    };
    let items = cast(items, &DataType::Utf8)?;
    let because = items.as_string::<i32>().iter().map(|item| match found.get(item?) {
        Some(reasons) => Some(reasons.iter().map(words).collect::<Vec<_>>().join(", ")),
        None => Some("popular with everyone".to_owned()),
    });
    let because: ArrayRef = Arc::new(StringArray::from_iter(because));
    let columns = answer
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect::<Vec<_>>();
    let columns = columns.into_iter().zip(answer.columns().iter().cloned());
    Ok(RecordBatch::try_from_iter(
        columns.chain([("because".to_owned(), because)]),
    )?)
}

fn words(reason: &Reason) -> String {
    format!("{} ({:.0} %)", reason.item, 100.0 * reason.share)
}
