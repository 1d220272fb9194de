//! A table as of the moment it was opened; what is read of it later belongs to that version.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::common::DataFusionError;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableError};
use object_store::path::Path;
use tokio::sync::OnceCell;
use url::Url;

use super::keys::KeyFilters;
use super::{LakeError, LastCommit, Version};
use crate::config::TableName;

/// The layer of the tables that no step writes.
pub const SYSTEM_LAYER: &str = "system";

/// A table as of the moment it was opened; every read of it sees that version.
#[derive(Debug, Clone)]
pub struct LakeTable {
    name: TableName,
    lake: Url,
    delta: DeltaTable,
    /// Read on demand.
    pub(super) last_commit: Arc<OnceCell<LastCommit>>,
    filters: Option<Arc<KeyFilters>>,
}

impl LakeTable {
    pub(super) fn new(name: &TableName, lake: &Url, delta: DeltaTable, filters: Option<Arc<KeyFilters>>) -> Self {
        Self {
            name: name.clone(),
            lake: lake.clone(),
            delta,
            last_commit: Arc::default(),
            filters,
        }
    }

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
        Ok(Self::new(&self.name, &self.lake, delta, self.filters.clone()))
    }

    /// The same table as of an earlier version.
    ///
    /// # Errors
    /// When the log no longer holds what that version needs.
    pub async fn as_of(&self, version: Version) -> Result<Self, LakeError> {
        let mut delta = self.delta.clone();
        let loaded = delta.load_version(version).await;
        loaded.map_err(LakeError::delta("read an earlier version of", &self.name))?;
        Ok(self.with_past(delta))
    }

    /// The same table as of a time, by Delta's own rule: the state after the last commit at or before it.
    ///
    /// # Errors
    /// As [`LakeTable::as_of`].
    pub(super) async fn as_of_time(&self, time: DateTime<Utc>) -> Result<Self, LakeError> {
        let mut delta = self.delta.clone();
        let loaded = delta.load_with_datetime(time).await;
        loaded.map_err(LakeError::delta("read an earlier version of", &self.name))?;
        Ok(self.with_past(delta))
    }

    fn with_past(&self, delta: DeltaTable) -> Self {
        Self::new(&self.name, &self.lake, delta, None)
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
}
