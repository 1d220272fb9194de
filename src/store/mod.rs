//! The object store that a lake is in, one for all its tables.
//!
//! - [`open`](fn@open): a store as a lake's settings say.
//! - `cached`: keeps log entries, small files and footers in memory.
//! - `renewed`: takes the credentials anew where the store refuses them, and goes on.
//! - `refusal`: what a refusal means: which permission is missing, or since when a token holds no more.
//! - [`access`](fn@access): what one may do there.

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

/// So much of a store in the cloud is kept in memory, at most.
const CACHE_BYTES: u64 = 64 << 20;

/// The store of a lake, with its root at the root of the container, bucket or disk.
///
/// # Errors
/// When the settings do not make a store.
pub fn open(lake: &LakeConfig) -> Result<Arc<dyn ObjectStore>, DeltaTableError> {
    if lake.url.scheme() == "file" {
        return Ok(faulty(Arc::new(LocalFileSystem::new())));
    }
    let store = Arc::new(RenewedStore::new(lake.clone())?);
    Ok(Arc::new(CachedStore::new(store, CACHE_BYTES)))
}

/// A store in the cloud with settings as they are now.
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
