//! A store that fails now and then, for tests: `CLICKREC_FAULTS=seed=7,error=0.1,lost=0.05,denied=0.02`.
//!
//! `error`: how often a request fails before it has any effect (like 429, 503 and timeouts). `lost`: how often a write
//! succeeds but returns an error. `denied`: how often a request is refused as if the token had expired. Only builds with
//! debug assertions have it, as [`crate::failpoint`].

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// One per process, so that all requests draw from the same random sequence.
static FAULTS: LazyLock<Option<Arc<Faults>>> = LazyLock::new(|| {
    let settings = std::env::var("CLICKREC_FAULTS").ok()?;
    Some(Arc::new(Faults::parse(&settings)))
});

/// Wraps a store in the failing one, if the environment says so.
pub(super) fn wrap(inner: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    let Some(faults) = FAULTS.clone() else { return inner };
    Arc::new(FailingStore { inner, faults })
}

#[derive(Debug)]
struct Faults {
    error: f64,
    lost: f64,
    denied: f64,
    random: Mutex<StdRng>,
}

impl Faults {
    fn parse(settings: &str) -> Self {
        let value = |name: &str| {
            let setting = settings
                .split(',')
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            setting.and_then(|text| text.parse::<f64>().ok()).unwrap_or_default()
        };
        Self {
            error: value("error"),
            lost: value("lost"),
            denied: value("denied"),
            random: Mutex::new(StdRng::seed_from_u64(value("seed") as u64)),
        }
    }

    fn happens(&self, rate: f64) -> bool {
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .random_bool(rate)
    }

    /// Called before a request.
    fn before(&self, path: &Path) -> Result<()> {
        if self.happens(self.denied) {
            return Err(Error::Unauthenticated {
                path: path.to_string(),
                source: "403: the token has expired (injected)".into(),
            });
        }
        self.fail(self.error, "503: slow down (injected)")
    }

    /// Called after a write request.
    fn after(&self) -> Result<()> {
        self.fail(self.lost, "the answer was lost (injected)")
    }

    fn fail(&self, rate: f64, reason: &str) -> Result<()> {
        if !self.happens(rate) {
            return Ok(());
        }
        Err(Error::Generic {
            store: "FailingStore",
            source: reason.into(),
        })
    }
}

#[derive(Debug)]
struct FailingStore {
    inner: Arc<dyn ObjectStore>,
    faults: Arc<Faults>,
}

impl fmt::Display for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailingStore")
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.faults.before(location)?;
        let put = self.inner.put_opts(location, payload, options).await?;
        self.faults.after()?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.faults.before(location)?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.faults.before(location)?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.faults.before(prefix.unwrap_or(&Path::default())) {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.faults.before(prefix.unwrap_or(&Path::default()))?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.faults.before(to)?;
        self.inner.copy_opts(from, to, options).await?;
        self.faults.after()
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.faults.before(to)?;
        self.inner.rename_opts(from, to, options).await?;
        self.faults.after()
    }
}
