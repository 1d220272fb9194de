//! Follows the lake: a new version of a table becomes a new view, new events go to the clicks, and new models are made
//! beside the old ones, which answer until then.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::error::DataFusionError;
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;

use super::clicks::{Clicks, hash};
use super::models::{MODEL, Models};
use super::shop::{Shop, write};
use super::view::View;
use super::{ServeError, panels};
use crate::lake::{Changes, LakeError, Version};
use crate::pipeline::PipelineError;
use crate::recommender::{EVENTS, texts};

/// Models are made anew for new data, not only for a new model: not more often than this, and never for more than a
/// tenth of the time.
const MODELS_EVERY: Duration = Duration::from_secs(10);
const MODELS_SHARE: u32 = 10;

/// Follows for ever.
pub(super) async fn run(shop: &Arc<Shop>) {
    let mut clicks_of = None;
    loop {
        let looked = look(shop, &mut clicks_of).await;
        if let Err(error) = &looked {
            tracing::warn!(error = %crate::pipeline::chain(error, ": "), "the lake could not be read; trying again");
        }
        *write(&shop.trouble) = looked
            .err()
            .map(|_| "the lake could not be read; the server's log says why".to_owned());
        tokio::time::sleep(shop.options.poll).await;
    }
}

async fn look(shop: &Shop, clicks_of: &mut Option<Version>) -> Result<(), ServeError> {
    let bindings = shop.runner.bindings().await?;
    let now = shop.view();
    if now.versions.iter().ne(bindings.versions.iter()) {
        shop.set_view(View::over(&shop.runner, bindings, now.number + 1).await?);
    }
    let view = shop.view();
    if *clicks_of != view.versions.get(EVENTS).copied() {
        *clicks_of = follow_clicks(shop, &view, *clicks_of).await?;
    }
    shop.tell();
    if models_are_due(shop, &view) {
        let before = shop.models();
        let models = Models::make(&shop.runner, &view, shop.options.max_k, before.as_deref()).await?;
        shop.set_models(models);
        shop.tell();
    }
    Ok(())
}

fn models_are_due(shop: &Shop, view: &View) -> bool {
    let Some(models) = shop.models() else {
        return view.has(EVENTS) && view.has(MODEL);
    };
    let is_new = models.version() != view.versions.get(MODEL).copied();
    let rested = models.made.elapsed() >= MODELS_EVERY.max(models.took * MODELS_SHARE);
    is_new || (rested && *models.versions() != view.versions)
}

/// Takes up the events that came, or all of the newest ones where it is not known which came.
async fn follow_clicks(shop: &Shop, view: &View, from: Option<Version>) -> Result<Option<Version>, ServeError> {
    let Some(name) = shop.runner.dag().named(EVENTS).map(|node| node.name().clone()) else {
        return Ok(None);
    };
    let lake_error = |source: LakeError| PipelineError::Lake {
        step: EVENTS.to_owned(),
        source,
    };
    let table = shop.runner.lake().table(&name).await.map_err(lake_error)?;
    let version = table.version();
    if let Some(from) = from
        && let Ok(changes) = Changes::since(&table, from).await.map_err(lake_error)?
    {
        if !changes.is_empty() {
            let scan = changes.scan(&table).map_err(lake_error)?;
            let session = &view.session;
            table.let_read(&session.state()).map_err(lake_error)?;
            let plan = session.read_table(Arc::new(scan)).map_err(PipelineError::from)?;
            let events = plan.collect().await.map_err(PipelineError::from)?;
            let mut clicks = write(&shop.clicks);
            for batch in events {
                clicks.add(batch).map_err(PipelineError::from)?;
            }
        }
        return Ok(version);
    }
    let clicks = newest(view, shop.options.recent_events)
        .await
        .map_err(PipelineError::from)?;
    *write(&shop.clicks) = clicks;
    Ok(view.versions.get(EVENTS).copied())
}

/// The newest events of the lake, and the sessions that began before them.
async fn newest(view: &View, limit: usize) -> Result<Clicks, DataFusionError> {
    let limited = ("limit", ScalarValue::Int64(i64::try_from(limit).ok()));
    let rows = panels::query(&view.session, include_str!("sql/clicks_since.sql"), vec![limited]).await?;
    let rows: Vec<RecordBatch> = rows.collect().await?;
    let since = rows.iter().find_map(|rows| {
        let times = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
        times.iter().flatten().next()
    });
    let since = ("since", ScalarValue::TimestampMicrosecond(since, Some("UTC".into())));
    let mut older = vec![];
    let sessions = panels::query(
        &view.session,
        include_str!("sql/older_sessions.sql"),
        vec![since.clone()],
    )
    .await?;
    let mut sessions = sessions.execute_stream().await?;
    while let Some(batch) = sessions.try_next().await? {
        older.extend(texts(&batch, "session_id")?.iter().flatten().map(hash));
    }
    // A minute is not cut in two.
    let mut clicks = Clicks::new(limit + limit / 4, older);
    let events = panels::query(&view.session, include_str!("sql/newest_events.sql"), vec![since]).await?;
    let mut events = events.execute_stream().await?;
    while let Some(batch) = events.try_next().await? {
        clicks.add(batch)?;
    }
    Ok(clicks)
}
