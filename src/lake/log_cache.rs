//! The logs of tables that were opened before, in memory: for servers and followers, which open the same tables again
//! and again, and then read only the newest entries.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use deltalake::DeltaTable;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use crate::config::TableName;

/// Tables that were opened before. Only the log entries written since then need to be read, however long the log is.
#[derive(Debug, Default)]
pub(super) struct LogCache(Mutex<HashMap<TableName, (DeltaTable, ObjectMeta)>>);

impl LogCache {
    /// The table as it was last time, unless it has been deleted or recreated since.
    pub async fn get(&self, name: &TableName) -> Option<DeltaTable> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let (table, entry) = kept?;
        // The entry of a version is written only once; a different one belongs to another table.
        (newest_entry(&table).await? == entry).then_some(table)
    }

    /// Forgets a table.
    pub fn forget(&self, name: &TableName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Keeps a table for next time.
    pub async fn keep(&self, name: &TableName, table: &DeltaTable) {
        if let Some(entry) = newest_entry(table).await {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(name.clone(), (table.clone(), entry));
        }
    }
}

/// The log entry of the newest version the table knows.
async fn newest_entry(table: &DeltaTable) -> Option<ObjectMeta> {
    let version = table.version()?;
    let entry = Path::from(format!("_delta_log/{version:020}.json"));
    table.log_store().object_store(None).head(&entry).await.ok()
}
