//! Follows the lake (`--poll`): a new version of a table becomes a new snapshot, new events are added to the clicks, a
//! new catalog replaces the one in memory, and new statements are planned in the background while the old ones still
//! answer: at once for a new model, for new data at most every ten seconds, and for at most a tenth of the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::error::DataFusionError;
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use tokio::task::JoinHandle;

use super::ServeError;
use super::clicks::Clicks;
use super::newest_parts::hash;
use super::panels::{self, Parameter};
use super::shop::{Shop, read, write};
use super::snapshot::Snapshot;
use super::statements::{Statements, is_ready};
use crate::config::TableName;
use crate::lake::{Changes, LakeError, Version};
use crate::pipeline::{PipelineError, chain};
use crate::recommender::{Catalog, RecommenderError, texts};

/// The minimum time between new statements for new data (a new model is used sooner). Planning and warming them up also
/// never takes more than a tenth of the time.
const STATEMENTS_EVERY: Duration = Duration::from_secs(10);
const STATEMENTS_SHARE: u32 = 10;
/// How long after a failure the catalog is read again.
const CATALOG_RETRY: Duration = Duration::from_secs(30);

/// Statements being planned and warmed up.
type Making = JoinHandle<Result<Option<Statements>, RecommenderError>>;

/// The state between polls.
#[derive(Default)]
struct Watch {
    /// The version of the events that the clicks reflect.
    clicks_of: Option<Version>,
    /// The version of the catalog's table that is in memory.
    catalog_of: Option<Version>,
    /// When the catalog could last not be read.
    catalog_failed: Option<Instant>,
    making: Option<Making>,
    /// When planning statements last began, and how long it took, whether or not it succeeded.
    tried: Option<(Instant, Duration)>,
}

/// Follows the lake forever.
pub(super) async fn run(shop: Arc<Shop>) {
    let mut watch = Watch::default();
    loop {
        let looked = watch.look(&shop).await;
        if let Err(error) = &looked {
            tracing::warn!(error = %chain(error, ": "), "the lake could not be read; trying again");
        }
        write(&shop.trouble).lake_unread = looked.is_err();
        tokio::time::sleep(shop.options.poll).await;
    }
}

impl Watch {
    async fn look(&mut self, shop: &Arc<Shop>) -> Result<(), ServeError> {
        let bindings = shop.runner.bindings().await?;
        let now = shop.snapshot();
        if now.versions.iter().ne(bindings.versions.iter()) {
            shop.set_snapshot(Snapshot::over(&shop.runner, bindings).await?);
        }
        let snapshot = shop.snapshot();
        let worn = read(&shop.clicks).is_worn();
        let clicks = if worn || self.clicks_of != snapshot.version(&shop.recommender().events) {
            let from = self.clicks_of.filter(|_| !worn);
            follow_clicks(shop, &snapshot, from)
                .await
                .map(|version| self.clicks_of = version)
        } else {
            Ok(())
        };
        self.follow_catalog(shop, &snapshot).await;
        self.follow_statements(shop, &snapshot).await;
        shop.tell();
        clicks
    }

    /// Reads the catalog if its table has a new version. If that fails, the previous one stays.
    async fn follow_catalog(&mut self, shop: &Shop, snapshot: &Snapshot) {
        let Some(table) = &shop.recommender().items else {
            return;
        };
        let version = snapshot.version(table);
        let waits = self.catalog_failed.is_some_and(|at| at.elapsed() < CATALOG_RETRY);
        if version == self.catalog_of || waits {
            return;
        }
        let catalog = match version {
            Some(_) => Catalog::read(&snapshot.session, table).await,
            None => Ok(Catalog::default()),
        };
        match catalog {
            Ok(catalog) => {
                shop.set_catalog(catalog);
                self.catalog_of = version;
                self.catalog_failed = None;
            }
            Err(error) => {
                tracing::warn!(%table, %error, "cannot read the catalog; trying again");
                self.catalog_failed = Some(Instant::now());
            }
        }
    }

    /// Starts planning statements if they are due, and installs finished ones. Never blocks on them.
    async fn follow_statements(&mut self, shop: &Arc<Shop>, snapshot: &Arc<Snapshot>) {
        if let Some(making) = self.making.take_if(|making| making.is_finished()) {
            if let Some((began, took)) = &mut self.tried {
                *took = began.elapsed();
            }
            let made = making.await;
            write(&shop.trouble).statements_failed = !matches!(made, Ok(Ok(_)));
            match made {
                Ok(Ok(statements)) => shop.set_statements(statements.map(Arc::new)),
                Ok(Err(error)) => {
                    tracing::warn!(error = %chain(&error, ": "), "cannot prepare the models; trying again");
                }
                // The task panicked; the log says where.
                Err(error) => tracing::error!(%error, "preparing the models failed"),
            }
        }
        if self.making.is_none() && self.statements_are_due(shop, snapshot) {
            self.tried = Some((Instant::now(), Duration::ZERO));
            let (shop, snapshot) = (shop.clone(), snapshot.clone());
            self.making = Some(tokio::spawn(async move {
                let before = shop.statements();
                Statements::plan(&shop.runner, &snapshot, shop.options.max_k, before.as_deref()).await
            }));
        }
    }

