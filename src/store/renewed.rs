//! Tokens that expire: reads the credentials again when the store refuses a request, and repeats the request once if
//! they have changed; reads them every two seconds at most.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use deltalake::DeltaTableError;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use tokio::sync::Mutex;

use super::Permission;
use super::cloud::cloud;
use super::refusal::{explained, is_refusal};
use crate::config::{LakeConfig, Secret};

/// The number of files deleted concurrently.
const DELETED_TOGETHER: usize = 16;
/// The minimum time between reloads of refused settings.
const REST: Duration = Duration::from_secs(2);

/// A store whose credentials may be replaced while it is in use: if it refuses a request, the settings are reloaded,
/// and if they changed, the request is retried with them.
#[derive(Clone)]
pub(super) struct RenewedStore(Arc<Inner>);

struct Inner {
    lake: LakeConfig,
    now: RwLock<Now>,
    /// When settings were last reloaded because of a refusal.
    looked: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Now {
    store: Arc<dyn ObjectStore>,
    settings: Arc<BTreeMap<String, Secret>>,
}

impl RenewedStore {
    pub fn new(lake: LakeConfig) -> Result<Self, DeltaTableError> {
        let settings = lake.storage.settings().clone();
        let now = Now {
            store: cloud(&lake.url, &settings)?,
            settings: Arc::new(settings),
        };
        Ok(Self(Arc::new(Inner {
            lake,
            now: RwLock::new(now),
            looked: Mutex::default(),
        })))
    }

    fn now(&self) -> Now {
        self.0.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The store for settings other than those that were refused; `None` if there are none.
    async fn renewed(&self, refused: &Now) -> Option<Now> {
        // One reload at a time; requests that are not refused continue meanwhile.
        let mut looked = self.0.looked.lock().await;
        let now = self.now();
        if !Arc::ptr_eq(&now.settings, &refused.settings) {
            // Another request was faster.
            return Some(now);
        }
        if looked.is_some_and(|at| at.elapsed() < REST) {
            return None;
        }
        let storage = self.0.lake.storage.clone();
        // Blocking: reads files and runs commands.
        let settings = tokio::task::spawn_blocking(move || storage.renewed()).await;
        *looked = Some(Instant::now());
        let settings = match settings.ok()? {
            Ok(settings) if settings != *refused.settings => settings,
            Ok(_) => return None,
            Err(reason) => {
                tracing::warn!(reason, "cannot reload the store's credentials");
                return None;
            }
        };
        let store = cloud(&self.0.lake.url, &settings);
        let store = store.inspect_err(|error| tracing::warn!(%error, "the store's new settings are invalid"));
        let now = Now {
            store: store.ok()?,
            settings: Arc::new(settings),
        };
        *self.0.now.write().unwrap_or_else(PoisonError::into_inner) = now.clone();
        tracing::info!("reloaded the store's credentials");
        Some(now)
    }

    /// Makes a request, and retries it with new credentials if it is refused.
    async fn with_renewal<'a, T>(
        &self,
        permission: Permission,
        path: &Path,
        request: impl Fn(Arc<dyn ObjectStore>) -> BoxFuture<'a, Result<T>> + Send + Sync,
    ) -> Result<T> {
        let mut now = self.now();
        let error = match request(now.store.clone()).await {
            Err(error) if is_refusal(&error) => error,
            answered => return answered,
        };
        let error = match self.renewed(&now).await {
            None => error,
            Some(renewed) => {
                now = renewed;
                match request(now.store.clone()).await {
                    Err(error) if is_refusal(&error) => error,
                    answered => return answered,
                }
            }
        };
        Err(explained(error, permission, path, &now.settings))
    }

