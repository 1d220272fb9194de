//! `clickrec demo`: a shop from simulated clicks to recommendations, with an embedded Kafka broker; counts the records
//! of every layer, and shows lists (`--serve`: on the dashboard).

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use clap::Args;
use datafusion::prelude::SessionContext;
use tokio_util::sync::CancellationToken;

use super::global::Global;
use super::init::{self, Events};
use super::output::{table, thousands, write_all};
use super::progress::Progress;
use super::serve::{self, ServeArgs};
use super::{produce, run};
use crate::config::{Environment, LoadOptions, Project, TableName};
use crate::engine::query;
use crate::pipeline::{RunOptions, Runner};
use crate::plural::counted;
use crate::simulate::{Catalog, SimulationConfig};
use crate::sources::kafka::EmbeddedBroker;

const TOPIC: &str = "clickstream";
const PARTITIONS: i32 = 8;
/// The embedded broker keeps 5 MiB per partition and silently drops older records. This many events fit, compressed.
const MAX_EVENTS: u64 = 1_000_000;
const SESSIONS_SHOWN: usize = 5;

/// Run everything end to end: an embedded Kafka broker, simulated traffic, every layer, training, recommendations
///
/// Needs no other software and leaves nothing behind, unless --lake names a folder for the tables.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec demo
  clickrec demo --serve
  clickrec demo --events 500_000 --lake ./demo-lake")]
pub(super) struct DemoArgs {
    /// Number of events to simulate
    #[arg(long, default_value = "100_000", value_name = "N", value_parser = produce::count)]
    events: u64,

    /// Keep the project and its lake in this folder; `clickrec run` there reads the files that you add to sample_data/
    #[arg(long, value_name = "DIR")]
    lake: Option<PathBuf>,

    /// Afterward, serve the dashboard for the lake of the demo, until Ctrl-C
    #[arg(long)]
    pub serve: bool,

    /// Seed of the simulation: a different seed gives a different shop of the same kind
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

pub(super) async fn run(args: &DemoArgs, global: &Global, stop: &CancellationToken) -> anyhow::Result<()> {
    if args.events > MAX_EVENTS {
        bail!(
            "the embedded broker holds no more than {} events\n  help: to simulate more, write the events to a file and \
             run a project on it: clickrec produce --events {} --to FILE",
            thousands(MAX_EVENTS),
            args.events
        );
    }
    let started = Instant::now();
    let temporary = tempfile::tempdir().context("cannot create a temporary folder")?;
    let folder = args.lake.clone().unwrap_or_else(|| temporary.path().join("shop"));
    // The sample data belongs to another shop: a later run of the kept project must not mix it into this lake.
    init::scaffold(&folder, Events::Nothing)?;

    let shop = SimulationConfig {
        events: args.events,
        seed: args.seed,
        dirty: 0.01,
        ..SimulationConfig::default()
    };
    let catalog_file = folder.join(init::CATALOG);
    if let Some(parent) = catalog_file.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    produce::write_catalog(&shop, &catalog_file)?;
    let broker = EmbeddedBroker::start(TOPIC, PARTITIONS)?;
    let (simulated, topic, talk) = (shop.clone(), broker.config(TOPIC), global.clone());
    tokio::task::spawn_blocking(move || produce::to_kafka(&simulated, &topic, &talk)).await??;

    let vars = BTreeMap::from([
        ("KAFKA_BROKERS".to_owned(), broker.brokers()),
        ("KAFKA_TOPIC".to_owned(), TOPIC.to_owned()),
    ]);
    let options = LoadOptions {
        target: Some("kafka"),
        vars: &vars,
        env: &Environment::of(|_| None),
    };
    let project = Project::load(&folder.join("pipelines.yaml"), &options)?;
    let runner = Runner::new(&project, global.engine()?).await?;
    let mut progress = Progress::new(global.quiet, global.progress());
    let report = runner
        .run_once(project.pipeline(None)?, &RunOptions::default(), &mut |event| {
            progress.event(&event)
        })
        .await?;
    let summary = run::summary(&report);
    report.into_outcomes()?;
    write_all(&summary)?;

    let session = runner.session().await?;
    let catalog = Catalog::new(&shop);
    check_counts(&session, args.events).await?;
    let recommendations = &runner.recommender().recommendations;
    show_sessions(&session, &catalog, recommendations).await?;
    show_share(&session, &catalog, recommendations).await?;
    if let Some(folder) = &args.lake {
        eprintln!("{}", kept(folder));
    }
    eprintln!(
        "{} in {:.1} s",
        counted(args.events, "event", "events"),
        started.elapsed().as_secs_f64()
    );
    match args.serve {
        true => serve::start(&ServeArgs::plain(), runner, None, stop).await,
        false => Ok(()),
    }
}

/// Prints where the project is, and what it reads now that the demo's broker is gone.
fn kept(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "the project and its lake are kept in {folder}; the demo's broker is gone. From now on, `clickrec run` reads the \
         files that you add to {folder}/sample_data\n  next: cd {folder} && clickrec serve"
    )
}

