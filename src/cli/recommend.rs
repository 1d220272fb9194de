use anyhow::bail;
use clap::Args;
use datafusion::prelude::SessionContext;

use super::global::Global;
use super::output::{Format, literal, print_rows};
use crate::engine::query;

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

pub(super) async fn run(args: &RecommendArgs, global: &Global) -> anyhow::Result<()> {
    let (_, runner) = global.runner().await?;
    let session = runner.session().await?;
    let request = match &args.session {
        Some(id) => of_session(id),
        None => of_items(&args.items),
    };
    let sql = format!(
        "select rank, item_id, score from recommend(gold.als_factors, ({request}), user => session_id, \
         item => item_id, weight => weight, k => {}, exclude_seen => {}) order by rank",
        args.k, !args.include_seen
    );
    let found = query(&session, &sql).await?.cache().await?;
    if found.clone().count().await? == 0 {
        bail!("{}", nothing(&session, args, &request).await?);
    }
    print_rows(found, if args.json { Format::Json } else { Format::Table }).await
}

/// The interactions of a session of the lake, as a query.
fn of_session(id: &str) -> String {
    format!(
        "select session_id, item_id, weight from gold.session_items where session_id = {}",
        literal(id)
    )
}

/// The interactions of a session that the lake does not know, as a query.
fn of_items(items: &[String]) -> String {
    let rows: Vec<String> = items.iter().map(|item| format!("({})", literal(item.trim()))).collect();
    format!(
        "select 'request' as session_id, column1 as item_id, 1.0 as weight from (values {}) as items",
        rows.join(", ")
    )
}

/// Why there is nothing to recommend.
async fn nothing(session: &SessionContext, args: &RecommendArgs, request: &str) -> anyhow::Result<String> {
    let known = query(session, request).await?.count().await?;
    Ok(match &args.session {
        Some(id) if known == 0 => format!(
            "the lake has no session `{id}`\n  help: `clickrec run` takes up new sessions; `clickrec recommend --items` \
             needs none"
        ),
        _ => {
            "the model has no item to add to these\n  help: look at gold.item_popularity for what most visitors want; \
              a model learns new items when it is trained (clickrec run --full-refresh --select gold.als_factors+)"
                .to_owned()
        }
    })
}
