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
    /// Made when the first table is opened.
    store: Arc<OnceLock<Arc<dyn ObjectStore>>>,
    filters: Option<Arc<KeyFilters>>,
    opened: Option<Arc<Opened>>,
}

impl Lake {
    /// The lake of a project. Nothing is opened yet.
    pub fn new(config: &LakeConfig) -> Self {
        Self {
            config: config.clone(),
            store: Arc::default(),
            filters: None,
            opened: None,
        }
    }

    /// For a process that works on the same tables again and again: what was read of their logs stays in memory, and
    /// which keys are in which data files too, in at most so many bytes.
    #[must_use]
    pub fn with_memory(mut self, key_filter_bytes: u64) -> Self {
        self.filters = Some(Arc::new(KeyFilters::new(key_filter_bytes)));
        self.opened = Some(Arc::default());
        self
    }

    /// Makes sure that a local lake can be written, before a step works for nothing; makes its folder. A store in the
    /// cloud answers when it is written.
    ///
    /// # Errors
    /// When the folder cannot be made, or no file in it.
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

    /// Opens a table as of now; one that does not exist yet is opened too, and is empty.
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
                // From nothing it works, or says what is wrong.
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

    /// Forgets what was read of a table's log, so that it is read anew: from a checkpoint that was just made.
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
        // It may have been made since, by another process.
        match delta.load().await {
            Ok(()) => Ok(delta),
            Err(error) => Err(diagnose(&delta, name).await.unwrap_or_else(|| failed()(error))),
        }
    }

    /// What opens the table; nothing is read yet.
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

    /// What one may do in the store of the lake, where that is not a disk.
    ///
    /// # Errors
    /// When the settings do not make a store.
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
    /// When the settings do not make a store.
    pub fn register(&self, runtime: &RuntimeEnv) -> Result<(), LakeError> {
        let store = self.store().map_err(LakeError::delta("reach", &self.config.url))?;
        let root = ObjectStoreUrl::parse(&self.config.url[..Position::BeforePath])?;
        runtime.register_object_store(root.as_ref(), store);
        Ok(())
    }

    /// Where it is.
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

    /// Where its lake is.
    pub(super) fn lake_url(&self) -> &Url {
        &self.lake
    }

    /// The Delta library's own handle.
    pub fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    /// The state that was read, if the table exists.
    pub fn state(&self) -> Option<&DeltaTableState> {
        self.delta.snapshot().ok()
    }

    /// The same table as of now.
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

    /// The same table as it was at a time, by Delta's own rule: as after the last commit until then.
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

    /// The identity Delta gave it when it was created: a table made anew under the same name has another one.
    pub fn id(&self) -> Option<String> {
        self.state().map(|state| state.metadata().id().to_owned())
    }

    /// Its columns, if the table exists.
    ///
    /// # Errors
    /// When a column has a type that Arrow cannot hold.
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

    /// The same, where every file says how many it holds: files of others may not.
    pub(super) fn rows_if_known(&self) -> Option<usize> {
        let Some(state) = self.state() else { return Some(0) };
        state.log_data().iter().map(|file| file.num_records()).sum()
    }

    /// How many bytes its files have.
    pub fn bytes(&self) -> u64 {
        let Some(state) = self.state() else { return 0 };
        let files = state.log_data();
        files.iter().filter_map(|file| u64::try_from(file.size()).ok()).sum()
    }

    /// The newest commit that a step made, and what others did since: one entry of the log tells, where nobody did
    /// anything. Asking Delta for one application id after another would replay the log as often.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn last_commit(&self) -> Result<&LastCommit, LakeError> {
        self.last_commit.get_or_try_init(|| LastCommit::read(self)).await
    }

    /// The application ids and versions of the newest commit that a step made; `None` where the log no longer holds it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn transactions(&self) -> Result<Option<&BTreeMap<String, i64>>, LakeError> {
        Ok(self.last_commit().await?.transactions.as_ref())
    }

    /// The version committed for an application id; `None` where there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn transaction(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        if let Some(transactions) = self.transactions().await? {
            return Ok(transactions.get(app_id).copied());
        }
        self.transaction_in_log(app_id).await
    }

    /// The version committed for an application id in any commit, however old: a replay of the log.
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

    /// Where in its store a data file is that the log knows by this path.
    ///
    /// # Errors
    /// When it is no path of a store.
    pub(super) fn place(&self, path: &str) -> Result<Path, LakeError> {
        // Relative to the table, and decoded already; `PartitionedFile::new` would encode it again.
        let place = Path::from_url_path(self.delta.table_url().path())
            .and_then(|root| Path::parse(format!("{root}/{path}")))
            .map_err(|error| DataFusionError::ObjectStore(Box::new(error.into())))?;
        Ok(place)
    }

    /// What is known of the keys in its files, where that is kept.
    pub(super) fn key_filters(&self) -> Option<&Arc<KeyFilters>> {
        self.filters.as_ref()
    }

    /// A provider of the rows of this version for joins that look for few of them: files that hold no such key are not
    /// opened, where the lake keeps [`KeyFilters`].
    ///
    /// # Errors
    /// As [`LakeTable::provider`].
    pub async fn lookup_provider(&self, session: &SessionState) -> Result<Arc<dyn TableProvider>, LakeError> {
        if self.filters.is_some() && session.config().get_extension::<Distributed>().is_none() {
            self.let_read(session)?;
            match DataFilesScan::lookup(self, &data_files_without_statistics(self), None) {
                Ok(scan) => return Ok(Arc::new(scan)),
                // Files with features that only the Delta library's own scan knows.
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
        // With the session's own settings, so that text is read as the engine wants it.
        let provider = self.delta.table_provider().with_session(Arc::new(session.clone()));
        Ok(provider.await?)
    }
}
