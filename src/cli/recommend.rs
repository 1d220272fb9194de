use std::sync::Arc;

use anyhow::bail;
use arrow::array::{Float32Array, RecordBatch, StringArray};
use clap::Args;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

use super::global::Global;
use super::output::{Format, print_batches};

/// What to show a session next
///
/// The session's items are folded into the newest model: sessions that training has not seen work as well.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec recommend --session sess_102
  clickrec recommend --items prod_88,prod_12 -k 5 --json")]
pub(super) struct RecommendArgs {
    /// A session of the lake
    #[arg(long, value_name = "ID", required_unless_present = "items", conflicts_with = "items")]
    session: Option<String>,

    /// The items of a session that the lake does not know, the same item twice counts twice
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    items: Vec<String>,

    /// How many items
    #[arg(short, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,

    /// Recommend items again that the session has seen
    #[arg(long)]
    include_seen: bool,

    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

const REQUEST: &str = "request";

pub(super) async fn run(args: &RecommendArgs, global: &Global) -> anyhow::Result<()> {
    let (_, runner) = global.runner().await?;
    let session = runner.session().await?;
    let request = match &args.session {
        Some(id) => of_session(&session, id).await?,
        None => of_items(&args.items)?,
    };
    let known = request.iter().map(RecordBatch::num_rows).sum::<usize>();
    if known == 0 {
        bail!(
            "the lake has no session `{}`\n  help: `clickrec run` takes up new sessions; `clickrec recommend --items` \
             needs none",
            args.session.as_deref().unwrap_or_default()
        );
    }
    let schema = request[0].schema();
    session.register_table(REQUEST, Arc::new(MemTable::try_new(schema, vec![request])?))?;
    let sql = format!(
        "select rank, item_id, score from recommend(gold.als_factors, {REQUEST}, user => session_id, item => item_id, \
         weight => weight, k => {}, exclude_seen => {}) order by rank",
        args.k, !args.include_seen
    );
    let found = session.sql(&sql).await?.collect().await?;
    if found.iter().all(|batch| batch.num_rows() == 0) {
        bail!(
            "the model knows none of these items\n  help: look at gold.item_popularity for what most visitors want; a \
             model learns new items when it is trained (clickrec run --full-refresh --select gold.als_factors+)"
        );
    }
    print_batches(&found, if args.json { Format::Json } else { Format::Table })
}

async fn of_session(session: &SessionContext, id: &str) -> anyhow::Result<Vec<RecordBatch>> {
    let id = id.replace('\'', "''");
    let sql = format!("select session_id, item_id, weight from gold.session_items where session_id = '{id}'");
    Ok(session.sql(&sql).await?.collect().await?)
}

fn of_items(items: &[String]) -> anyhow::Result<Vec<RecordBatch>> {
    let ids = StringArray::from_iter_values(items.iter().map(|item| item.trim()));
    let sessions = StringArray::from_iter_values(items.iter().map(|_| "request"));
    let weights = Float32Array::from_iter_values(items.iter().map(|_| 1.0));
    Ok(vec![RecordBatch::try_from_iter([
        ("session_id", Arc::new(sessions) as _),
        ("item_id", Arc::new(ids) as _),
        ("weight", Arc::new(weights) as _),
    ])?])
}
