//! `GET /api/v1/events`, the stream of commits: which tables changed, as server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;

use crate::lake::Version;
use crate::serve::shop::{News, Shop};
use crate::serve::snapshot::Versions;

/// What is new.
#[derive(Debug, Serialize, ToSchema)]
struct Commit {
    /// Tables with their new versions.
    tables: BTreeMap<String, Version>,
    /// Changes when new models or other new data come into use for all sessions, or the events in memory were reloaded:
    /// any recommendation may differ from then on.
    answers: u64,
}

impl Commit {
    fn of(news: &News, before: &Versions) -> Self {
        let tables = news.tables.iter();
        let changed = tables.filter(|(table, version)| before.get(*table) != Some(version));
        Self {
            tables: changed.map(|(table, version)| (table.clone(), *version)).collect(),
            answers: news.generation,
        }
    }
}

/// Commits as they happen: server-sent events named `commit`, which list the changed tables, and what answers requests
#[utoipa::path(get, path = "/api/v1/events", tag = "pipeline",
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(super) async fn events(State(shop): State<Arc<Shop>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut news = shop.news.subscribe();
    let now = news.borrow_and_update().clone();
    let stop = shop.stop.clone();
    // First the current state, so that nothing is missed between an answer and this stream.
    let present = Commit::of(&now, &Versions::new());
    let changes = stream::unfold((news, now.tables), async |(mut news, before)| {
        news.changed().await.ok()?;
        let now = news.borrow_and_update().clone();
        Some((Commit::of(&now, &before), (news, now.tables)))
    });
    let events = stream::once(async { present })
        .chain(changes)
        .map(|commit| Ok(Event::default().event("commit").json_data(commit).unwrap_or_default()));
    Sse::new(events.take_until(stop.cancelled_owned())).keep_alive(KeepAlive::default())
}
