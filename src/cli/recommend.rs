//! `clickrec recommend`: the list of a session, or of items that a visitor has viewed, and with `--explain` the reasons
//! (`recommender` answers).

use std::sync::Arc;

use anyhow::bail;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema};
use clap::Args;

use super::global::Global;
use super::item_details::with_details;
use super::output::{Format, print_rows};
use crate::engine::{Bindings, Engine};
use crate::pipeline::Runner;
use crate::recommender::{
    Action, Length, Reason, Recommender, Requests, SessionId, column, events_of_session, events_of_visitor,
    is_fallback, lists, reasons, texts,
};

/// The ID of a session that the lake does not know.
const VISITOR: &str = "request";

/// Recommend items to show a session next
///
/// The answer comes from the SQL of the project's recommendations (gold.recommendations), for the session's current
/// state in the lake: sessions that training has not seen, and clicks since the last training, count as well. If the
/// project has a catalog, titles are shown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec recommend --session sess_102
  clickrec recommend --session sess_102 --explain
  clickrec recommend --items prod_88,prod_12 -k 5 --json")]
pub(super) struct RecommendArgs {
    /// A session in the lake, by the ID that the shop gave; if it was cut into several sessions, the newest
    #[arg(long, value_name = "ID", required_unless_present = "items", conflicts_with = "items")]
    session: Option<String>,

    /// The items that a session unknown to the lake has viewed, oldest first; an item may appear more than once
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    items: Vec<String>,

    /// Number of items: var('k', …) in the SQL
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    k: Option<u32>,

    /// Also recommend items that the session has already seen: var('seen', …) in the SQL
    #[arg(long)]
    include_seen: bool,

    /// Show which of the session's items support each recommendation, and by how much
    #[arg(long)]
    explain: bool,

    /// Print the items as JSON, with all digits of the scores, and with the items' details from the catalog
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RecommendArgs, global: &Global) -> anyhow::Result<()> {
    let (_, runner) = global.reader().await?;
    let (engine, bindings) = (args.engine(&runner), runner.bindings().await?);
    let requests = Requests::over(&runner, &engine, bindings.clone()).await?;
    let session = engine.session(&bindings).await?;
    let events = match &args.session {
        Some(id) => events_of_session(&session, &runner.recommender().events, id, SessionId::Given).await?,
        None => {
            let actions: Vec<Action<'_>> = args.items.iter().map(|item| Action::view(item.trim())).collect();
            events_of_visitor(&requests, VISITOR, &actions)?
        }
    };
    if let (0, Some(id)) = (events.num_rows(), &args.session) {
        bail!(
            "the lake has no session `{id}`\n  help: `clickrec run` reads new sessions; `clickrec recommend --items` \
             works without a session"
        );
    }
    let asked = requests.of_events(vec![events]).await?;
    let length = args.k.map_or(Length::Usual, Length::Items);
    let recommender = Recommender::of_length(&runner, &engine, bindings.clone(), length).await?;
    let answer = concat_batches(&recommender.schema(), &recommender.answer(&asked).await?)?;
    warn_of_fallback(&runner, &answer)?;
    let format = if args.json { Format::Json } else { Format::Table };
    let answer = without_sessions(&answer)?;
    let answer = with_details(&runner, &bindings, &session, answer, format).await?;
    let answer = match args.explain {
        true => explained(&runner, &engine, bindings, &answer, &asked).await?,
        false => answer,
    };
    print_rows(session.read_batch(answer)?, format).await
}

impl RecommendArgs {
    /// The engine, with the values that the options give to variables of the SQL.
    fn engine(&self, runner: &Runner) -> Engine {
        let mut variables = runner.engine().variables();
        if self.include_seen {
            variables.insert("seen".to_owned(), "show".to_owned());
        }
        runner.engine().clone().with_variables(variables)
    }
}

/// Says so if the answer is the same for everyone.
fn warn_of_fallback(runner: &Runner, answer: &RecordBatch) -> anyhow::Result<()> {
    let names = runner.recommender();
    let lists = lists(answer)?;
    if lists.is_empty() {
        bail!(
            "there is nothing to recommend: no item is known that the visitor has not seen\n  help: `--include-seen` also \
             recommends items that the visitor has seen; `clickrec run` learns from new events; `clickrec sql -c 'select \
             count(distinct item_id) from {}'` shows how many items there are",
            names.events
        );
    }
    if is_fallback(&names.scores, lists.values().flatten().map(|item| &item.parts)) {
        tracing::warn!(
            "no model knows any of the session's items, or the session took all of them back: showing the most popular items"
        );
    }
    Ok(())
}

/// The answer for one session, best first, and without the column that says which.
fn without_sessions(answer: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let order = arrow::compute::sort_to_indices(column(answer, "rank")?, None, None)?;
    let sorted = arrow::compute::take_record_batch(answer, &order)?;
    let ranked = arrow::compute::is_not_null(column(&sorted, "rank")?)?;
    let mut sorted = arrow::compute::filter_record_batch(&sorted, &ranked)?;
    if let Ok(session) = sorted.schema().index_of("session_id") {
        sorted.remove_column(session);
    }
    Ok(sorted)
}

/// The answer with a column `because`.
async fn explained(
    runner: &Runner,
    engine: &Engine,
    bindings: Bindings,
    answer: &RecordBatch,
    asked: &RecordBatch,
) -> anyhow::Result<RecordBatch> {
    let deep = Recommender::of_length(runner, engine, bindings, Length::Deep).await?;
    let found = reasons(&deep, asked).await?;
    let items = texts(answer, "item_id")?;
    let because = items.iter().map(|item| match found.get(item?) {
        Some(reasons) => Some(reasons.iter().map(words).collect::<Vec<_>>().join(", ")),
        None => Some("popular with everyone".to_owned()),
    });
    let because: ArrayRef = Arc::new(StringArray::from_iter(because));
    let mut fields = answer.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("because", DataType::Utf8, true)));
    let columns = answer.columns().iter().cloned().chain([because]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn words(reason: &Reason) -> String {
    format!("{} ({:.0}%)", reason.item, 100.0 * reason.share)
}
