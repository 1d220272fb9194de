//! The object store of a lake, shared by all its tables.
//!
//! - [`open`](fn@open): creates a store from a lake's settings.
//! - `cached`: caches log entries, small files and footers in memory.
//! - `renewed`: reloads the credentials when the store refuses them, and retries.
//! - `refusal`: explains a refusal: which permission is missing, or when a token expired.
//! - [`access`](fn@access) (`permissions`): finds out which permissions we have.
//! - `cloud`: the cloud stores that the Delta library knows; `faults`: a store that fails now and then, for tests.

mod cached;
mod cloud;
#[cfg(debug_assertions)]
mod faults;
mod permissions;
mod refusal;
mod renewed;

use std::sync::Arc;

use deltalake::DeltaTableError;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::config::LakeConfig;

use cached::CachedStore;
use cloud::faulty;
pub use permissions::{Access, Permission, access};
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
