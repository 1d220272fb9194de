//! Opens a cloud store (Azure, S3) with settings under its own names, by way of the Delta library.
//!
//! Requests that fail (429, 5xx, timeouts) are repeated by the store's own client: by default, up to ten times within
//! three minutes (`max_retries`, `retry_timeout` under `storage`). A batch that still fails is run again by
//! `--follow` (`pipeline/follow/backoff.rs`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::logstore::{StorageConfig, object_store_factories};
use object_store::ObjectStore;
use url::Url;

use crate::config::Secret;

/// A cloud store with the current settings.
pub(super) fn cloud(url: &Url, settings: &BTreeMap<String, Secret>) -> Result<Arc<dyn ObjectStore>, DeltaTableError> {
    deltalake::azure::register_handlers(None);
    deltalake::aws::register_handlers(None);
    let settings = settings
        .iter()
        .map(|(name, value)| (name.clone(), value.reveal().to_owned()));
    let config = StorageConfig::parse_options(settings.collect::<HashMap<_, _>>())?;
    let of_scheme = Url::parse(&format!("{}://", url.scheme())).ok();
    let factory = of_scheme.and_then(|scheme| object_store_factories().get(&scheme).map(|entry| entry.value().clone()));
    let factory = factory.ok_or_else(|| DeltaTableError::InvalidTableLocation(url.to_string()))?;
    let (store, _) = factory.parse_url_opts(url, &config)?;
    Ok(faulty(store))
}

#[cfg(debug_assertions)]
pub(super) fn faulty(store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    super::faults::wrap(store)
}

#[cfg(not(debug_assertions))]
pub(super) fn faulty(store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    store
}
