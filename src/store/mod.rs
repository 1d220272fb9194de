//! The object store of a lake, shared by all its tables.
//!
//! - [`open`](fn@open): creates a store from a lake's settings.
//! - `cached`: caches log entries, small files and footers in memory.
//! - `renewed`: reloads the credentials when the store refuses them, and retries.
//! - `refusal`: explains a refusal: which permission is missing, or when a token expired.
//! - [`access`](fn@access): finds out which permissions we have.

mod access;
mod cached;
mod cloud;
#[cfg(debug_assertions)]
mod faults;
mod refusal;
mod renewed;

use std::sync::Arc;

use deltalake::DeltaTableError;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::config::LakeConfig;

pub use access::{Access, Permission, access};
use cached::CachedStore;
use cloud::faulty;
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