/// Every record that was produced is in Bronze, and from there in Silver, in quarantine, or a repeated delivery.
async fn check_counts(session: &SessionContext, produced: u64) -> anyhow::Result<()> {
    let count = async |sql: &str| -> anyhow::Result<i64> {
        let batches = query(session, sql).await?.collect().await?;
        Ok(batches
            .first()
            .map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0)))
    };
    let bronze = count("select count(*) from bronze.clicks").await?;
    let silver = count("select count(*) from silver.events").await?;
    let quarantined = count("select count(*) from silver.quarantine").await?;
    let repeated = count("select count(*) from silver.unaccepted where outcome = 'repeated'").await?;
    write_all(&format!(
        "\n{} produced = {} in Bronze = {} in Silver + {} in quarantine + {} repeated deliveries\n",
        thousands(produced),
        thousands(bronze.unsigned_abs()),
        thousands(silver.unsigned_abs()),
        thousands(quarantined.unsigned_abs()),
        thousands(repeated.unsigned_abs())
    ))?;
    if u64::try_from(bronze)? != produced || bronze != silver + quarantined + repeated {
        bail!("these counts do not add up: records were lost or duplicated");
    }
    Ok(())
}

/// For a few sessions: what they clicked, next to what is recommended to them.
async fn show_sessions(session: &SessionContext, catalog: &Catalog, recommendations: &TableName) -> anyhow::Result<()> {
    let sql = format!(
        "with shown as (select session_id from gold.sessions where events >= 6 order by started_at desc, session_id \
         limit {SESSIONS_SHOWN}),
         clicked as (select session_id, array_agg(item_id order by last_event_at) as items from gold.session_items
                     group by session_id),
         recommended as (select session_id, array_agg(item_id order by rank) as items from {recommendations}
                         where rank <= 5 group by session_id)
         select shown.session_id, clicked.items as clicked, recommended.items as recommended
         from shown join clicked on shown.session_id = clicked.session_id
         join recommended on shown.session_id = recommended.session_id order by shown.session_id"
    );
    let mut shown = table(["session", "clicked (category)", "recommended (category)"]);
    for batch in query(session, &sql).await?.collect().await? {
        let ids = cast(batch.column(0), &DataType::Utf8)?;
        for row in 0..batch.num_rows() {
            let items = |column: usize| -> anyhow::Result<String> {
                let list = batch.column(column).as_list::<i32>().value(row);
                let list = cast(&list, &DataType::Utf8)?;
                let named = list
                    .as_string::<i32>()
                    .iter()
                    .flatten()
                    .map(|item| match catalog.category_of(item) {
                        Some(category) => format!("{item} ({category})"),
                        None => item.to_owned(),
                    });
                Ok(named.collect::<Vec<_>>().join(", "))
            };
            shown.add_row([ids.as_string::<i32>().value(row).to_owned(), items(1)?, items(2)?]);
        }
    }
    write_all(&format!("\n{shown}\n"))
}

/// The share of recommendations in a category that their session clicked, and the share that chance would give.
async fn show_share(session: &SessionContext, catalog: &Catalog, recommendations: &TableName) -> anyhow::Result<()> {
    let sql = format!(
        "with clicked as (select session_id, array_agg(item_id) as items from gold.session_items group by session_id),
         recommended as (select session_id, array_agg(item_id) as items from {recommendations} group by session_id)
         select clicked.items, recommended.items from clicked
         join recommended on clicked.session_id = recommended.session_id"
    );
    let (mut own, mut all, mut chance) = (0_u64, 0_u64, 0.0);
    for batch in query(session, &sql).await?.collect().await? {
        let (clicked, recommended) = (batch.column(0).as_list::<i32>(), batch.column(1).as_list::<i32>());
        for row in 0..batch.num_rows() {
            let categories = |list: &dyn Array| -> anyhow::Result<Vec<u32>> {
                let list = cast(list, &DataType::Utf8)?;
                Ok(list
                    .as_string::<i32>()
                    .iter()
                    .flatten()
                    .filter_map(|item| catalog.category_of(item))
                    .collect())
            };
            let of_session: HashSet<u32> = categories(clicked.value(row).as_ref())?.into_iter().collect();
            let given = categories(recommended.value(row).as_ref())?;
            own += given.iter().filter(|category| of_session.contains(category)).count() as u64;
            all += given.len() as u64;
            chance += given.len() as f64 * catalog.share_of(&of_session);
        }
    }
    if all == 0 {
        bail!("no session received a recommendation");
    }
    let (own, chance) = (own as f64 / all as f64, chance / all as f64);
    write_all(&format!(
        "\n{:.1}% of the recommendations are in a category that their session clicked; chance would give {:.1}%\n",
        100.0 * own,
        100.0 * chance
    ))
}
