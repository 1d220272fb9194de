//! The stream of commits: which tables changed, as server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;

use crate::lake::Version;
use crate::serve::shop::Shop;

/// Tables and their versions.
#[derive(Debug, Serialize, ToSchema)]
struct Commit {
    tables: BTreeMap<String, Version>,
}

/// Commits as they happen: server-sent events named `commit`, which list the changed tables
#[utoipa::path(get, path = "/api/v1/events", tag = "pipeline",
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(super) async fn events(State(shop): State<Arc<Shop>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut commits = shop.commits.subscribe();
    let now = commits.borrow_and_update().clone();
    let stop = shop.stop.clone();
    // First the current state, so that nothing is missed between an answer and this stream.
    let present = Commit { tables: now.clone() };
    let changes = stream::unfold((commits, now), async |(mut commits, before)| {
        commits.changed().await.ok()?;
        let now = commits.borrow_and_update().clone();
        let tables = now
            .iter()
            .filter(|(table, version)| before.get(*table) != Some(version));
        let changed = Commit {
            tables: tables.map(|(table, version)| (table.clone(), *version)).collect(),
        };
        Some((changed, (commits, now)))
    });
    let events = stream::once(async { present })
        .chain(changes)
        .map(|commit| Ok(Event::default().event("commit").json_data(commit).unwrap_or_default()));
    Sse::new(events.take_until(stop.cancelled_owned())).keep_alive(KeepAlive::default())
}
