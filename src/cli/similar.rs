//! `clickrec similar`: the items most similar to one, by the statement that the project declares
//! (`recommender/similar.rs`).

use clap::Args;

use super::global::Global;
use super::item_details::with_details;
use super::output::{Format, print_rows};
use crate::recommender::similar;

/// Show the items that are most similar to an item
///
/// The answer comes from the SQL file that `similar` names, under `recommender` in pipelines.yaml. If `items` names a
/// catalog there, its titles are shown.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  clickrec similar prod_88 -k 5")]
pub(super) struct SimilarArgs {
    /// The item
    item: String,

    /// Number of items
    #[arg(short, long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,

    /// Print the items as JSON, with all digits of the scores, and with the items' details from the catalog
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &SimilarArgs, global: &Global) -> anyhow::Result<()> {
    let (_, runner) = global.reader().await?;
    let bindings = runner.bindings().await?;
    let found = similar(&runner, runner.engine(), &bindings, &args.item, args.k).await?;
    let session = runner.engine().session(&bindings).await?;
    let format = if args.json { Format::Json } else { Format::Table };
    let rows = with_details(&runner, &bindings, &session, found.0, format).await?;
    print_rows(session.read_batch(rows)?, format).await
}
