//! The object store of a lake, shared by all its tables.
//!
//! - [`open`](fn@open): creates a store from a lake's settings.
//! - `cached`: caches log entries, small files and footers in memory.
//! - `renewed`: reloads the credentials when the store refuses them, and retries.
//! - `refusal`: explains a refusal: which permission is missing, or when a token expired.
//! - [`access`](fn@access): finds out which permissions we have.

mod access;
mod cached;
#[cfg(feature = "failpoints")]
mod faults;
mod refusal;
mod renewed;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::logstore::{StorageConfig, object_store_factories};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use url::Url;

use crate::config::{LakeConfig, Secret};

pub use access::{Access, Permission, access};
use cached::CachedStore;
use renewed::RenewedStore;

/// The maximum size of the in-memory cache for a cloud store.
const CACHE_BYTES: u64 = 64 << 20;

/// The store of a lake, rooted at the container, bucket or disk.
///
/// # Errors
/// When no store can be created from the settings.
pub fn open(lake: &LakeConfig) -> Result<Arc<dyn ObjectStore>, DeltaTableError> {
    if lake.url.scheme() == "file" {
        return Ok(faulty(Arc::new(LocalFileSystem::new())));
    }
    let store = Arc::new(RenewedStore::new(lake.clone())?);
    Ok(Arc::new(CachedStore::new(store, CACHE_BYTES)))
}

/// A cloud store with the current settings.
fn cloud(url: &Url, settings: &BTreeMap<String, Secret>) -> Result<Arc<dyn ObjectStore>, DeltaTableError> {
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

#[cfg(feature = "failpoints")]
fn faulty(store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    faults::wrap(store)
}

#[cfg(not(feature = "failpoints"))]
fn faulty(store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    store
}