    /// Lists files, starting over with new credentials if the first page is refused.
    fn listed(
        &self,
        prefix: Option<&Path>,
        list: impl Fn(Arc<dyn ObjectStore>) -> BoxStream<'static, Result<ObjectMeta>> + Send + Sync + 'static,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let list = Arc::new(list);
        let begun = async move {
            let first = |store: Arc<dyn ObjectStore>| {
                let list = list.clone();
                async move {
                    let mut rest = list(store).fuse();
                    let first = rest.next().await.transpose()?;
                    Ok(stream::iter(first.map(Ok)).chain(rest))
                }
                .boxed()
            };
            this.with_renewal(Permission::List, &prefix, first).await
        };
        stream::once(begun).try_flatten().boxed()
    }
}

/// A multipart upload, which is bound to its initial credentials: a refusal ends it, but the next upload starts with
/// new ones.
struct RenewedUpload {
    upload: Box<dyn MultipartUpload>,
    store: RenewedStore,
    now: Now,
    location: Path,
}

impl RenewedUpload {
    /// Converts an error.
    fn failed(&self) -> impl Fn(Error) -> BoxFuture<'static, Error> + use<> {
        let (store, now, location) = (self.store.clone(), self.now.clone(), self.location.clone());
        move |error| {
            let (store, now, location) = (store.clone(), now.clone(), location.clone());
            let explained = async move {
                if !is_refusal(&error) {
                    return error;
                }
                store.renewed(&now).await;
                explained(error, Permission::Create, &location, &now.settings)
            };
            explained.boxed()
        }
    }
}

impl fmt::Debug for RenewedUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RenewedUpload").field(&self.location).finish()
    }
}

#[async_trait]
impl MultipartUpload for RenewedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let failed = self.failed();
        self.upload
            .put_part(data)
            .or_else(move |error| failed(error).map(Err))
            .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let failed = self.failed();
        match self.upload.complete().await {
            Ok(done) => Ok(done),
            Err(error) => Err(failed(error).await),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

impl fmt::Debug for RenewedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RenewedStore").field(&self.0.lake.url.as_str()).finish()
    }
}

impl fmt::Display for RenewedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RenewedStore({})", self.0.lake.url)
    }
}

#[async_trait]
impl ObjectStore for RenewedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.with_renewal(Permission::Create, location, |store| {
            let (location, payload, options) = (location.clone(), payload.clone(), options.clone());
            async move { store.put_opts(&location, payload, options).await }.boxed()
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        // Azure starts an upload without a request, so the first refusal is that of a part.
        let upload = self.with_renewal(Permission::Create, location, |store| {
            let (location, options) = (location.clone(), options.clone());
            async move { store.put_multipart_opts(&location, options).await }.boxed()
        });
        Ok(Box::new(RenewedUpload {
            upload: upload.await?,
            store: self.clone(),
            now: self.now(),
            location: location.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.with_renewal(Permission::Read, location, |store| {
            let (location, options) = (location.clone(), options.clone());
            async move { store.get_opts(&location, options).await }.boxed()
        })
        .await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        // A request per file, because each may be refused. Few files are deleted at once.
        let delete = move |location: Result<Path>| {
            let this = this.clone();
            async move {
                let location = location?;
                let one = |store: Arc<dyn ObjectStore>| {
                    let location = location.clone();
                    async move {
                        let mut deleted = store.delete_stream(stream::iter([Ok(location)]).boxed());
                        deleted.try_next().await
                    }
                    .boxed()
                };
                this.with_renewal(Permission::Delete, &location, one).await?;
                Ok(location)
            }
        };
        locations.map(delete).buffered(DELETED_TOGETHER).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let below = prefix.cloned();
        self.listed(prefix, move |store| store.list(below.as_ref()))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let (below, offset) = (prefix.cloned(), offset.clone());
        self.listed(prefix, move |store| store.list_with_offset(below.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let place = prefix.cloned().unwrap_or_default();
        self.with_renewal(Permission::List, &place, |store| {
            let prefix = prefix.cloned();
            async move { store.list_with_delimiter(prefix.as_ref()).await }.boxed()
        })
        .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.with_renewal(Permission::Create, to, |store| {
            let (from, to, options) = (from.clone(), to.clone(), options.clone());
            async move { store.copy_opts(&from, &to, options).await }.boxed()
        })
        .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.with_renewal(Permission::Create, to, |store| {
            let (from, to, options) = (from.clone(), to.clone(), options.clone());
            async move { store.rename_opts(&from, &to, options).await }.boxed()
        })
        .await
    }
}