    fn statements_are_due(&self, shop: &Shop, snapshot: &Snapshot) -> bool {
        let rested = self
            .tried
            .is_none_or(|(began, took)| began.elapsed() >= STATEMENTS_EVERY.max(took * STATEMENTS_SHARE));
        let Some(statements) = shop.statements() else {
            return rested && shop.lacks().is_none() && is_ready(shop.recommender(), &snapshot.versions);
        };
        let is_new = statements.is_replaced(shop.recommender(), snapshot);
        (is_new || statements.is_stale(snapshot)) && (rested || is_new && !self.failed(&statements))
    }

    /// Whether the last attempt failed: a new model is then retried only as often as new data.
    fn failed(&self, statements: &Statements) -> bool {
        self.tried.is_some_and(|(began, _)| began > statements.began)
    }
}

/// Adds the new events, or reloads the newest ones if it is unknown which are new.
async fn follow_clicks(shop: &Shop, snapshot: &Snapshot, from: Option<Version>) -> Result<Option<Version>, ServeError> {
    let name = &shop.recommender().events;
    let lake_error = |source: LakeError| PipelineError::Lake {
        step: name.to_string(),
        source,
    };
    let table = shop.runner.lake().table(name).await.map_err(lake_error)?;
    let version = table.version();
    if version.is_none() {
        shop.set_clicks(Clicks::new(shop.options.recent_events, vec![], None));
        return Ok(None);
    }
    if let Some(from) = from
        && let Ok(changes) = Changes::since(&table, from).await.map_err(lake_error)?
        // Nothing that was erased stays in memory.
        && !changes.erases()
    {
        if !changes.is_empty() {
            let scan = changes.scan(&table).map_err(lake_error)?;
            let session = &snapshot.session;
            table.register_store(&session.state()).map_err(lake_error)?;
            let plan = session.read_table(Arc::new(scan)).map_err(PipelineError::from)?;
            let events = plan.collect().await.map_err(PipelineError::from)?;
            for batch in events {
                write(&shop.clicks).add(batch).map_err(PipelineError::from)?;
                tokio::task::yield_now().await;
            }
            write(&shop.clicks).forget();
        }
        return Ok(version);
    }
    let clicks = newest(snapshot, name, shop.options.recent_events)
        .await
        .map_err(PipelineError::from)?;
    shop.set_clicks(clicks);
    Ok(snapshot.version(name))
}

/// The newest events of the lake, and the sessions that began before them.
async fn newest(snapshot: &Snapshot, events: &TableName, limit: usize) -> Result<Clicks, DataFusionError> {
    let since = match snapshot.can_read("gold.engagement") {
        true => include_str!("sql/clicks_since.sql"),
        false => include_str!("sql/clicks_since_all.sql"),
    };
    let older = match snapshot.can_read("gold.sessions") {
        true => include_str!("sql/older_sessions.sql"),
        false => include_str!("sql/older_sessions_all.sql"),
    };
    let newest = include_str!("sql/newest_events.sql");
    let query = async |sql: &str, parameter: Parameter| {
        let sql = panels::over_hours(&panels::over_events(sql, events), snapshot);
        panels::query(&snapshot.session, &sql, vec![parameter]).await
    };
    let limited = ("limit", ScalarValue::Int64(i64::try_from(limit).ok()));
    let rows = query(since, limited).await?;
    let rows: Vec<RecordBatch> = rows.collect().await?;
    let since_us = rows.iter().find_map(|rows| {
        let times = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
        times.iter().flatten().next()
    });
    let since = ("since", ScalarValue::TimestampMicrosecond(since_us, Some("UTC".into())));
    let mut hashes = vec![];
    let mut sessions = query(older, since.clone()).await?.execute_stream().await?;
    while let Some(batch) = sessions.try_next().await? {
        hashes.extend(texts(&batch, "session_id")?.iter().flatten().map(hash));
    }
    // Leaves room, because a minute is never split.
    let mut clicks = Clicks::new(limit + limit / 4, hashes, since_us);
    let mut events = query(newest, since).await?.execute_stream().await?;
    while let Some(batch) = events.try_next().await? {
        clicks.add(batch)?;
    }
    clicks.forget();
    Ok(clicks)
}
