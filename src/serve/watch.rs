//! Follows the lake: a new version of a table becomes a new view, new events are added to the clicks, and new models
//! are built in the background while the old ones still answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::error::DataFusionError;
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use tokio::task::JoinHandle;

use super::ServeError;
use super::clicks::{Clicks, hash};
use super::models::{Models, is_ready};
use super::panels::{self, Parameter};
use super::shop::{Shop, read, write};
use super::view::View;
use crate::config::TableName;
use crate::lake::{Changes, LakeError, Version};
use crate::pipeline::{PipelineError, chain};
use crate::recommender::{RecommenderError, texts};

/// The minimum time between rebuilds of the models for new data (a new model is used sooner). Rebuilding also never
/// takes more than a tenth of the time.
const MODELS_EVERY: Duration = Duration::from_secs(10);
const MODELS_SHARE: u32 = 10;

/// Models being built.
type Making = JoinHandle<Result<Option<Models>, RecommenderError>>;

/// The state between polls.
#[derive(Default)]
struct Watch {
    /// The version of the events that the clicks reflect.
    clicks_of: Option<Version>,
    making: Option<Making>,
    /// When building models last began, and how long it took, whether or not it succeeded.
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
        let now = shop.view();
        if now.versions.iter().ne(bindings.versions.iter()) {
            shop.set_view(View::over(&shop.runner, bindings).await?);
        }
        let view = shop.view();
        let worn = read(&shop.clicks).is_worn();
        let clicks = if worn || self.clicks_of != view.version(&shop.recommender().events) {
            let from = self.clicks_of.filter(|_| !worn);
            follow_clicks(shop, &view, from)
                .await
                .map(|version| self.clicks_of = version)
        } else {
            Ok(())
        };
        self.follow_models(shop, &view).await;
        shop.tell();
        clicks
    }

    /// Starts building models if they are due, and installs finished ones. Never blocks on them.
    async fn follow_models(&mut self, shop: &Arc<Shop>, view: &Arc<View>) {
        if let Some(making) = self.making.take_if(|making| making.is_finished()) {
            if let Some((began, took)) = &mut self.tried {
                *took = began.elapsed();
            }
            let made = making.await;
            write(&shop.trouble).models_failed = !matches!(made, Ok(Ok(_)));
            match made {
                Ok(Ok(models)) => shop.set_models(models.map(Arc::new)),
                Ok(Err(error)) => tracing::warn!(error = %chain(&error, ": "), "no models were made; trying again"),
                // The task panicked; the log says where.
                Err(error) => tracing::error!(%error, "no models were made"),
            }
        }
        if self.making.is_none() && self.models_are_due(shop, view) {
            self.tried = Some((Instant::now(), Duration::ZERO));
            let (shop, view) = (shop.clone(), view.clone());
            self.making = Some(tokio::spawn(async move {
                let before = shop.models();
                Models::make(&shop.runner, &view, shop.options.max_k, before.as_deref()).await
            }));
        }
    }

    fn models_are_due(&self, shop: &Shop, view: &View) -> bool {
        let rested = self
            .tried
            .is_none_or(|(began, took)| began.elapsed() >= MODELS_EVERY.max(took * MODELS_SHARE));
        let Some(models) = shop.models() else {
            return rested && shop.lacks().is_none() && is_ready(shop.recommender(), view);
        };
        let is_new = models.is_replaced(shop.recommender(), view);
        (is_new || models.is_stale(view)) && (rested || is_new && !self.failed(&models))
    }

    /// Whether the last attempt failed: a new model is then retried only as often as new data.
    fn failed(&self, models: &Models) -> bool {
        self.tried.is_some_and(|(began, _)| began > models.made)
    }
}

/// Adds the new events, or reloads the newest ones if it is unknown which are new.
async fn follow_clicks(shop: &Shop, view: &View, from: Option<Version>) -> Result<Option<Version>, ServeError> {
    let name = &shop.recommender().events;
    let lake_error = |source: LakeError| PipelineError::Lake {
        step: name.to_string(),
        source,
    };
    let table = shop.runner.lake().table(name).await.map_err(lake_error)?;
    let version = table.version();
    if version.is_none() {
        shop.set_clicks(Clicks::new(shop.options.recent_events, vec![]));
        return Ok(None);
    }
    if let Some(from) = from
        && let Ok(changes) = Changes::since(&table, from).await.map_err(lake_error)?
    {
        if !changes.is_empty() {
            let scan = changes.scan(&table).map_err(lake_error)?;
            let session = &view.session;
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
    let clicks = newest(view, name, shop.options.recent_events)
        .await
        .map_err(PipelineError::from)?;
    shop.set_clicks(clicks);
    Ok(view.version(name))
}

/// The newest events of the lake, and the sessions that began before them.
async fn newest(view: &View, events: &TableName, limit: usize) -> Result<Clicks, DataFusionError> {
    let since = match view.can_read("gold.engagement") {
        true => include_str!("sql/clicks_since.sql"),
        false => include_str!("sql/clicks_since_all.sql"),
    };
    let older = match view.can_read("gold.sessions") {
        true => include_str!("sql/older_sessions.sql"),
        false => include_str!("sql/older_sessions_all.sql"),
    };
    let newest = include_str!("sql/newest_events.sql");
    let query = async |sql: &str, parameter: Parameter| {
        panels::query(&view.session, &panels::over_events(sql, events), vec![parameter]).await
    };
    let limited = ("limit", ScalarValue::Int64(i64::try_from(limit).ok()));
    let rows = query(since, limited).await?;
    let rows: Vec<RecordBatch> = rows.collect().await?;
    let since = rows.iter().find_map(|rows| {
        let times = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
        times.iter().flatten().next()
    });
    let since = ("since", ScalarValue::TimestampMicrosecond(since, Some("UTC".into())));
    let mut hashes = vec![];
    let mut sessions = query(older, since.clone()).await?.execute_stream().await?;
    while let Some(batch) = sessions.try_next().await? {
        hashes.extend(texts(&batch, "session_id")?.iter().flatten().map(hash));
    }
    // Leaves room, because a minute is never split.
    let mut clicks = Clicks::new(limit + limit / 4, hashes);
    let mut events = query(newest, since).await?.execute_stream().await?;
    while let Some(batch) = events.try_next().await? {
        clicks.add(batch)?;
    }
    clicks.forget();
    Ok(clicks)
}
