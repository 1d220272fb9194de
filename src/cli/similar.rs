use clap::Args;

use super::global::Global;
use super::output::{Format, literal, print_rows};
use crate::engine::query;

/// Items that the same sessions care for
#[derive(Debug, Args)]
#[command(after_help = "Example:
  clickrec similar prod_88 -k 5")]
pub(super) struct SimilarArgs {
    /// The item
    item: String,

    /// How many items
    #[arg(short, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,

    /// Print them as JSON, with all digits of the scores
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &SimilarArgs, global: &Global) -> anyhow::Result<()> {
    let (_, runner) = global.reader().await?;
    let session = runner.session().await?;
    let sql = format!(
        "select rank, similar_item_id as item_id, similarity from similar_items(gold.als_factors, item => {}, k => {}) \
         order by rank",
        literal(&args.item),
        args.k
    );
    let found = query(&session, &sql).await?;
    print_rows(found, if args.json { Format::Json } else { Format::Table }).await
}
