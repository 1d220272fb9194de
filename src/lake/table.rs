use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use clickrec_udfs::Distributed;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::sync::OnceCell;
use url::{Position, Url};

use super::changes::data_files_without_statistics;
use super::diagnose::diagnose;
use super::keys::KeyFilters;
use super::opened::Opened;
use super::{DataFilesScan, LakeError, LastCommit};
use crate::config::{LakeConfig, TableName};
use crate::store;
use crate::store::Access;

/// A version of a Delta table.
pub type Version = u64;

/// A folder of Delta tables: `LAKE/layer/table`.
#[derive(Debug, Clone)]
pub struct Lake {
    config: LakeConfig,
    /// Created when the first table is opened.
    store: Arc<OnceLock<Arc<dyn ObjectStore>>>,
    filters: Option<Arc<KeyFilters>>,
    opened: Option<Arc<Opened>>,
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
        Ok(LakeTable {
            name: name.clone(),
            lake: self.config.url.clone(),
            delta,
            last_commit: Arc::default(),
            filters: self.filters.clone(),
        })
    }

    /// Drops the cached log of a table, so that it is reread from the latest checkpoint.
    pub fn forget(&self, name: &TableName) {
        if let Some(opened) = &self.opened {
            opened.forget(name);
        }
    }

    /// The table as if it did not exist.
    pub(super) fn not_opened(&self, name: &TableName) -> Result<LakeTable, LakeError> {
        Ok(LakeTable {
            name: name.clone(),
            lake: self.config.url.clone(),
            delta: self.handle(name)?,
            last_commit: Arc::default(),
            filters: None,
        })
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

    fn store(&self) -> Result<Arc<dyn ObjectStore>, DeltaTableError> {
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

/// A table as of the moment it was opened; every read of it sees that version.
#[derive(Debug, Clone)]
pub struct LakeTable {
    name: TableName,
    lake: Url,
    delta: DeltaTable,
    last_commit: Arc<OnceCell<LastCommit>>,
    filters: Option<Arc<KeyFilters>>,
}

impl LakeTable {
    /// `layer.table`.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The URL of its lake.
    pub(super) fn lake_url(&self) -> &Url {
        &self.lake
    }

    /// The Delta library's own handle.
    pub fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    /// The loaded state, if the table exists.
    pub fn state(&self) -> Option<&DeltaTableState> {
        self.delta.snapshot().ok()
    }

    /// Reopens the table at its current version.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn reopened(&self) -> Result<Self, LakeError> {
        let mut delta = self.delta.clone();
        delta.load().await.map_err(LakeError::delta("open", &self.name))?;
        Ok(Self {
            name: self.name.clone(),
            lake: self.lake.clone(),
            delta,
            last_commit: Arc::default(),
            filters: self.filters.clone(),
        })
    }

    /// The same table as of an earlier version.
    ///
    /// # Errors
    /// When the log no longer holds what that version needs.
    pub async fn as_of(&self, version: Version) -> Result<Self, LakeError> {
        let mut delta = self.delta.clone();
        let loaded = delta.load_version(version).await;
        loaded.map_err(LakeError::delta("go back in", &self.name))?;
        Ok(self.with_past(delta))
    }

    /// The same table as of a time, by Delta's own rule: the state after the last commit at or before it.
    ///
    /// # Errors
    /// As [`LakeTable::as_of`].
    pub(super) async fn as_of_time(&self, time: DateTime<Utc>) -> Result<Self, LakeError> {
        let mut delta = self.delta.clone();
        let loaded = delta.load_with_datetime(time).await;
        loaded.map_err(LakeError::delta("go back in", &self.name))?;
        Ok(self.with_past(delta))
    }

    fn with_past(&self, delta: DeltaTable) -> Self {
        Self {
            name: self.name.clone(),
            lake: self.lake.clone(),
            delta,
            last_commit: Arc::default(),
            filters: None,
        }
    }

    /// Its version, if the table exists.
    pub fn version(&self) -> Option<Version> {
        self.state().map(DeltaTableState::version)
    }

    /// The identity that Delta assigned when the table was created: a table recreated under the same name has a
    /// different one.
    pub fn id(&self) -> Option<String> {
        self.state().map(|state| state.metadata().id().to_owned())
    }

    /// Its columns, if the table exists.
    ///
    /// # Errors
    /// When a column has a type that Arrow does not support.
    pub fn schema(&self) -> Result<Option<SchemaRef>, LakeError> {
        let Some(state) = self.state() else { return Ok(None) };
        let schema: arrow::datatypes::Schema =
            state.schema().as_ref().try_into_arrow().map_err(|source| {
                LakeError::delta("read the schema of", &self.name)(DeltaTableError::Arrow { source })
            })?;
        Ok(Some(Arc::new(schema)))
    }

    /// How many rows its files hold, from the log alone.
    pub fn rows(&self) -> u64 {
        let Some(state) = self.state() else { return 0 };
        state
            .log_data()
            .iter()
            .filter_map(|file| file.num_records())
            .map(|rows| rows as u64)
            .sum()
    }

    /// The same, but only if every file records its number of rows: files of other writers may not.
    pub(super) fn rows_if_known(&self) -> Option<usize> {
        let Some(state) = self.state() else { return Some(0) };
        state.log_data().iter().map(|file| file.num_records()).sum()
    }

    /// The total size of its files.
    pub fn bytes(&self) -> u64 {
        let Some(state) = self.state() else { return 0 };
        let files = state.log_data();
        files.iter().filter_map(|file| u64::try_from(file.size()).ok()).sum()
    }

    /// The newest commit made by a step, and what others have done since. If nobody has, one log entry is enough.
    /// Querying Delta for each application ID would replay the log once per ID.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn last_commit(&self) -> Result<&LastCommit, LakeError> {
        self.last_commit.get_or_try_init(|| LastCommit::read(self)).await
    }

    /// The application IDs and versions of the newest commit that a step made; `None` if the log no longer holds it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn transactions(&self) -> Result<Option<&BTreeMap<String, i64>>, LakeError> {
        Ok(self.last_commit().await?.transactions.as_ref())
    }

    /// The version committed for an application ID; `None` if there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn transaction(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        if let Some(transactions) = self.transactions().await? {
            return Ok(transactions.get(app_id).copied());
        }
        self.transaction_in_log(app_id).await
    }

    /// The version committed for an application ID in any commit, however old: replays the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn transaction_in_log(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        let Some(state) = self.state() else { return Ok(None) };
        let log = self.delta.log_store();
        state
            .transaction_version(log.as_ref(), app_id.to_owned())
            .await
            .map_err(LakeError::delta("read the transactions of", &self.name))
    }

    /// The location in its store of a data file that the log knows by this path.
    ///
    /// # Errors
    /// When the path is not valid in a store.
    pub(super) fn place(&self, path: &str) -> Result<Path, LakeError> {
        // Relative to the table and already decoded; `PartitionedFile::new` would encode it again.
        let place = Path::from_url_path(self.delta.table_url().path())
            .and_then(|root| Path::parse(format!("{root}/{path}")))
            .map_err(|error| DataFusionError::ObjectStore(Box::new(error.into())))?;
        Ok(place)
    }

    /// The filters of the keys in its files, if the lake keeps them.
    pub(super) fn key_filters(&self) -> Option<&Arc<KeyFilters>> {
        self.filters.as_ref()
    }

    /// A provider of this version's rows for selective joins: files that hold none of the wanted keys are not opened,
    /// if the lake keeps [`KeyFilters`].
    ///
    /// # Errors
    /// As [`LakeTable::provider`].
    pub async fn lookup_provider(&self, session: &SessionState) -> Result<Arc<dyn TableProvider>, LakeError> {
        if self.filters.is_some() && session.config().get_extension::<Distributed>().is_none() {
            self.let_read(session)?;
            match DataFilesScan::lookup(self, &data_files_without_statistics(self), None) {
                Ok(scan) => return Ok(Arc::new(scan)),
                // The files use features that only the Delta library's own scan supports.
                Err(LakeError::Unsupported { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.provider(session).await
    }

    /// Lets a session, and all that share its runtime, read the table's store.
    ///
    /// # Errors
    /// When the store cannot be set up.
    pub fn let_read(&self, session: &SessionState) -> Result<(), LakeError> {
        let done = self.delta.update_datafusion_session(session);
        done.map_err(LakeError::delta("read", &self.name))
    }

    /// A provider of the rows of this version.
    ///
    /// # Errors
    /// When the table does not exist or its files cannot be listed.
    pub async fn provider(&self, session: &SessionState) -> Result<Arc<dyn TableProvider>, LakeError> {
        self.let_read(session)?;
        if session.config().get_extension::<Distributed>().is_some() {
            // The Delta library's own scan cannot be sent to another process (delta-rs issue 4171).
            return Ok(Arc::new(DataFilesScan::whole(self)?));
        }
        // With the session's settings, so that strings are read as the type the engine expects.
        let provider = self.delta.table_provider().with_session(Arc::new(session.clone()));
        Ok(provider.await?)
    }
}
