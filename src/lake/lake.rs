//! The lake itself: a folder of Delta tables. Opens them, and keeps what a process needs of them again and again.

use std::sync::{Arc, OnceLock};

use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;
use object_store::path::Path;
use url::{Position, Url};

use super::diagnose::diagnose;
use super::keys::KeyFilters;
use super::log_cache::LogCache;
use super::{LakeError, LakeTable};
use crate::config::{LakeConfig, TableName};
use crate::store;
use crate::store::Access;

/// A folder of Delta tables: `LAKE/layer/table`.
#[derive(Debug, Clone)]
pub struct Lake {
    config: LakeConfig,
    /// Created when the first table is opened.
    store: Arc<OnceLock<Arc<dyn ObjectStore>>>,
    filters: Option<Arc<KeyFilters>>,
    opened: Option<Arc<LogCache>>,
}

impl Lake {
    /// The lake of a project. Opens nothing yet.
    pub fn new(config: &LakeConfig) -> Self {
        Self {
            config: config.clone(),
            store: Arc::default(),
            filters: None,
            opened: None,
        }
    }

    /// For a process that works on the same tables repeatedly: keeps their logs in memory, as well as filters of the
    /// keys in their data files, in at most this many bytes.
    #[must_use]
    pub fn with_memory(mut self, key_filter_bytes: u64) -> Self {
        self.filters = Some(Arc::new(KeyFilters::new(key_filter_bytes)));
        self.opened = Some(Arc::default());
        self
    }

    /// Creates the folder of a local lake and checks that it is writable, before a step works in vain. A cloud
    /// store reports problems only on the first write.
    ///
    /// # Errors
    /// When the folder, or a file in it, cannot be created.
    pub fn check_writable(&self) -> Result<(), LakeError> {
        let Ok(folder) = self.config.url.to_file_path() else {
            return Ok(());
        };
        let probe = std::fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder));
        probe.map(drop).map_err(|source| LakeError::Unwritable {
            folder: folder.display().to_string(),
            source,
        })
    }

    /// Opens the current version of a table. A table that does not exist yet is opened too, and is empty.
    ///
    /// # Errors
    /// When the lake cannot be reached, or the table's log cannot be read.
    pub async fn table(&self, name: &TableName) -> Result<LakeTable, LakeError> {
        let kept = match &self.opened {
            Some(opened) => opened.get(name).await,
            None => None,
        };
        let known = kept.as_ref().and_then(DeltaTable::version);
        let delta = match kept {
            Some(mut kept) => match kept.update_state().await {
                Ok(()) => kept,
                // Opening it from scratch works, or gives a proper error.
                Err(_) => self.open(name).await?,
            },
            None => self.open(name).await?,
        };
        if let Some(opened) = &self.opened
            && (known.is_none() || delta.version() != known)
        {
            opened.keep(name, &delta).await;
        }
        Ok(LakeTable::new(name, &self.config.url, delta, self.filters.clone()))
    }

    /// Drops the cached log of a table, so that it is reread from the latest checkpoint.
    pub fn forget(&self, name: &TableName) {
        if let Some(opened) = &self.opened {
            opened.forget(name);
        }
    }

    /// The table as if it did not exist.
    pub(super) fn not_opened(&self, name: &TableName) -> Result<LakeTable, LakeError> {
        Ok(LakeTable::new(name, &self.config.url, self.handle(name)?, None))
    }

    async fn open(&self, name: &TableName) -> Result<DeltaTable, LakeError> {
        let failed = || LakeError::delta("open", name);
        let mut delta = self.handle(name)?;
        if delta.load().await.is_ok() {
            return Ok(delta);
        }
        if !delta.verify_deltatable_existence().await.map_err(failed())? {
            return self.handle(name);
        }
        // Another process may have created it in the meantime.
        match delta.load().await {
            Ok(()) => Ok(delta),
            Err(error) => Err(diagnose(&delta, name).await.unwrap_or_else(|| failed()(error))),
        }
    }

    /// A handle to the table; reads nothing yet.
    fn handle(&self, name: &TableName) -> Result<DeltaTable, LakeError> {
        let failed = || LakeError::delta("open", name);
        let root = self.config.url.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{root}/{}/{}/", name.layer, name.table))
            .map_err(|reason| failed()(DeltaTableError::InvalidTableLocation(reason.to_string())))?;
        let builder = DeltaTableBuilder::from_url(url).map_err(failed())?;
        let store = self.store().map_err(failed())?;
        let builder = builder.with_storage_backend(store, self.config.url.clone());
        builder.build().map_err(failed())
    }

    pub(super) fn store(&self) -> Result<Arc<dyn ObjectStore>, DeltaTableError> {
        if let Some(store) = self.store.get() {
            return Ok(store.clone());
        }
        let store = store::open(&self.config)?;
        Ok(self.store.get_or_init(|| store).clone())
    }

    /// The permissions we have in the lake's store, if it is not a disk.
    ///
    /// # Errors
    /// When no store can be created from the settings.
    pub async fn access(&self) -> Result<Vec<Access>, LakeError> {
        if self.config.url.scheme() == "file" {
            return Ok(vec![]);
        }
        let failed = || LakeError::delta("reach", &self.config.url);
        let folder = Path::from_url_path(self.config.url.path());
        let folder = folder.map_err(|error| failed()(DeltaTableError::generic(error.to_string())))?;
        Ok(store::access(self.store().map_err(failed())?.as_ref(), &folder).await)
    }

    /// Lets all sessions of a runtime read the lake's store.
    ///
    /// # Errors
    /// When no store can be created from the settings.
    pub fn register(&self, runtime: &RuntimeEnv) -> Result<(), LakeError> {
        let store = self.store().map_err(LakeError::delta("reach", &self.config.url))?;
        let root = ObjectStoreUrl::parse(&self.config.url[..Position::BeforePath])?;
        runtime.register_object_store(root.as_ref(), store);
        Ok(())
    }

    /// The lake's URL.
    pub fn url(&self) -> &Url {
        &self.config.url
    }
}
